"""The peer that a row plays: a raw socket with an address of its own, so that log lines can be told apart."""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass

from tests.raw_pdus import items_of
from tests.receiver.wire import RawScu, elements_of, item

ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RP, ABORT = 2, 3, 4, 6, 7
HONEST = "127.99.0.1"
"""Where honest senders come from."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver answered: the PDU's name and the numbers that matter in it."""

    what: str
    numbers: tuple[int, ...] = ()


CLOSED = Answer("closed")
RELEASED = Answer("A-RELEASE-RP")


def status(code: int) -> Answer:
    """Return a response with this status."""
    return Answer("response", (code,))


def accepted(*results: int) -> Answer:
    """Return an A-ASSOCIATE-AC with these results, in the order of the contexts."""
    return Answer("A-ASSOCIATE-AC", results)


class Peer(RawScu):
    """A connection from `address`, one of the loopback network's sixteen million.

    Args:
        port: Of the receiver.
        address: Source address, what the receiver logs as `peer`.
        timeout_s: Of each read and write.
        tls: What to speak TLS by; plain without.
    """

    def __init__(
        self,
        port: int,
        address: str,
        timeout_s: float = 15.0,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port
        self.address = address
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=timeout_s, source_address=(address, 0)
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket)

    def again(self) -> Peer:
        """Open another connection from the same address."""
        return Peer(self.port, self.address)

    def take(self, count: int) -> bytes:
        """Read so many bytes, or those that come before the end."""
        return self._exactly(count)

    def answer(self) -> Answer:
        """Read the next PDU, or the end."""
        kind, body = self.read()
        if kind == ASSOCIATE_AC:
            results = [content[2] for name, content in items_of(body[68:]) if name == 0x21]
            return accepted(*results)
        if kind == ASSOCIATE_RJ:
            return Answer("A-ASSOCIATE-RJ", tuple(body[1:]))
        if kind == P_DATA:
            return status(int.from_bytes(elements_of(body[6:])[0x0900], "little"))
        if kind == RELEASE_RP:
            return RELEASED
        if kind == ABORT:
            return Answer("A-ABORT", tuple(body[2:]))
        return CLOSED if kind == 0 else Answer(f"PDU {kind}")

    def granted_window(self, proposal: bytes) -> tuple[int, int]:
        """Associate and return the asynchronous operations window of the A-ASSOCIATE-AC."""
        self.send(proposal)
        kind, body = self.read()
        assert kind == ASSOCIATE_AC, (kind, body)
        position = body.index(item(0x53, bytes(4))[:4])
        invoked, performed = struct.unpack_from(">HH", body, position + 4)
        return invoked, performed

    def reset(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
