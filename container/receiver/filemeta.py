"""The Part 10 file meta information that we put before a dataset.

A frozen function of (SOP class, SOP instance, transfer syntax): the same dataset sent twice is the same
object with the same checksum, whichever release received it. So nothing here may change with a
release: no version number, no AE title, no date.
"""

from __future__ import annotations

import struct
from functools import lru_cache

IMPLEMENTATION_CLASS_UID = "2.25.209533742178154806322817294156387140651"
"""Ours, derived from a UUID (PS3.5 B.2)."""
IMPLEMENTATION_VERSION_NAME = "STORESCP_1"
"""Version of this file's layout, not of the release."""

_PREAMBLE = bytes(128) + b"DICM"
_SHORT = struct.Struct("<HH2sH")  # explicit VR little endian, VR with a 16-bit length (PS3.5 7.1.2)
_LONG = struct.Struct("<HH2sHI")  # VR with a 32-bit length


def file_meta(*, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and group 0002 (PS3.10 7.1).

    The UIDs are written as they came, only padded: they may break PS3.5 9.1, and an importer shall see
    the same text as in the dataset. Text beyond ASCII cannot come from a checked command set; it would
    be written as its Latin-1 bytes.
    """
    instance = _padded(sop_instance_uid, b"\0")
    before, after = around_instance(sop_class_uid, len(instance), transfer_syntax_uid)
    return before + instance + after


@lru_cache(maxsize=256)
def around_instance(
    sop_class_uid: str, instance_length: int, transfer_syntax_uid: str
) -> tuple[bytes, bytes]:
    """Return all that comes before the value of Media Storage SOP Instance UID, and all after it.

    Its length stands in the first: at its end, and in the group's length (0002,0000).
    """
    version = _LONG.pack(2, 0x0001, b"OB", 0, 2) + b"\x00\x01"
    before = version + _uid(0x0002, sop_class_uid) + _SHORT.pack(2, 0x0003, b"UI", instance_length)
    after = (
        _uid(0x0010, transfer_syntax_uid)
        + _uid(0x0012, IMPLEMENTATION_CLASS_UID)
        + _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" ")
    )
    length = struct.pack("<I", len(before) + instance_length + len(after))
    return _PREAMBLE + _SHORT.pack(2, 0, b"UL", 4) + length + before, after


def _uid(element: int, value: str) -> bytes:
    return _text(element, b"UI", value, b"\0")


def _text(element: int, vr: bytes, value: str, pad: bytes) -> bytes:
    data = _padded(value, pad)
    return _SHORT.pack(2, element, vr, len(data)) + data


def _padded(value: str, pad: bytes) -> bytes:
    data = value.encode("latin-1", "replace")
    return data + pad if len(data) % 2 else data
