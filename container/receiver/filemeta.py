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
    before, after = _around_instance(sop_class_uid, transfer_syntax_uid)
    group = before + _uid(0x0003, sop_instance_uid) + after
    return _PREAMBLE + _SHORT.pack(2, 0, b"UL", 4) + struct.pack("<I", len(group)) + group


@lru_cache(maxsize=256)
def _around_instance(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    version = _LONG.pack(2, 0x0001, b"OB", 0, 2) + b"\x00\x01"
    before = version + _uid(0x0002, sop_class_uid)
    after = (
        _uid(0x0010, transfer_syntax_uid)
        + _uid(0x0012, IMPLEMENTATION_CLASS_UID)
        + _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" ")
    )
    return before, after


def _uid(element: int, value: str) -> bytes:
    return _text(element, b"UI", value, b"\0")


def _text(element: int, vr: bytes, value: str, pad: bytes) -> bytes:
    data = value.encode("latin-1", "replace")
    if len(data) % 2:
        data += pad
    return _SHORT.pack(2, element, vr, len(data)) + data
