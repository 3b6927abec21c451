"""Part 10 files taken apart without decoding: file meta here, the dataset's bytes as they are there."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from tests.builders import Instance

_LONG_VRS = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OF", b"OD", b"OL", b"OV")


@dataclass(frozen=True, slots=True)
class Part10:
    """A file's group 2 by element number, and the bytes behind it."""

    meta: dict[int, bytes]
    dataset: bytes

    def uid(self, element: int) -> str:
        """Return a UID of the file meta, padding removed; empty if it is not there."""
        return self.meta.get(element, b"").rstrip(b"\0 ").decode("latin-1")


def parse(data: bytes) -> Part10:
    """Take a file apart.

    Raises:
        ValueError: No preamble and prefix.
    """
    if data[128:132] != b"DICM":
        raise ValueError("no DICM prefix")
    position, meta = 132, {}
    while data[position : position + 2] == b"\x02\x00":
        element = struct.unpack_from("<H", data, position + 2)[0]
        if data[position + 4 : position + 6] in _LONG_VRS:
            start, length = position + 12, struct.unpack_from("<I", data, position + 8)[0]
        else:
            start, length = position + 8, struct.unpack_from("<H", data, position + 6)[0]
        position = start + length
        meta[element] = data[start:position]
    return Part10(meta, data[position:])


def read_instance(path: Path) -> Instance:
    """Read a Part 10 file as an instance to send.

    Raises:
        ValueError: No preamble, or no SOP class, instance or transfer syntax in the file meta.
    """
    file = parse(path.read_bytes())
    identity = [file.uid(element) for element in (0x0002, 0x0003, 0x0010)]
    if not all(identity):
        raise ValueError("the file meta is incomplete")
    sop_class_uid, sop_instance_uid, transfer_syntax_uid = identity
    return Instance(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        pieces=((file.dataset, 1),),
        name=path.name,
    )
