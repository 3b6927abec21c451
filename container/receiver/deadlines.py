"""Deadlines for blocking sockets: one thread per worker cuts the connections whose time is up.

An association's thread blocks in recv without a timeout, because a timeout makes every recv a poll and a
recv. Instead it stores the time until which it is willing to wait in an attribute of its `Watch` (one
store, no lock, no syscall), and the watchdog looks at all of them twice a second.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

FOREVER = math.inf
"""No deadline."""


class Wait(Protocol):
    """A wait of the part in C, which has no time to store it in a `Watch`."""

    idle: bool
    stopping: bool

    @property
    def deadline(self) -> float:
        """As `Watch.deadline`."""

    @property
    def send_deadline(self) -> float:
        """As `Watch.send_deadline`."""


class Watch:
    """One connection's deadlines; made by `Watchdog.register`.

    Attributes:
        deadline: `time.monotonic()` until which the connection's thread waits for bytes.
        send_deadline: Likewise for the peer to take bytes.
        idle: True while the thread waits for the first byte of a message.
        expired: Set when `deadline` passed: reading was shut down, an A-ABORT can still be sent.
        series: The waits of the part in C, which count as this one's do.
        stalled: Set when `send_deadline` passed: both directions were shut down.
        interrupted: Set when `Watchdog.interrupt_idle` found it idle: reading was shut down.
    """

    __slots__ = (
        "_socket",
        "deadline",
        "expired",
        "idle",
        "interrupted",
        "send_deadline",
        "series",
        "stalled",
    )

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.deadline = FOREVER
        self.send_deadline = FOREVER
        self.idle = False
        self.expired = False
        self.stalled = False
        self.interrupted = False
        self.series: Wait | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the connection's thread waits for the first byte of a message."""
        return self.idle or (self.series is not None and self.series.idle)

    def is_late(self, now: float) -> bool:
        """Return whether bytes of the peer are late."""
        return self.deadline < now or (self.series is not None and self.series.deadline < now)

    def is_stuck(self, now: float) -> bool:
        """Return whether the peer does not take bytes in time."""
        return self.send_deadline < now or (
            self.series is not None and self.series.send_deadline < now
        )

    def shut(self, how: int) -> None:
        """Shut down the connection in direction `how`; the thread blocked in it returns at once."""
        # ENOTCONN: the peer was faster.
        with contextlib.suppress(OSError):
            self._socket.shutdown(how)


class Watchdog:
    """Cuts the connections of one worker that are past their deadlines; made after fork."""

    def __init__(
        self, interval_s: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._watches: set[Watch] = set()
        # Held while a socket is shut down, so that unregister-then-close cannot free the descriptor
        # for another connection in between.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; deadlines no longer count."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def register(self, connection: socket.socket) -> Watch:
        """Watch `connection` until `unregister`, which must come before it is closed."""
        watch = Watch(connection)
        with self._lock:
            self._watches.add(watch)
        return watch

    def unregister(self, watch: Watch) -> None:
        """Watch it no longer; on return its socket may be closed."""
        with self._lock:
            self._watches.discard(watch)

    def interrupt_idle(self) -> None:
        """Wake every association that waits between messages, for good (the worker is cutting).

        Set `cutting` before: an association checks it after it declares itself idle, so it either sees
        the event (the part in C: that it is stopping) or is found idle here. A message whose first bytes arrive in this very moment is cut
        too; it is not acknowledged, so nothing is lost.
        """
        with self._lock:
            for watch in self._watches:
                if watch.series is not None:
                    watch.series.stopping = True
                if watch.is_idle:
                    watch.interrupted = True
                    watch.shut(socket.SHUT_RD)

    def scan(self, now: float) -> None:
        """Cut what is past its deadline at `now`."""
        with self._lock:
            for watch in self._watches:
                if watch.is_late(now) and not watch.expired:
                    watch.expired = True
                    watch.shut(socket.SHUT_RD)
                if watch.is_stuck(now) and not watch.stalled:
                    watch.stalled = True
                    watch.shut(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self.scan(self._clock())
