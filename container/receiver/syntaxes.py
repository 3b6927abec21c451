"""Which transfer syntaxes and abstract syntaxes are accepted, and what a UID may look like on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class

from contract.reasons import WireReason

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The DICOM application context name (PS3.7 A.2.1), the only one."""
VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""Its one well-known instance (PS3.4 J.3.5)."""
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
MESSAGE_SYNTAXES = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)
"""For data sets that are no images."""

TRANSFER_SYNTAXES = {
    IMPLICIT_VR_LITTLE_ENDIAN: "Implicit VR Little Endian",
    EXPLICIT_VR_LITTLE_ENDIAN: "Explicit VR Little Endian",
    EXPLICIT_VR_BIG_ENDIAN: "Explicit VR Big Endian (retired)",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 and 4)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless (Process 14)",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless (Process 14, Selection Value 1)",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless Only",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.92": "JPEG 2000 Part 2 Multi-component Lossless Only",
    "1.2.840.10008.1.2.4.93": "JPEG 2000 Part 2 Multi-component",
    "1.2.840.10008.1.2.4.100": "MPEG2 Main Profile / Main Level",
    "1.2.840.10008.1.2.4.100.1": "Fragmentable MPEG2 Main Profile / Main Level",
    "1.2.840.10008.1.2.4.101": "MPEG2 Main Profile / High Level",
    "1.2.840.10008.1.2.4.101.1": "Fragmentable MPEG2 Main Profile / High Level",
    "1.2.840.10008.1.2.4.102": "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.102.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.103": "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.103.1": "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.104": "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    "1.2.840.10008.1.2.4.104.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    "1.2.840.10008.1.2.4.105": "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    "1.2.840.10008.1.2.4.105.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    "1.2.840.10008.1.2.4.106": "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    "1.2.840.10008.1.2.4.106.1": "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    "1.2.840.10008.1.2.4.107": "HEVC/H.265 Main Profile / Level 5.1",
    "1.2.840.10008.1.2.4.108": "HEVC/H.265 Main 10 Profile / Level 5.1",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 Lossless Only",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 with RPCL Options Lossless Only",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
    "1.2.840.10008.1.2.5": "RLE Lossless",
}
"""What HealthImaging imports, all but Deflated (1.2.840.10008.1.2.1.99): the header of a deflated dataset
cannot be walked without inflating it, and 300 KB of it may be 300 MB. The list is closed: an invented
syntax is refused at negotiation (result 4), not stored in the hope that somebody reads it."""

_MAX_UID = 64
_UID = re.compile(rb"[0-9.]{1,64}")
_UID_LIKE = re.compile(r"[0-9. \\]*")
"""Digits and dots; blanks and several values too, which tell what is wrong with a device."""
_LONG_UID = re.compile(r"[0-9.]{1,256}")
"""HealthImaging takes Study and Series Instance UIDs of up to 256 characters."""


def _non_storage() -> frozenset[str]:
    """Return every registered UID that names no storage SOP class.

    A denial list, because retired, private and future storage classes must pass, whereas what is known
    to be another service can be refused by name. pydicom's registry of UIDs is wider than pynetdicom's
    tables of services; the tables know services that are named like storage (media, non-patient queries).
    """
    storage = set(sop_class._STORAGE_CLASSES.values())  # noqa: SLF001 - its only form
    other = {
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind != "SOP Class" or (name and "Storage" not in name)
    }
    services: Iterable[dict[str, str]] = (
        table
        for name, table in vars(sop_class).items()
        if name.endswith("_CLASSES") and "STORAGE_CLASSES" not in name and isinstance(table, dict)
    )
    for table in services:
        other.update(uid for key, uid in table.items() if not key.endswith("Storage"))
    other.update(sop_class._MEDIA_STORAGE_CLASSES.values())  # noqa: SLF001 - likewise
    other.update((STORAGE_COMMITMENT, "1.2.840.10008.1.20.2"))
    return frozenset(other - storage)


NON_STORAGE = _non_storage()
"""Registered UIDs that no storage context may propose; Verification is among them."""


def uid_text(raw: bytes) -> str:
    """Return a UID as text, its padding removed.

    One NUL is the legal padding (PS3.5 9.1); blanks and more NULs are what some devices pad with.
    Other bytes stay visible as escapes: the result is safe to compare and, shortened, to log.
    """
    return raw.rstrip(b"\0 ").decode("ascii", "backslashreplace")


def shown_uid(raw: bytes) -> str:
    """Return a UID fit for a log line, a record or a file meta: at most 64 characters of what UIDs are made of.

    Empty if it is anything else: a device that fills in a name sends a patient's.
    """
    text = uid_text(raw)
    return text.replace("\\", "\\\\")[:_MAX_UID] if _UID_LIKE.fullmatch(text) else ""


def known_uid(text: str) -> str:
    """Return a Study or Series Instance UID as HealthImaging would take it; empty if it is no UID."""
    return text if _LONG_UID.fullmatch(text) else ""


def uid_fault(raw: bytes) -> WireReason | None:
    """Return why a UID from a command set cannot be used, None if it can.

    Lenient where real modalities are wrong (a component with a leading zero, an empty component), strict
    where the value could be taken for something else than a UID.
    """
    value = raw.rstrip(b"\0 ")
    if _UID.fullmatch(value):
        return None
    if not value:
        return WireReason.UID_MISSING
    if b"\\" in value and re.fullmatch(rb"[0-9.\\ ]+", value):
        return WireReason.UID_VM
    if len(value) > _MAX_UID:
        return WireReason.UID_LONG
    return WireReason.UID_SYNTAX
