"""The parent's side of the committer: started, watched, started again when it dies, stopped last.

It is no fork, so it has nothing of the parent's. A committer that is gone takes nothing with it: what devices asked is in the storage before they are told,
and N-ACTIONs wait in the listener's queue until the next one is there.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

from receiver.ports import Log

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SOUND_S = 60.0
"""One that lived so long is started again at once."""
BACKLOG = 256
STOP_S = 3.0
_MODULE = "receiver.commitment"


class Companion:
    """One committer at a time.

    Args:
        log: Events.

    Attributes:
        address: Where it listens, for as long as the parent lives.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind("")  # the kernel gives an abstract address: no file, gone with us
        self._listener.listen(BACKLOG)
        self.address: bytes = self._listener.getsockname()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._failures = 0
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Its process, None while there is none."""
        return None if self._process is None else self._process.pid

    def tick(self, now: float) -> None:
        """Bury a dead one, start what is due."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._bury(code, now)
        if self._process is None and not self._stopping and now >= self._start_at:
            try:
                self._start(now)
            except OSError as error:  # no memory, no descriptors: the images go on without it
                self._log.error("committer_not_started", errno=error.errno)
                self._close_control()
                self._wait(now)

    def stop(self) -> None:
        """End it: its leases are given back, what is not answered is another task's."""
        self._stopping = True
        if self._process is not None:
            self._close_control()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._listener.close()

    def close_copies(self) -> None:
        """Close a forked child's copies."""
        self._listener.close()
        if self._control is not None:
            self._control.close()

    def _start(self, now: float) -> None:
        self._control, theirs = socket.socketpair()
        descriptors = (self._listener.fileno(), theirs.fileno())
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", _MODULE, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
            )
        self._started_at = now

    def _bury(self, code: int, now: float) -> None:
        self._log.error("committer_died", committer_pid=self.pid, code=code)
        self._process = None
        self._close_control()
        if now - self._started_at >= SOUND_S:
            self._failures = 0
            self._start_at = now
        else:
            self._wait(now)

    def _wait(self, now: float) -> None:
        self._failures += 1
        self._start_at = now + min(FIRST_PAUSE_S * 2 ** min(self._failures, 10), LONGEST_PAUSE_S)

    def _close_control(self) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.close()
            self._control = None
