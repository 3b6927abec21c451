"""Tiny DICOM objects made in code: no patient-like data, no binary blobs, megabytes in milliseconds."""

from __future__ import annotations

import hashlib
import itertools
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
BREAST_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
RETIRED_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6"
PRIVATE_SOP_CLASS = "1.3.46.670589.11.0.0.12.1"

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
RLE = "1.2.840.10008.1.2.5"
UNCOMPRESSED = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG)

_LONG_VRS = frozenset(
    {"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UN", "UR", "UT", "SV", "UV"}
)
_ZEROS = bytes(1 << 20)
_numbers = itertools.count(1)


def new_uid() -> str:
    """Return a UID never used before."""
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance ready to be sent: its identity and the bytes of its dataset.

    Attributes:
        pieces: The dataset's bytes as (bytes, how many times), so that 2 GB need no memory.
        name: What a test calls it.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    pieces: tuple[tuple[bytes, int], ...]
    name: str = field(default="", compare=False)

    @property
    def size(self) -> int:
        """Bytes of the dataset."""
        return sum(len(piece) * times for piece, times in self.pieces)

    @property
    def dataset(self) -> bytes:
        """The dataset in one piece."""
        return b"".join(piece * times for piece, times in self.pieces)

    def sha256(self) -> str:
        """Return the digest of the dataset."""
        digest = hashlib.sha256()
        for piece, times in self.pieces:
            for _ in range(times):
                digest.update(piece)
        return digest.hexdigest()

    def fragments(self, length: int) -> Iterator[bytes | memoryview]:
        """Yield the dataset in fragments of exactly `length` bytes, the last one shorter."""
        rest = bytearray()
        for piece, times in self.pieces:
            for _ in range(times):
                view = memoryview(piece)
                if rest:
                    taken = min(length - len(rest), len(view))
                    rest += view[:taken]
                    view = view[taken:]
                    if len(rest) == length:
                        yield bytes(rest)
                        rest.clear()
                while len(view) >= length:
                    yield view[:length]
                    view = view[length:]
                rest += view
        if rest:
            yield bytes(rest)


class Writer:
    """Writes data elements in one of the three plain encodings."""

    def __init__(self, transfer_syntax_uid: str) -> None:
        self.implicit = transfer_syntax_uid == IMPLICIT_LITTLE
        self.order = ">" if transfer_syntax_uid == EXPLICIT_BIG else "<"

    def head(self, tag: int, vr: str, length: int) -> bytes:
        """Return an element's tag, VR and length."""
        group, element = tag >> 16, tag & 0xFFFF
        if self.implicit:
            return struct.pack("<HHI", group, element, length)
        if vr in _LONG_VRS:
            return struct.pack(f"{self.order}HH2sxxI", group, element, vr.encode(), length)
        return struct.pack(f"{self.order}HH2sH", group, element, vr.encode(), length)

    def text(self, tag: int, vr: str, value: str) -> bytes:
        """Return an element of text, padded to an even length."""
        data = value.encode()
        if len(data) % 2:
            data += b"\0" if vr == "UI" else b" "
        return self.head(tag, vr, len(data)) + data

    def short(self, tag: int, value: int) -> bytes:
        """Return an element of VR US."""
        return self.head(tag, "US", 2) + struct.pack(f"{self.order}H", value)


