"""The header walk against pydicom and against what hostile datasets hold."""

from __future__ import annotations

import itertools
import struct
import warnings
from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.reasons import WireReason
from receiver.header import (
    MAX_BYTES,
    MAX_ELEMENTS,
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    HeaderError,
    HeaderWalk,
)

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
TAGS = (SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)


def walk(
    dataset: bytes, syntax: str = EXPLICIT, cuts: tuple[int, ...] = ()
) -> dict[int, str] | tuple[WireReason, str]:
    """Feed `dataset` cut at `cuts`; return the UIDs found, or the reason and detail of the refusal."""
    header = HeaderWalk(syntax, pause=lambda: None)
    edges = [0, *sorted(cut % (len(dataset) + 1) for cut in cuts), len(dataset)]
    for start, end in itertools.pairwise(edges):
        header.feed(memoryview(dataset)[start:end])
    try:
        header.finish()
    except HeaderError as error:
        return error.reason, error.detail
    return header.uids


def reason(dataset: bytes, syntax: str = EXPLICIT) -> WireReason:
    outcome = walk(dataset, syntax)
    assert isinstance(outcome, tuple), outcome
    return outcome[0]


def explicit(group: int, element: int, vr: str, value: bytes) -> bytes:
    if vr in {"OB", "OW", "SQ", "UN", "UT"}:
        return struct.pack("<HH2sxxL", group, element, vr.encode(), len(value)) + value
    return struct.pack("<HH2sH", group, element, vr.encode(), len(value)) + value


def implicit(group: int, element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", group, element, len(value)) + value


def undefined(group: int, element: int, vr: str) -> bytes:
    return struct.pack("<HH2sxxL", group, element, vr.encode(), 0xFFFFFFFF)


def item(element: int, length: int = 0) -> bytes:
    return struct.pack("<HHL", 0xFFFE, element, length)


OPEN_ITEM = item(0xE000, 0xFFFFFFFF)
CLOSE_ITEM = item(0xE00D)
CLOSE_SEQUENCE = item(0xE0DD)
SOP = explicit(8, 0x16, "UI", b"1.2.3\0") + explicit(8, 0x18, "UI", b"1.2.4.56")
STUDY = explicit(0x20, 0xD, "UI", b"1.5\0") + explicit(0x20, 0xE, "UI", b"1.6\0")
GOOD = SOP + explicit(0x10, 0x10, "PN", b"A^B ") + STUDY
GOOD_UIDS = dict(zip(TAGS, ("1.2.3", "1.2.4.56", "1.5", "1.6"), strict=True))
PIXELS = explicit(0x7FE0, 0x10, "OW", bytes(64))


def _part10_files() -> list[tuple[str, str, bytes]]:
    """Return name, transfer syntax and dataset bytes of every Part 10 file that pydicom brings."""
    found = []
    for path in sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")):
        data = path.read_bytes()
        if data[128:132] != b"DICM":
            continue
        stream = BytesIO(data)
        try:
            pydicom.filereader.read_preamble(stream, force=False)
            meta = pydicom.filereader._read_file_meta_info(stream)
            syntax = str(meta.TransferSyntaxUID)
        except Exception:  # noqa: BLE001, S112 - a file that pydicom cannot read is no oracle
            continue
        if syntax != DEFLATED and "MediaStorageDirectory" not in str(
            meta.get("MediaStorageSOPClassUID")
        ):
            found.append((path.name, syntax, data[stream.tell() :]))
    return found


FILES = _part10_files()


def _oracle(syntax: str, dataset: bytes) -> dict[int, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = pydicom.filereader.read_dataset(
            BytesIO(dataset),
            is_implicit_VR=syntax == IMPLICIT,
            is_little_endian=syntax != BIG,
            stop_when=lambda tag, _vr, _length: tag > 0x0020_000E,
        )
        return {tag: str(read[tag].value) for tag in TAGS if tag in read and read[tag].value}


@pytest.mark.parametrize(("name", "syntax", "dataset"), FILES, ids=[f[0] for f in FILES])
def test_it_finds_what_pydicom_finds(name: str, syntax: str, dataset: bytes) -> None:
    """In pydicom's own test files the walk finds the same UIDs as pydicom."""
    if name == "SC_rgb_jpeg.dcm":  # implicit VR in spite of its transfer syntax, as row 38
        assert reason(dataset, syntax) is WireReason.TS_MISMATCH
        return
    expected = _oracle(syntax, dataset)
    outcome = walk(dataset, syntax)
    if SOP_CLASS_UID in expected and SOP_INSTANCE_UID in expected:
        assert outcome == expected
    else:
        assert outcome[0] is WireReason.UID_MISSING


def test_the_files_cover_all_three_encodings() -> None:
    """The oracle has enough files of each encoding to mean something."""
    syntaxes = [syntax for _, syntax, _ in FILES]
    assert len(syntaxes) > 60
    assert min(syntaxes.count(s) for s in (IMPLICIT, EXPLICIT, BIG)) >= 3


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "SC_rgb_jpeg_gdcm.dcm"]
)
def test_every_cut_gives_the_same(name: str) -> None:
    """Wherever the bytes are cut in two, and one by one, the walk finds the same."""
    syntax, dataset = next((s, d[:2500]) for n, s, d in FILES if n == name)
    whole = walk(dataset, syntax)
    assert isinstance(whole, dict)
    assert walk(dataset, syntax, tuple(range(len(dataset)))) == whole
    for cut in range(len(dataset)):
        assert walk(dataset, syntax, (cut,)) == whole


