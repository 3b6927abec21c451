"""Bytes of the few PDUs and command sets that the raw SCU needs (PS3.7 annex E, PS3.8 section 9.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"


def ui(value: str) -> bytes:
    """Return a UID padded to an even length."""
    data = value.encode("latin-1")
    return data + b"\0" * (len(data) % 2)


def command(elements: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a command set with its group length in front."""
    body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def elements_of(data: bytes) -> Iterable[tuple[int, bytes]]:
    """Yield a command set's elements."""
    position = 0
    while position < len(data):
        _, tag, length = struct.unpack_from("<HHI", data, position)
        position += 8 + length
        yield tag, data[position - length : position]


def items_of(data: bytes) -> Iterable[tuple[int, bytes]]:
    """Yield the items of an A-ASSOCIATE PDU or of one of its items."""
    position = 0
    while position < len(data):
        kind, length = struct.unpack_from(">BxH", data, position)
        position += 4 + length
        yield kind, data[position - length : position]


def associate_rq(
    called: str, calling: str, contexts: dict[tuple[str, str], int], window: int | None
) -> bytes:
    """Return an A-ASSOCIATE-RQ; `contexts` maps (abstract, transfer syntax) to the context id."""

    def item(kind: int, body: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(body)) + body

    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode())
    body += item(0x10, APPLICATION_CONTEXT.encode())
    for (abstract, transfer), number in contexts.items():
        syntaxes = item(0x30, abstract.encode()) + item(0x40, transfer.encode())
        body += item(0x20, bytes((number, 0, 0, 0)) + syntaxes)
    user = item(0x51, struct.pack(">I", 1 << 20)) + item(0x52, b"2.25.1")
    if window is not None:
        user += item(0x53, struct.pack(">HH", window, 1))
    body += item(0x50, user)
    return struct.pack(">BxI", 1, len(body)) + body
