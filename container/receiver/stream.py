"""Bytes from one connection: payload straight into its place, headers into a small lookahead.

One `recvmsg_into([payload's place..., lookahead])` brings the rest of a PDV and the header that follows
it in one syscall. Time spent blocked is charged to a credit (see `Stream.set_time`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto

from receiver.deadlines import FOREVER, Watch
from receiver.transport import Transport

LOOKAHEAD_BYTES = 8192
"""Size of the lookahead: all the memory that a parked association holds."""
CREDIT_S = 30.0
"""Credit of a peer in the middle of something, and the most that it can have."""
EARNED_S_PER_BYTE = 1 / 4096
"""What a byte earns: a peer that keeps up 4 KiB/s is never cut, whatever it sends."""


class End(Enum):
    """Why no more bytes come."""

    EOF = auto()
    """The peer closed, or its host is gone."""
    EXPIRED = auto()
    """The deadline passed."""
    INTERRUPTED = auto()
    """The worker is cutting and the association was idle."""


class StreamEndedError(Exception):
    """No more bytes will come from the peer."""

    def __init__(self, end: End) -> None:
        self.end = end
        super().__init__(end.name)


class Stream:
    """The reading side of a connection.

    Attributes:
        buffer: The lookahead; bytes `start` to `end` are unread. Callers unpack headers from it in place.
        received: Bytes received on the connection so far.
    """

    __slots__ = (
        "_clock",
        "_credit_s",
        "_earns",
        "_receive",
        "_view",
        "_watch",
        "buffer",
        "end",
        "received",
        "start",
    )

    def __init__(
        self,
        transport: Transport,
        watch: Watch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive = transport.recvmsg_into
        self._watch = watch
        self._clock = clock
        self._credit_s = CREDIT_S
        self._earns = 0.0
        self.buffer = bytearray(LOOKAHEAD_BYTES)
        self._view = memoryview(self.buffer)
        self.start = 0
        self.end = 0
        self.received = 0

    @property
    def buffered(self) -> int:
        """Bytes that can be had without waiting."""
        return self.end - self.start

    def set_time(self, credit_s: float, *, earning: bool) -> None:
        """Give the peer `credit_s` seconds from now on; bytes earn more only if `earning`.

        Only time blocked in a receive is spent: waiting for memory or for the storage is not the peer's.
        """
        self._credit_s = credit_s
        self._earns = EARNED_S_PER_BYTE if earning else 0.0

    def go_on(self, start: int, end: int, received: int) -> None:
        """Go on where the part in C has come to, which shares the lookahead."""
        self.start, self.end, self.received = start, end, received

    def wait_idle(self, is_cutting: Callable[[], bool]) -> None:
        """Wait for the first byte of a message, unless it is there already.

        Raises:
            StreamEndedError: It will not come.
        """
        if self.end > self.start:
            return
        watch = self._watch
        watch.idle = True
        try:
            # After declaring itself idle, see Watchdog.interrupt_idle.
            if is_cutting():
                raise StreamEndedError(End.INTERRUPTED)
            self.need(1)
        finally:
            watch.idle = False

    def need(self, count: int) -> None:
        """Wait until `count` bytes (at most LOOKAHEAD_BYTES) are in the lookahead.

        Raises:
            StreamEndedError: They will not come.
        """
        if self.end - self.start >= count:
            return
        rest = self.end - self.start
        if rest:  # regions may overlap: a slice of a bytearray is a copy
            self.buffer[:rest] = self.buffer[self.start : self.end]
        self.start, self.end = 0, rest
        while self.end < count:
            self.end += self._blocking([self._view[self.end :] if self.end else self._view])

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Memory grows only as bytes arrive, never by what a header promises.

        Raises:
            StreamEndedError: They will not come.
        """
        pieces = []
        while count > LOOKAHEAD_BYTES:
            piece = self._buffered_or_received(LOOKAHEAD_BYTES)
            pieces.append(piece)
            count -= len(piece)
        self.need(count)
        pieces.append(bytes(self._view[self.start : self.start + count]))
        self.start += count
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def skip(self, count: int) -> None:
        """Read `count` bytes and forget them.

        Raises:
            StreamEndedError: They will not come.
        """
        for _ in self.pieces(count):
            pass

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes as they come, in pieces of at most LOOKAHEAD_BYTES.

        Raises:
            StreamEndedError: They will not come.
        """
        while count:
            piece = self._buffered_or_received(count)
            count -= len(piece)
            yield piece

    def receive_into(self, view: memoryview, ahead: int) -> int:
        """Receive at least one byte into `view`; return how many.

        Args:
            view: Writable memory, at least one byte.
            ahead: Bytes that the same call may receive into the lookahead, at most LOOKAHEAD_BYTES: 0
                unless `view` ends where the payload ends. What comes into the lookahead has to be copied
                from there, so within a message it is no more than the next headers.

        Raises:
            StreamEndedError: No byte will come.
        """
        room = len(view)
        start = self.start
        if self.end > start:
            count = min(room, self.end - start)
            view[:count] = self._view[start : start + count]
            self.start = start + count
            return count
        if not ahead:
            return self._blocking((view,))
        count = self._blocking((view, self._view[:ahead]))
        if count <= room:
            return count
        self.start, self.end = 0, count - room
        return room

    def _buffered_or_received(self, most: int) -> bytes:
        if self.start == self.end:
            self.start = 0
            self.end = self._blocking([self._view])
        count = min(most, self.end - self.start)
        piece = bytes(self._view[self.start : self.start + count])
        self.start += count
        return piece

    def _blocking(self, buffers: Sequence[memoryview]) -> int:
        watch = self._watch
        clock = self._clock
        began = clock()
        watch.deadline = began + self._credit_s
        try:
            count = self._receive(buffers)[0]
        except OSError:  # ECONNRESET, ETIMEDOUT (keepalive): to us the same as closing
            count = 0
        watch.deadline = FOREVER
        credit = self._credit_s - (clock() - began) + count * self._earns
        self._credit_s = min(credit, CREDIT_S) if self._earns else credit
        if not count:
            if watch.interrupted:
                raise StreamEndedError(End.INTERRUPTED)
            raise StreamEndedError(End.EXPIRED if watch.expired else End.EOF)
        self.received += count
        return count