def make_instance(
    *,
    size: int = 2048,
    sop_class_uid: str = CT_IMAGE,
    transfer_syntax_uid: str = EXPLICIT_LITTLE,
    sop_instance_uid: str = "",
    study_instance_uid: str = "",
    series_instance_uid: str = "",
    patient_id: str = "",
    dataset_uid: str | None = None,
) -> Instance:
    """Make a small image whose pixel data fills it to about `size` bytes.

    Args:
        size: Wanted bytes of the dataset; never less than its header.
        sop_class_uid: Any, also private ones.
        transfer_syntax_uid: An encapsulated one gets pixel data in one fragment of noise.
        sop_instance_uid: A new one if empty.
        study_instance_uid: A new one if empty.
        series_instance_uid: A new one if empty.
        patient_id: Invented if empty; instances of a study must share theirs to be imported together.
        dataset_uid: What the dataset says (0008,0018) is, where it shall differ from the command.
    """
    uid = sop_instance_uid or new_uid()
    plain = transfer_syntax_uid in UNCOMPRESSED
    write = Writer(transfer_syntax_uid if plain else EXPLICIT_LITTLE)
    head = b"".join((
        write.text(0x00080016, "UI", sop_class_uid),
        write.text(0x00080018, "UI", uid if dataset_uid is None else dataset_uid),
        write.text(0x00080060, "CS", "CT"),
        write.text(0x00100010, "PN", ""),
        write.text(0x00100020, "LO", patient_id or f"TEST{next(_numbers)}"),
        write.text(0x0020000D, "UI", study_instance_uid or new_uid()),
        write.text(0x0020000E, "UI", series_instance_uid or new_uid()),
        write.text(0x00200013, "IS", "1"),
        write.short(0x00280002, 1),
        write.text(0x00280004, "CS", "MONOCHROME2"),
        write.short(0x00280010, 512),
        write.short(0x00280011, min(max(1, size // 1024), 65_535)),
        write.short(0x00280100, 16),
        write.short(0x00280101, 12),
        write.short(0x00280102, 11),
        write.short(0x00280103, 0),
    ))  # fmt: skip
    pixels = max(2, size - len(head) - 12) // 2 * 2
    # Bytes of its own in front: two instances of a size never have the same pixels.
    seed = uuid.uuid4().bytes[: min(16, pixels)]
    body = ((seed, 1), *_zeros(pixels - len(seed)))
    if plain:
        pieces = ((head + write.head(0x7FE00010, "OW", pixels), 1), *body)
    else:
        opening = (
            write.head(0x7FE00010, "OB", 0xFFFFFFFF)
            + struct.pack("<HHI", 0xFFFE, 0xE000, 0)  # an empty Basic Offset Table
            + struct.pack("<HHI", 0xFFFE, 0xE000, pixels)
        )
        pieces = ((head + opening, 1), *body, (struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), 1))
    return Instance(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=uid,
        transfer_syntax_uid=transfer_syntax_uid,
        pieces=tuple(piece for piece in pieces if piece[0] and piece[1]),
    )


def _zeros(count: int) -> tuple[tuple[bytes, int], ...]:
    whole, rest = divmod(count, len(_ZEROS))
    return ((_ZEROS, whole), (_ZEROS[:rest], 1))


def file_meta(instance: Instance) -> bytes:
    """Return preamble and group 2 as a sender's file would have them."""
    write = Writer(EXPLICIT_LITTLE)
    group = b"".join((
        write.head(0x00020001, "OB", 2) + b"\x00\x01",
        write.text(0x00020002, "UI", instance.sop_class_uid),
        write.text(0x00020003, "UI", instance.sop_instance_uid),
        write.text(0x00020010, "UI", instance.transfer_syntax_uid),
        write.text(0x00020012, "UI", "2.25.1"),
    ))  # fmt: skip
    length = write.head(0x00020000, "UL", 4) + struct.pack("<I", len(group))
    return bytes(128) + b"DICM" + length + group


def write_part10(instance: Instance, path: Path) -> Path:
    """Write the instance as a Part 10 file."""
    with path.open("wb") as file:
        file.write(file_meta(instance))
        for piece, times in instance.pieces:
            for _ in range(times):
                file.write(piece)
    return path


def write_series(directory: Path, count: int, *, size: int = 2048, **kwargs: str) -> list[Instance]:
    """Write `count` instances of one new series as files and return them in the files' order."""
    shared = {
        "study_instance_uid": new_uid(),
        "series_instance_uid": new_uid(),
        "patient_id": f"TEST{next(_numbers)}",
    }
    made = [make_instance(size=size, **shared, **kwargs) for _ in range(count)]
    for number, instance in enumerate(made):
        write_part10(instance, directory / f"{number:05d}.dcm")
    return made
