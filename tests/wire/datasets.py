"""Datasets for the rows: a small image in three encodings with one thing about it that is odd."""

from __future__ import annotations

import struct

from tests.builders import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Writer, new_uid
from tests.wire.row import (
    CANARY,
    CT,
    ON_BIG_ENDIAN,
    ON_EXPLICIT,
    ON_IMPLICIT,
    ON_JPEG,
    Sent,
)

LITTLE, IMPLICIT, BIG = Writer(EXPLICIT_LITTLE), Writer(IMPLICIT_LITTLE), Writer(EXPLICIT_BIG)
WRITERS = {ON_EXPLICIT: LITTLE, ON_IMPLICIT: IMPLICIT, ON_BIG_ENDIAN: BIG, ON_JPEG: LITTLE}
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD


def marker(element: int, length: int) -> bytes:
    """Return an item or a delimiter (group FFFE), little endian."""
    return struct.pack("<HHL", 0xFFFE, element, length)


def image(
    uid: str,
    *,
    write: Writer = LITTLE,
    sop_class: str = CT.decode(),
    before_study: bytes = b"",
    study: str = "1.2.826.5",
    series: str = "1.2.826.6",
    patient: bytes | None = None,
    attributes: bytes | None = None,
    pixels: bytes | None = None,
) -> bytes:
    """Return an image whose patient's data is all canary.

    Args:
        uid: SOP Instance UID.
        write: Of the encoding.
        sop_class: SOP Class UID.
        before_study: Elements between group 0008 and the study, where the header walk passes.
        study: Study Instance UID, any text.
        series: Series Instance UID, any text.
        patient: Instead of the patient's group 0010.
        attributes: Instead of the image's group 0028.
        pixels: Instead of the whole Pixel Data element.
    """
    if patient is None:
        patient = (
            write.text(0x00100010, "PN", f"{CANARY}^A")
            + write.text(0x00100020, "LO", f"{CANARY}1")
            + write.text(0x00100030, "DA", CANARY)  # no date: a validator would quote it
        )
    if attributes is None:
        attributes = write.short(0x00280010, 4) + write.short(0x00280011, 4)
    if pixels is None:
        pixels = write.head(0x7FE00010, "OW", 32) + CANARY.encode().ljust(32)
    return b"".join(
        (
            write.text(0x00080016, "UI", sop_class),
            write.text(0x00080018, "UI", uid),
            before_study,
            patient,
            write.text(0x0020000D, "UI", study),
            write.text(0x0020000E, "UI", series),
            attributes,
            pixels,
        )
    )


def sent(context_id: int = ON_EXPLICIT, **odd: object) -> Sent:
    """Return a new instance for this context; `odd` are arguments of `image`."""
    uid = new_uid()
    dataset = image(uid, **{"write": WRITERS[context_id], **odd})  # type: ignore[arg-type]  # passed on
    return Sent(uid.encode(), dataset, context_id)


def sent_as(dataset: bytes, uid: str, context_id: int = ON_EXPLICIT) -> Sent:
    """Return a dataset as it is, sent under `uid`."""
    return Sent(uid.encode(), dataset, context_id)


def nested(depth: int) -> bytes:
    """Return sequences of undefined length within each other, each closed."""
    opening = LITTLE.head(0x00081140, "SQ", UNDEFINED) + marker(ITEM, UNDEFINED)
    return opening * depth + (marker(ITEM_END, 0) + marker(SEQUENCE_END, 0)) * depth
