"""Tiny Part 10 files for the double's tests, encoded by hand so that they may be as wrong as needed."""

from __future__ import annotations

import struct

ROOT = "1.2.826.0.1.3680043.10.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def part10(
    *,
    sop: str = f"{ROOT}.3",
    series: str = f"{ROOT}.2",
    study: str = f"{ROOT}.1",
    patient_id: str = "CANARY",
    transfer_syntax: str = EXPLICIT_LITTLE_ENDIAN,
    description: str = "",
    accession_number: str = "",
    without: tuple[str, ...] = (),
) -> bytes:
    """Return a file with an explicit VR little endian dataset; elements named in `without` are left out."""
    meta = {
        "MediaStorageSOPClassUID": (0x00020002, "UI", SECONDARY_CAPTURE),
        "MediaStorageSOPInstanceUID": (0x00020003, "UI", sop),
        "TransferSyntaxUID": (0x00020010, "UI", transfer_syntax),
    }
    dataset = {
        "SOPClassUID": (0x00080016, "UI", SECONDARY_CAPTURE),
        "SOPInstanceUID": (0x00080018, "UI", sop),
        "AccessionNumber": (0x00080050, "SH", accession_number),
        "StudyDescription": (0x00081030, "LO", description),
        "PatientID": (0x00100020, "LO", patient_id),
        "StudyInstanceUID": (0x0020000D, "UI", study),
        "SeriesInstanceUID": (0x0020000E, "UI", series),
        "SeriesNumber": (0x00200011, "IS", "1"),
    }
    group = b"".join(_element(*meta[name]) for name in meta if name not in without)
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(group))
    body = b"".join(_element(*dataset[name]) for name in dataset if name not in without)
    return bytes(128) + b"DICM" + length + group + body


def _element(tag: int, vr: str, value: str) -> bytes:
    data = value.encode("ascii")
    data += (b"\0" if vr == "UI" else b" ") * (len(data) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(data)) + data
