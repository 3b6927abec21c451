"""Write the outcome of single objects: content records, quarantine, tags. All of it may run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contract.keys import BatchId
from contract.manifest import Row
from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.answers import Answer
from importer.domain.batch import Part
from importer.domain.ports import Contents, Instances
from importer.domain.records import InstanceRecord, Quarantined, Recorded, Redrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What was found on the way.

    Attributes:
        duplicates: Objects whose content was recorded before for another object.
        conflicts: Objects whose SOP Instance UID is recorded with other bytes too.
        two_studies: Those of them whose UID is recorded in two studies.
    """

    duplicates: int
    conflicts: int
    two_studies: int


def settle(
    answers: Mapping[str, Answer],
    rows: Mapping[str, Row],
    previous: Mapping[str, InstanceState],
    *,
    batch: BatchId,
    part: Part,
    job_id: str,
    now: float,
    contents: Contents,
    instances: Instances,
) -> Settlement:
    """Record every answered object.

    Args:
        answers: By landing key.
        rows: What is known of the objects, by key; one that nothing is known of has no content record.
        previous: The states that the batch had, by key.
        batch: Which they belong to.
        part: Which was answered.
        job_id: That answered.
        now: Unix time (s).
        contents: The ledger's instances.
        instances: The landing bucket.
    """
    named = {key: row for key, row in rows.items() if row.sop_instance_uid and row.crc64nvme}
    keys = [key for key in answers if key in named]
    results = contents.record([InstanceRecord(row=named[k], answer=answers[k]) for k in keys])
    recorded = dict(zip(keys, results, strict=True))

    records = [
        _quarantined(key, answer, rows.get(key), batch=batch, part=part, job_id=job_id, now=now)
        for key, answer in answers.items()
        if answer.state is InstanceState.QUARANTINED
        # An import's own answer outranks quarantine.
        if previous.get(key, InstanceState.SEALED).rank <= InstanceState.QUARANTINED.rank
    ]
    imported_after_all = {
        key: answer.state
        for key, answer in answers.items()
        if previous.get(key) is InstanceState.QUARANTINED
        and answer.state.rank > InstanceState.QUARANTINED.rank
    }
    # The ledger first: it knows the history that the record in S3 tells too.
    instances.keep_records(
        contents.quarantine(records) + contents.take_off(batch, imported_after_all)
    )
    instances.mark_imported(
        [
            key
            for key, answer in answers.items()
            if answer.state is InstanceState.IMPORTED
            and not recorded.get(key, Recorded()).conflicting
        ]
    )
    first = [found for found in results if found.first_time]
    return Settlement(
        duplicates=sum(found.duplicate for found in first),
        conflicts=sum(found.conflicting for found in first),
        two_studies=sum(found.two_studies for found in first),
    )


def _quarantined(
    key: str,
    answer: Answer,
    row: Row | None,
    *,
    batch: BatchId,
    part: Part,
    job_id: str,
    now: float,
) -> Quarantined:
    reason = answer.reason or QuarantineReason.IMPORT_REFUSED
    return Quarantined(
        batch=str(batch),
        key=key,
        reason=reason,
        exception_type=answer.exception_type,
        elements=answer.elements,
        sop_instance_uid=row.sop_instance_uid if row else "",
        sop_class_uid=row.sop_class_uid if row else "",
        study_instance_uid=row.study_instance_uid if row else "",
        series_instance_uid=row.series_instance_uid if row else "",
        job_id=job_id,
        received_at=row.received_at if row else 0.0,
        quarantined_at=now,
        attempts=(part.attempt,),
        redrives=(Redrive(part.planned_at, part.attempt, part.operator),) if part.operator else (),
    )