HOSTILE = {
    "empty": (b"", EXPLICIT, WireReason.EMPTY_DATASET),
    "one byte": (b"\x08", EXPLICIT, WireReason.TRUNCATED),
    "text": (b"GET / HTTP/1.1\r\nHost: example\r\n\r\n" * 8, EXPLICIT, WireReason.TS_MISMATCH),
    "explicit on implicit": (GOOD, IMPLICIT, WireReason.TS_MISMATCH),
    "implicit on explicit": (implicit(8, 0x16, b"1.2.3\0") + PIXELS, EXPLICIT, WireReason.TS_MISMATCH),
    "little on big": (GOOD, BIG, WireReason.TS_MISMATCH),
    "big on little": (struct.pack(">HH2sH", 8, 0x16, b"UI", 4) + b"1.2\0", EXPLICIT, WireReason.TS_MISMATCH),
    "preamble": (bytes(128) + b"DICM" + explicit(2, 0, "UL", bytes(4)) + GOOD, EXPLICIT, WireReason.META_IN_DATASET),
    "group 2": (explicit(2, 0x10, "UI", b"1.2\0") + GOOD, EXPLICIT, WireReason.META_IN_DATASET),
    "group 2 later": (SOP[:14] + explicit(2, 0x10, "UI", b"1.2\0") + GOOD, EXPLICIT, WireReason.META_IN_DATASET),
    "group 0": (implicit(0, 0, bytes(4)) + GOOD, EXPLICIT, WireReason.GROUP_0),
    "group 0 implicit": (implicit(0, 0x100, b"\1\0") + GOOD, IMPLICIT, WireReason.GROUP_0),
    "length beyond end": (SOP + explicit(0x10, 0x10, "PN", b"A^B ")[:-2], EXPLICIT, WireReason.TRUNCATED),
    "header cut": (SOP + b"\x10\0\x10", EXPLICIT, WireReason.TRUNCATED),
    "no SOP instance": (SOP[:14] + STUDY + PIXELS, EXPLICIT, WireReason.UID_MISSING),
    "empty SOP class": (explicit(8, 0x16, "UI", b"") + SOP[14:] + STUDY, EXPLICIT, WireReason.UID_MISSING),
    "not delimited": (SOP + undefined(8, 0x1140, "SQ") + OPEN_ITEM, EXPLICIT, WireReason.SEQ_BOMB),
    "too deep": (SOP + (undefined(8, 0x1140, "SQ") + OPEN_ITEM) * 10_000, EXPLICIT, WireReason.SEQ_BOMB),
    "item outside": (SOP + item(0xE000, 8) + bytes(8) + STUDY, EXPLICIT, WireReason.SEQ_BOMB),
    "element instead of item": (SOP + undefined(8, 0x1140, "SQ") + STUDY, EXPLICIT, WireReason.SEQ_BOMB),
    "delimiters crossed": (SOP + undefined(8, 0x1140, "SQ") + OPEN_ITEM + CLOSE_SEQUENCE, EXPLICIT, WireReason.SEQ_BOMB),
    "undefined OB alone": (SOP[:14] + undefined(8, 0x17, "UT") + SOP[14:], EXPLICIT, WireReason.TS_MISMATCH),
    "item length lies": (SOP + undefined(8, 0x1140, "SQ") + item(0xE000, 999) + CLOSE_SEQUENCE + STUDY, EXPLICIT, WireReason.TRUNCATED),
}  # fmt: skip


@pytest.mark.parametrize(("dataset", "syntax", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_dataset_is_named(dataset: bytes, syntax: str, expected: WireReason) -> None:
    """Rows 20 and 38 to 43: each broken dataset is refused with its reason."""
    assert reason(dataset, syntax) is expected


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "too deep"])
def test_a_refusal_does_not_depend_on_the_cuts(name: str) -> None:
    """Fed byte by byte, a broken dataset is refused for the same reason and detail."""
    dataset, syntax, _ = HOSTILE[name]
    assert walk(dataset, syntax, tuple(range(len(dataset)))) == walk(dataset, syntax)


