"""Action Information: what pydicom writes is read, what is wrong is refused, and nothing is believed."""

from __future__ import annotations

import struct
import time

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.dsutils import encode

from receiver.commitment.action import (
    MAX_ACTION_BYTES,
    MAX_DEPTH,
    MAX_REFERENCES,
    ActionError,
    Reference,
    TooManyError,
    decode_action,
)
from tests.builders import CT_IMAGE, new_uid

ENCODINGS = pytest.mark.parametrize("encoding", ["implicit", "explicit"])
TRANSACTION = "1.2.3.4"


def references(count: int) -> list[Reference]:
    """Return as many references to new instances."""
    return [Reference(CT_IMAGE, new_uid()) for _ in range(count)]


def action(asked: list[Reference], *, undefined: bool = False, **others: object) -> Dataset:
    """Return an Action Information."""
    dataset = Dataset()
    dataset.TransactionUID = TRANSACTION
    items = []
    for reference in asked:
        item = Dataset()
        item.ReferencedSOPClassUID = reference.sop_class_uid
        item.ReferencedSOPInstanceUID = reference.sop_instance_uid
        item.StorageMediaFileSetID = "TAPE"  # a device may say where it has a copy
        item.is_undefined_length_sequence_item = undefined
        items.append(item)
    dataset.ReferencedSOPSequence = Sequence(items)
    dataset["ReferencedSOPSequence"].is_undefined_length = undefined
    for name, value in others.items():
        setattr(dataset, name, value)
    return dataset


def encoded(dataset: Dataset, *, implicit: bool) -> bytes:
    """Return a data set's bytes."""
    data = encode(dataset, implicit, True)  # noqa: FBT003 - the library's signature
    assert data is not None
    return data


@ENCODINGS
@pytest.mark.parametrize("lengths", ["undefined", "defined"])
def test_what_pydicom_writes_is_read(encoding: str, lengths: str) -> None:
    """Both encodings, both kinds of sequence, elements that nobody asked for in between."""
    implicit, undefined = encoding == "implicit", lengths == "undefined"
    asked = references(7)
    nested = Dataset()
    nested.ReferencedSOPSequence = Sequence([Dataset()])
    dataset = action(asked, undefined=undefined, StorageMediaFileSetUID="1.2")
    dataset.ReferencedSeriesSequence = Sequence([nested])
    dataset["ReferencedSeriesSequence"].is_undefined_length = undefined

    found = decode_action(encoded(dataset, implicit=implicit), implicit=implicit)

    assert found.transaction_uid == TRANSACTION
    assert list(found.references) == asked


@ENCODINGS
def test_every_cut_is_refused_or_harmless(encoding: str) -> None:
    """Whatever its end lacks, the answer is an action or an error of ours, never another."""
    implicit = encoding == "implicit"
    data = encoded(action(references(2), undefined=True), implicit=implicit)

    for end in range(len(data)):
        with pytest.raises(ActionError):
            decode_action(data[:end], implicit=implicit)


@ENCODINGS
@pytest.mark.parametrize(
    ("keyword", "value", "says"),
    [
        ("TransactionUID", "", "Transaction UID"),
        ("TransactionUID", "abc", "Transaction UID"),
        ("TransactionUID", "1" * 65, "Transaction UID"),
        ("ReferencedSOPSequence", Sequence([]), "Referenced SOP Sequence"),
        ("ReferencedSOPSequence", Sequence([Dataset()]), "lacks"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, about these values
def test_what_lacks_something_is_refused(
    keyword: str, value: object, says: str, encoding: str
) -> None:
    """The message names the tag, never the value."""
    implicit = encoding == "implicit"
    dataset = action(references(1))
    setattr(dataset, keyword, value)
    data = encoded(dataset, implicit=implicit)

    with pytest.raises(ActionError, match=says) as refused:
        decode_action(data, implicit=implicit)

    assert "abc" not in str(refused.value)


def test_a_uid_of_real_devices_is_taken() -> None:
    """A leading zero in a component, NULs and blanks as padding."""
    item = _element(0x0008, 0x1150, b"1.2.840.01\0\0") + _element(0x0008, 0x1155, b"1.2.003 ")
    sequence = _element(0xFFFE, 0xE000, item)
    data = _element(0x0008, 0x1195, b"1.02") + _element(0x0008, 0x1199, sequence)

    found = decode_action(data, implicit=True)

    assert found.references == (Reference("1.2.840.01", "1.2.003"),)


def test_an_element_may_not_reach_over_the_end_of_its_item() -> None:
    """Lengths that contradict each other are no reading matter."""
    item = struct.pack("<HHL", 0x0008, 0x1150, 40) + b"1.2"
    data = _element(0x0008, 0x1199, _element(0xFFFE, 0xE000, item)) + bytes(64)

    with pytest.raises(ActionError):
        decode_action(data, implicit=True)


def test_a_length_beyond_the_end_is_refused_before_it_is_believed() -> None:
    """Nothing is allocated for it."""
    with pytest.raises(ActionError, match="longer than the rest"):
        decode_action(struct.pack("<HHL", 0x0008, 0x1195, 0x7FFFFFFF), implicit=True)


def test_nesting_is_limited() -> None:
    """Sequences in sequences are read over without recursion, to a depth."""
    opening = struct.pack("<HHL", 0x0040, 0xA730, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )

    with pytest.raises(ActionError, match="deeper"):
        decode_action(opening * MAX_DEPTH, implicit=True)


def test_too_many_references_are_told_apart_from_nonsense() -> None:
    """The device can ask in parts."""
    assert len(_decoded(MAX_REFERENCES)) == MAX_REFERENCES
    with pytest.raises(TooManyError):
        _decoded(MAX_REFERENCES + 1)


def test_the_longest_request_fits_the_limit_and_is_read_fast() -> None:
    """MAX_REFERENCES with UIDs of 64 characters; a request of tiny items costs no more."""
    item = _element(0x0008, 0x1150, b"1" * 64) + _element(0x0008, 0x1155, b"1" * 64)
    assert MAX_REFERENCES * len(_element(0xFFFE, 0xE000, item)) < MAX_ACTION_BYTES / 2
    tiny = _element(0x0008, 0x1199, _element(0xFFFE, 0xE000, b"") * (MAX_ACTION_BYTES // 8 - 2))
    began = time.process_time()

    with pytest.raises(ActionError):
        decode_action(tiny, implicit=True)

    assert time.process_time() - began < 1


def _decoded(count: int) -> tuple[Reference, ...]:
    item = _element(0x0008, 0x1150, b"1.2 ") + _element(0x0008, 0x1155, b"1.3 ")
    sequence = _element(0x0008, 0x1199, _element(0xFFFE, 0xE000, item) * count)
    return decode_action(_element(0x0008, 0x1195, b"1.4 ") + sequence, implicit=True).references


def _element(group: int, element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", group, element, len(value)) + value
