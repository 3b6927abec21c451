"""What a worker and the committer say to each other: one Unix socket for each N-ACTION.

    worker -> committer   ASK (who asks), PIECE..., END       the Action Information as it comes in
    committer -> worker   STATUS                              kept durably, or why not: the N-ACTION-RSP
    committer -> worker   EVENT                               the answer, while the association is open
    worker -> committer   OUTCOME                             the N-EVENT-REPORT-RSP

Either end may close at any time: the association has ended, or the committer has been replaced. What was
kept is then answered on an association of its own.
"""

from __future__ import annotations

import json
import select
import socket
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Self

_HEADER = struct.Struct(">BL")
MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Above the longest report."""
PIECE_BYTES = 64 * 1024


class Frame(IntEnum):
    """Kind of a frame."""

    ASK = 1
    PIECE = 2
    END = 3
    STATUS = 4
    EVENT = 5
    OUTCOME = 6


class LinkClosedError(Exception):
    """The other end is gone, silent for too long, or says what it must not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and how the data sets of its presentation context are encoded."""

    association_id: str
    calling_ae_title: str
    called_ae_title: str
    peer: str
    implicit: bool

    def encode(self) -> bytes:
        """Return it as a frame's content."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read a frame's content."""
        return cls(**json.loads(content))


class Link:
    """One end of a link; used by one thread at a time.

    Args:
        sock: Connected; closed with the link.
        timeout_s: For each call, unless changed by `wait`.

    Attributes:
        implicit: Whether the association's data sets are Implicit VR; what an `Asker` said.
    """

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self.implicit = True
        self._sock = sock
        self._sock.settimeout(timeout_s)

    @classmethod
    def connect(cls, address: bytes, timeout_s: float) -> Self:
        """Connect to the committer.

        Raises:
            LinkClosedError: It does not listen.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout_s)
            sock.connect(address)
        except OSError as error:
            sock.close()
            raise LinkClosedError("not connected") from error
        return cls(sock, timeout_s)

    def send(self, kind: Frame, content: bytes = b"") -> None:
        """Send a frame.

        Raises:
            LinkClosedError: It was not taken.
        """
        try:
            self._sock.sendall(_HEADER.pack(kind, len(content)) + content)
        except OSError as error:
            raise LinkClosedError("not sent") from error

    def receive(self) -> tuple[Frame, bytes]:
        """Return the next frame.

        Raises:
            LinkClosedError: There is none in time.
        """
        kind, length = _HEADER.unpack(self._take(_HEADER.size))
        if length > MAX_FRAME_BYTES or kind not in tuple(Frame):
            raise LinkClosedError("no frame")
        return Frame(kind), self._take(length)

    def expect(self, wanted: Frame) -> bytes:
        """Return the content of the next frame, which is of one kind.

        Raises:
            LinkClosedError: It is not, or there is none in time.
        """
        kind, content = self.receive()
        if kind is not wanted:
            raise LinkClosedError(f"{kind.name} instead of {wanted.name}")
        return content

    def wait(self, timeout_s: float | None) -> None:
        """Let each call take `timeout_s` from now on, None for ever."""
        self._sock.settimeout(timeout_s)

    @property
    def is_open(self) -> bool:
        """Whether the other end is still there; only asked while no frame of its is due."""
        waiting = select.poll()
        waiting.register(self._sock, select.POLLIN)
        # Asked first: a socket with a timeout would wait for it, MSG_DONTWAIT or not.
        if not waiting.poll(0):
            return True
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def shut(self) -> None:
        """Wake the thread that is blocked in a call; any thread may do so."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def _take(self, count: int) -> bytes:
        pieces = []
        while count:
            try:
                piece = self._sock.recv(min(count, PIECE_BYTES))
            except OSError as error:
                raise LinkClosedError("nothing came in time") from error
            if not piece:
                raise LinkClosedError("closed")
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
