"""The Event Information of the answer (PS3.4 table J.3-2)."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.dsutils import encode

from receiver.commitment.action import Reference
from receiver.commitment.documents import Request, Result
from receiver.syntaxes import STORAGE_COMMITMENT

INSTANCE = "1.2.840.10008.1.20.1.1"
"""Storage Commitment Push Model SOP Instance, the only one (PS3.4 J.3.5)."""
SOP_CLASS = STORAGE_COMMITMENT
REQUEST_STORAGE_COMMITMENT = 1
"""Action Type ID (PS3.4 table J.3-1)."""
ALL_COMMITTED = 1
SOME_FAILED = 2
"""Event Type IDs (PS3.4 table J.3-2)."""


def take_any_uid() -> None:
    """Let pydicom send back what a device calls its images, a leading zero in a component and all.

    For the whole process, which does nothing else with pydicom: its context manager is not for threads.
    """
    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE


def make_report(request: Request, result: Result) -> tuple[int, Dataset]:
    """Return the Event Type ID and the Event Information that answer `request`."""
    report = Dataset()
    report.TransactionUID = request.transaction_uid
    committed = [r for n, r in enumerate(request.references) if n not in result.failures]
    if committed:
        report.ReferencedSOPSequence = Sequence(map(_item, committed))
    if result.failures:
        report.FailedSOPSequence = Sequence(_failed(request.references, result))
    return (SOME_FAILED if result.failures else ALL_COMMITTED), report


def encode_report(report: Dataset, *, implicit: bool) -> bytes:
    """Return the Event Information's bytes.

    Raises:
        ValueError: It cannot be encoded.
    """
    encoded: bytes | None = encode(report, implicit, True)  # noqa: FBT003 - the library's signature
    if encoded is None:
        raise ValueError("the Event Information cannot be encoded")
    return encoded


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _failed(references: tuple[Reference, ...], result: Result) -> Iterable[Dataset]:
    for place, reason in sorted(result.failures.items()):
        item = _item(references[place])
        item.FailureReason = reason.value
        yield item
