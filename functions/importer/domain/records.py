"""What the ledger and the quarantine keep of single instances."""

from __future__ import annotations

from dataclasses import dataclass

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
        first_time: This object's outcome was not recorded before (false when a step is repeated).
    """

    duplicate: bool = False
    conflicting: bool = False
    first_time: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContent:
    """What the ledger knows of a content that was seen before."""

    state: InstanceState
    image_set_id: str = ""
    warnings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One quarantined object and why; it holds no value of the dataset but its UIDs."""

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
