"""The parts of the local product as child processes that cannot outlive it."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


class PartError(Exception):
    """A part did not start or died; the message is for the person at the keyboard."""


class Part:
    """One child process: its log is a file, its standard input tells it to go on or to end."""

    def __init__(
        self, name: str, arguments: Sequence[str], environ: Mapping[str, str], logs: Path
    ) -> None:
        """Describe a part; `start` starts it.

        Args:
            name: Of the part and of its log file.
            arguments: Of the Python interpreter.
            environ: Its whole environment.
            logs: Directory for its log.
        """
        self.name = name
        self.log = logs / f"{name}.log"
        self._arguments = list(arguments)
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, announces: bool = False, on_parent_death: int = signal.SIGKILL) -> None:
        """Start it.

        Args:
            announces: It writes a line to standard output when it is ready, see `announcement`.
            on_parent_death: Signal that it gets when this process is gone (Linux).
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and modules)
                [sys.executable, *self._arguments],
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if announces else log,
                stderr=log,
                # Ctrl-C reaches only us: we stop the parts, in order.
                start_new_session=True,
                preexec_fn=_die_with_parent(on_parent_death),  # noqa: PLW1509 (no threads here)
            )

    def announcement(self) -> str:
        """Return the line that a part with `announces` writes when it is ready.

        Raises:
            PartError: It ended before.
        """
        stdout = self._running.stdout
        line = stdout.readline().decode().strip() if stdout is not None else ""
        if not line:
            raise PartError(f"{self.name} did not start: see {self.log}")
        return line

    def tell(self, line: str) -> None:
        """Write a line to its standard input.

        Raises:
            PartError: It is gone.
        """
        try:
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()
        except OSError:
            raise PartError(f"{self.name} did not start: see {self.log}") from None

    def exit_code(self) -> int | None:
        """Return its exit code, None while it runs or before it was started."""
        return self._process.poll() if self._process is not None else None

    def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `ready`.

        Raises:
            PartError: It ended, or was not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.exit_code() is not None:
                raise PartError(f"{self.name} did not start: see {self.log}")
            if time.monotonic() > deadline:
                raise PartError(f"{self.name} was not ready in {timeout_s:.0f} s: see {self.log}")
            time.sleep(0.02)

    def end_input(self) -> None:
        """Close its standard input: a part of ours finishes what it does and ends."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._stdin.close()

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, timeout_s: float) -> int:
        """Wait for its end, kill it after `timeout_s`, and return its exit code."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self.end_input()
            if self._process.stdout is not None:
                self._process.stdout.close()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise PartError(f"{self.name} was not started")
        return self._process

    @property
    def _stdin(self) -> IO[bytes]:
        stdin = self._running.stdin
        if stdin is None:
            raise PartError(f"{self.name} has no input")
        return stdin


def _die_with_parent(number: int) -> Callable[[], None] | None:
    """Return what a child calls so that the kernel sends it `number` when its parent is gone."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork
    return lambda: prctl(_PR_SET_PDEATHSIG, number) and None