NESTED = undefined(8, 0x1140, "SQ") + (OPEN_ITEM + SOP + CLOSE_ITEM) * 2 + CLOSE_SEQUENCE
ODD = {
    "padded with NUL": GOOD,
    "padded with blanks": GOOD.replace(b"1.2.3\0", b"1.2.3 "),
    "nested": SOP + NESTED + STUDY,
    "defined item": SOP + undefined(8, 0x1140, "SQ") + item(0xE000, len(SOP)) + SOP + CLOSE_SEQUENCE + STUDY,
    "64 deep": SOP + (undefined(8, 0x1140, "SQ") + OPEN_ITEM) * 64 + (CLOSE_ITEM + CLOSE_SEQUENCE) * 64 + STUDY,
    "UN of undefined length is implicit inside": SOP + undefined(9, 0x1010, "UN") + OPEN_ITEM + implicit(9, 0x10, b"AB") + CLOSE_ITEM + CLOSE_SEQUENCE + STUDY,
    "after a UN sequence": SOP + undefined(8, 0x1140, "UN") + OPEN_ITEM + implicit(9, 0x10, b"AB") + CLOSE_ITEM + CLOSE_SEQUENCE + explicit(0x10, 0x10, "PN", b"A^B ") * 3 + STUDY,
    "out of order": STUDY + explicit(0x28, 0x10, "US", b"\1\0") + SOP + PIXELS,
    "twice": SOP + SOP.replace(b"1.2.3", b"9.9.9") + STUDY,
    "odd length": SOP + explicit(0x10, 0x10, "PN", b"A^B") + STUDY,
    "unknown VR, short": SOP + explicit(9, 0x10, "??", b"abcd") + STUDY,
    "unknown VR, empty": SOP + explicit(9, 0x10, "ZZ", b"") + STUDY,
    "unknown VR, long": SOP + struct.pack("<HH2sxxL", 9, 0x10, b"ZZ", 6) + b"abcdef" + STUDY,
    "NUL VR": SOP + explicit(9, 0x10, "\0\0", b"abcd") + STUDY,
    "pixel data cut short": GOOD + PIXELS[:-40],
    "garbage after the series": GOOD + b"\xff" * 100,
}  # fmt: skip


@pytest.mark.parametrize("dataset", ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_accepted(dataset: bytes) -> None:
    """Rows 28, 39, 40, 44 and 45: odd but readable datasets are walked to their UIDs."""
    assert walk(dataset) == GOOD_UIDS
    assert walk(dataset, cuts=tuple(range(len(dataset)))) == GOOD_UIDS


def test_lost_after_an_unknown_vr_the_instance_is_still_known() -> None:
    """A private VR whose length misleads the walk costs the study, not the instance."""
    lost = SOP + struct.pack("<HH2sH", 9, 0x10, b"??", 3) + b"\xfe\xff\xdd\xe0\0\0\0\0" * 4
    assert walk(lost) == {SOP_CLASS_UID: "1.2.3", SOP_INSTANCE_UID: "1.2.4.56"}


@pytest.mark.parametrize("piece", [64, 4096, 262_144])
def test_a_million_elements_end_the_walk(piece: int) -> None:
    """Row 44: after 20,000 elements the study stays unknown and the instance is accepted."""
    private = explicit(9, 0x1001, "LO", b"ab") * 40_000
    dataset = SOP + private + STUDY
    header = HeaderWalk(EXPLICIT, pause=lambda: None)
    for start in range(0, len(dataset), piece):
        header.feed(memoryview(dataset)[start : start + piece])
    header.finish()
    assert header.elements <= MAX_ELEMENTS + 600
    assert set(header.uids) == {SOP_CLASS_UID, SOP_INSTANCE_UID}


def test_long_values_are_skipped_by_arithmetic_until_the_byte_budget() -> None:
    """A value longer than the budget ends the walk without the study, however long it goes on."""
    header = HeaderWalk(EXPLICIT)
    header.feed(memoryview(SOP + struct.pack("<HH2sxxL", 9, 0x1010, b"OB", 0xFFFFFFF0)))
    block = memoryview(bytes(1 << 20))
    for _ in range(MAX_BYTES // len(block) + 1):
        assert not header.done
        header.feed(block)
    assert header.done
    header.finish()
    assert header.elements == 3


def test_other_threads_get_a_turn_during_a_long_walk() -> None:
    """The walk pauses every few hundred elements."""
    pauses: list[int] = []
    header = HeaderWalk(EXPLICIT, pause=lambda: pauses.append(1))
    header.feed(memoryview(SOP + explicit(9, 0x1001, "LO", b"ab") * 10_000))
    assert len(pauses) >= 10


@settings(max_examples=300, deadline=None)
@given(
    dataset=st.one_of(
        st.binary(max_size=400),
        st.lists(st.sampled_from([SOP, STUDY, NESTED, OPEN_ITEM, CLOSE_ITEM, CLOSE_SEQUENCE, PIXELS, undefined(9, 1, "SQ"), explicit(9, 2, "??", b"x"), b"\0", b"\xfe\xff"]), max_size=12).map(b"".join),
    ),
    syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG]),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)  # fmt: skip
def test_any_bytes_cut_anywhere_end_the_same(dataset: bytes, syntax: str, cuts: list[int]) -> None:
    """Whatever the bytes, the walk ends in UIDs or a reason, and cuts make no difference."""
    assert walk(dataset, syntax, tuple(cuts)) == walk(dataset, syntax)
