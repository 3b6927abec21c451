"""Rows 33 to 49: data sets. Refused is what cannot be the instance that its command says; no pixel is read."""

from __future__ import annotations

import struct

from contract.reasons import WireReason as R
from tests.builders import DEFLATED, new_uid
from tests.receiver import wire
from tests.wire.datasets import (
    BIG,
    IMPLICIT,
    ITEM,
    ITEM_END,
    LITTLE,
    SEQUENCE_END,
    UNDEFINED,
    image,
    marker,
    nested,
    sent,
    sent_as,
)
from tests.wire.peer import CLOSED, RELEASED, Peer, accepted
from tests.wire.row import (
    CANARY,
    CT,
    MR,
    ON_BIG_ENDIAN,
    ON_IMPLICIT,
    ON_JPEG,
    Row,
    Sent,
    not_stored,
    stored,
)

TWICE = sent()
UID = new_uid()
OPEN_SEQUENCE = LITTLE.head(0x00081140, "SQ", UNDEFINED)
PRIVATE_ELEMENTS = b"".join(
    struct.pack("<HH2sHH", 0x0009, n & 0xFFFF, b"US", 2, 1) for n in range(0x1000, 0xFFFF)
)


def _offer(number: int, name: str, syntax: bytes, result: int) -> Row:
    """Return a case in which only this transfer syntax is proposed."""

    def propose(peer: Peer) -> None:
        peer.send(wire.associate(wire.context(1, CT, syntax)))
        assert peer.answer() == accepted(result)
        peer.send(wire.RELEASE)
        assert [peer.answer(), peer.answer()] == [RELEASED, CLOSED]

    return Row(number=number, name=name, play=propose)


def _header(number: int, name: str, reason: R, **odd: object) -> Row:
    """Return a case whose data set breaks the header walk."""
    return not_stored(number, name, sent(**odd), 0xC000, reason)  # type: ignore[arg-type]  # passed on


def _accepted(number: int, name: str, context_id: int = 1, **odd: object) -> Row:
    return stored(number, name, sent(context_id, **odd))


def _encoded(name: str, bytes_of: int, sent_on: int, reason: R = R.TS_MISMATCH) -> Row:
    """Return a case of row 38: a data set encoded for one context and sent on another."""
    other = sent(bytes_of)
    return not_stored(38, name, Sent(other.uid, other.dataset, sent_on), 0xC000, reason)


def _pixels(*fragments: bytes, delimiter: bool = True) -> bytes:
    """Return encapsulated Pixel Data: a Basic Offset Table and fragments as given."""
    return (
        LITTLE.head(0x7FE00010, "OB", UNDEFINED)
        + b"".join(marker(ITEM, len(fragment)) + fragment for fragment in fragments)
        + (marker(SEQUENCE_END, 0) if delimiter else b"")
    )


def _patient(name: bytes, charset: bytes = b"") -> bytes:
    """Return the patient's elements with a name of any bytes."""
    text = LITTLE.head(0x00080005, "CS", len(charset)) + charset if charset else b""
    return text + LITTLE.head(0x00100010, "PN", len(name)) + name


def _attributes(**shorts: int) -> bytes:
    tags = {"rows": 0x00280010, "columns": 0x00280011, "bits": 0x00280100}
    return b"".join(LITTLE.short(tags[name], value) for name, value in shorts.items())


