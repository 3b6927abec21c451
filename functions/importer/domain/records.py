"""What the ledger and the quarantine keep of single instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from contract.manifest import Row
from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.answers import Answer


@dataclass(frozen=True, slots=True, order=True)
class ContentId:
    """Identity of content: the same for the same bytes under the same SOP Instance UID."""

    sop_instance_uid: str
    size: int
    crc64nvme: str

    @classmethod
    def of(cls, row: Row) -> ContentId:
        """Return the identity of a row's object."""
        return cls(row.sop_instance_uid, row.size, row.crc64nvme)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """The outcome of one object, to be written to its content's record."""

    row: Row
    answer: Answer

    @property
    def content(self) -> ContentId:
        """Which record it belongs to."""
        return ContentId.of(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the ledger found when it wrote an instance record.

    Attributes:
        duplicate: The same content was recorded before for another object.
        conflicting: Other bytes with the same SOP Instance UID are recorded too.
        two_studies: The SOP Instance UID is recorded in two studies.
        first_time: This object's outcome was not recorded before (false when a step is repeated).
    """

    duplicate: bool = False
    conflicting: bool = False
    two_studies: bool = False
    first_time: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContent:
    """What the ledger knows of a content that was seen before."""

    state: InstanceState
    image_set_id: str = ""
    warnings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Redrive:
    """That an operator had an object tried again: when (Unix s), by which attempt, who."""

    at: float
    attempt: int
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One quarantined object and why; it holds no value of the dataset but its UIDs.

    Attributes:
        batch: Its batch's id.
        key: Where it landed.
        reason: The latest.
        exception_type: HealthImaging's, if it refused it.
        elements: Attribute keywords and tags that its message names.
        sop_instance_uid: If known, as the other UIDs.
        sop_class_uid: Of the instance.
        study_instance_uid: Of the instance.
        series_instance_uid: Of the instance.
        job_id: The latest job that answered for it.
        received_at: Unix time (s) of its acknowledgement.
        quarantined_at: Unix time (s) of the latest answer.
        state: QUARANTINED, or how a redrive has ended.
        attempts: Numbers of the batch's attempts that ended in quarantine.
        redrives: What operators had tried again, oldest first.
    """

    batch: str
    key: str
    reason: QuarantineReason
    exception_type: str = ""
    elements: tuple[str, ...] = ()
    sop_instance_uid: str = ""
    sop_class_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    job_id: str = ""
    received_at: float = 0.0
    quarantined_at: float = 0.0
    state: InstanceState = InstanceState.QUARANTINED
    attempts: tuple[int, ...] = ()
    redrives: tuple[Redrive, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a record from the JSON that `asdict` makes; fields of later versions are ignored.

        Raises:
            ValueError, TypeError, KeyError: It is no such record.
        """
        values = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        values["reason"] = QuarantineReason(document["reason"])
        values["state"] = InstanceState(document.get("state", InstanceState.QUARANTINED))
        for name in ("elements", "attempts"):
            values[name] = tuple(document.get(name, ()))
        values["redrives"] = tuple(Redrive(**redrive) for redrive in document.get("redrives", ()))
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """That an operator let originals expire: which part of which batch, who, when, how many."""

    batch: str
    prefix: str
    attempt: int
    operator: str
    asked_at: float
    released_at: float
    numbers: tuple[int, ...]