ROWS = (
    _accepted(33, "study with slashes", study="1/../%2e%2e/2"),
    _accepted(33, "study of 1 KiB", study="1." * 512),
    _accepted(
        33, "patient id", patient=LITTLE.text(0x00100020, "LO", f"../../{CANARY}%2e\x7f{{}}")
    ),
    stored(34, "same bytes twice", TWICE, TWICE, objects=(1, 2)),
    stored(35, "other bytes", sent_as(image(UID), UID), sent_as(image(UID, series="1.2.9"), UID)),
    stored(
        36,
        "two studies",
        sent_as(image(UID, study="1.2.826.36.1"), UID),
        sent_as(image(UID, study="1.2.826.36.2"), UID),
    ),
    not_stored(37, "instance", sent_as(image("1.2.3.99"), "1.2.3"), 0xA900, R.UID_MISMATCH),
    not_stored(
        37, "class", sent_as(image("1.2.3", sop_class=MR.decode()), "1.2.3"), 0xA900, R.UID_MISMATCH
    ),
    not_stored(37, "one digit longer", sent_as(image("1.2.31"), "1.2.3"), 0xA900, R.UID_MISMATCH),
    _encoded("explicit on implicit", 1, ON_IMPLICIT),
    _encoded("implicit on explicit", ON_IMPLICIT, 1),
    _encoded("big endian on little", ON_BIG_ENDIAN, 1),
    _encoded("little endian on big", 1, ON_BIG_ENDIAN),
    _encoded("implicit on JPEG", ON_IMPLICIT, ON_JPEG),
    _accepted(
        38, "JPEG pixels on uncompressed: beyond the header", pixels=_pixels(b"", b"\xff\xd8")
    ),
    _accepted(38, "implicit as it should be", ON_IMPLICIT, write=IMPLICIT),
    _accepted(38, "big endian as it should be", ON_BIG_ENDIAN, write=BIG),
    _header(
        39, "length beyond the end", R.TRUNCATED, before_study=LITTLE.head(0x00081030, "LO", 60_000)
    ),
    _header(
        39,
        "32-bit length beyond the end",
        R.TRUNCATED,
        before_study=LITTLE.head(0x00091010, "OB", 0x7FFFFFFF),
    ),
    not_stored(39, "ends within a UID", sent_as(image(UID)[:60], UID), 0xC000, R.TRUNCATED),
    _accepted(39, "pixel data short", pixels=LITTLE.head(0x7FE00010, "OW", 1 << 20) + bytes(100)),
    _accepted(39, "odd length", before_study=LITTLE.head(0x00081030, "LO", 3) + b"abc"),
    _header(40, "10,000 deep", R.SEQ_BOMB, before_study=nested(10_000)),
    _header(40, "never closed", R.SEQ_BOMB, before_study=OPEN_SEQUENCE + marker(ITEM, UNDEFINED)),
    _header(
        40, "item too long", R.TRUNCATED, before_study=OPEN_SEQUENCE + marker(ITEM, 0x7FFFFFFF)
    ),
    _header(
        40, "closed twice", R.SEQ_BOMB, before_study=OPEN_SEQUENCE + marker(SEQUENCE_END, 0) * 2
    ),
    _header(
        40, "item end without item", R.SEQ_BOMB, before_study=OPEN_SEQUENCE + marker(ITEM_END, 0)
    ),
    _accepted(40, "60 deep", before_study=nested(60)),
    _accepted(40, "group length lies", before_study=LITTLE.head(0x00090000, "UL", 4) + b"\xff" * 4),
    _offer(41, "deflated", DEFLATED.encode(), 4),
    not_stored(
        42,
        "a Part 10 file",
        sent_as(bytes(128) + b"DICM" + image(UID), UID),
        0xC000,
        R.META_IN_DATASET,
    ),
    not_stored(
        42,
        "group 0002",
        sent_as(LITTLE.text(0x00020010, "UI", "1.2.840.10008.1.2.1") + image(UID), UID),
        0xC000,
        R.META_IN_DATASET,
    ),
    _header(
        42,
        "group 0002 within",
        R.META_IN_DATASET,
        before_study=LITTLE.text(0x00020010, "UI", "1.2"),
    ),
    not_stored(
        43,
        "first",
        sent_as(LITTLE.head(0x00000100, "US", 2) + b"\x01\0" + image(UID), UID),
        0xC000,
        R.GROUP_0,
    ),
    _header(43, "within", R.GROUP_0, before_study=LITTLE.head(0x00000100, "US", 2) + b"\x01\0"),
    _accepted(44, "VR ??", before_study=struct.pack("<HH2sH", 0x0009, 0x1010, b"??", 4) + b"abcd"),
    _accepted(
        44, "VR of NULs", before_study=struct.pack("<HH2sH", 0x0009, 0x1010, b"\0\0", 4) + b"abcd"
    ),
    _accepted(44, "a million private elements", before_study=PRIVATE_ELEMENTS * 17),
    _accepted(
        44,
        "40 MiB private OB",
        before_study=LITTLE.head(0x00091010, "OB", 40 << 20) + bytes(40 << 20),
    ),
    _accepted(45, "duplicate", before_study=LITTLE.text(0x00080060, "CS", "CT") * 2),
    _accepted(
        45,
        "out of order",
        before_study=LITTLE.text(0x00100040, "CS", "O") + LITTLE.text(0x00080060, "CS", "CT"),
    ),
    _accepted(46, "65535 squared", attributes=_attributes(rows=65_535, columns=65_535)),
    _accepted(46, "2**31 frames", attributes=LITTLE.text(0x00280008, "IS", "2147483648")),
    _accepted(46, "UL instead of US", attributes=LITTLE.head(0x00280010, "UL", 4) + b"\xff" * 4),
    *(
        _accepted(47, f"{bits} bits", attributes=_attributes(rows=4, columns=4, bits=bits))
        for bits in (0, 1, 64)
    ),
    _accepted(
        47,
        "palette",
        attributes=_attributes(rows=4, columns=4) + LITTLE.text(0x00280004, "CS", "PALETTE COLOR"),
    ),
    _accepted(48, "offset table lies", ON_JPEG, pixels=_pixels(b"\xff" * 8, b"\xff\xd8\xff\xd9")),
    _accepted(48, "no fragment", ON_JPEG, pixels=_pixels()),
    _accepted(
        48, "no delimiter", ON_JPEG, pixels=_pixels(b"", b"\xff\xd8\xff\xd9", delimiter=False)
    ),
    _accepted(
        49, "bogus character set", patient=_patient(CANARY.encode() + b"^", b"ISO_IR 999999 ")
    ),
    _accepted(
        49,
        "invalid UTF-8",
        patient=_patient(b"\xff\xfe\xc3(" + CANARY.encode() + b" ", b"ISO_IR 192"),
    ),
    _accepted(
        49,
        "ISO 2022",
        patient=_patient(b"\x1b$B;3ED\x1b(J" + CANARY.encode(), b"\\ISO 2022 IR 87 "),
    ),
    _accepted(49, "64 KiB name", patient=_patient((CANARY * 6000).encode()[:65_534])),
)
