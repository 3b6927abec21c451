"""Parts that need no job: they only let originals expire, by the one tag. All of it may run again.

RELEASE is an operator's word: whatever of the part is imported may go, warned, non-primary and conflicting
originals too; never what is quarantined. MARK follows a rebuild of the ledger: plain imports get the tag
that RecordOutcome may not have come to before the ledger was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contract.manifest import Row
from contract.metrics import Metric
from contract.states import InstanceState
from importer.domain.batch import Batch, OwnAnswer, Part
from importer.domain.errors import LedgerConflictError
from importer.domain.ports import Batches, Contents, Instances, Telemetry
from importer.domain.records import ContentId, Released

_COMMIT_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging:
    """The work on such a part; everything outside is behind a port."""

    instances: Instances
    batches: Batches
    contents: Contents
    telemetry: Telemetry
    clock: Callable[[], float]

    def run(self, batch: Batch, part: Part, rows: Mapping[str, Row]) -> None:
        """Tag the part's objects and close it.

        Args:
            batch: As the ledger has it.
            part: One that is no import.
            rows: The manifest's, by key, in order.

        Raises:
            LedgerConflictError: Other writers were always faster.
        """
        keys = batch.keys(list(rows))
        prefix = batch.id.prefix + part.prefix
        numbers = [
            number
            for number, (key, state) in enumerate(zip(keys, batch.states, strict=True))
            if key.startswith(prefix) and _may_go(part, state)
        ]
        if part.job_id == OwnAnswer.RELEASE:
            self.instances.mark_imported([keys[number] for number in numbers])
            released = self._note(batch, part, tuple(numbers))
        else:
            marked = [keys[number] for number in numbers]
            self.instances.mark_imported(self._without_conflict(marked, rows))
            released = ()
        self._commit(batch, part, released)

    def _note(self, batch: Batch, part: Part, numbers: tuple[int, ...]) -> tuple[int, ...]:
        note = Released(
            batch=str(batch.id),
            prefix=part.prefix,
            attempt=part.attempt,
            operator=part.operator,
            asked_at=part.planned_at,
            released_at=self.clock(),
            numbers=numbers,
        )
        self.instances.keep_release(note)
        self.contents.note_release(note)
        return numbers

    def _without_conflict(self, keys: list[str], rows: Mapping[str, Row]) -> list[str]:
        described = {key: rows[key] for key in keys if key in rows}
        described.update(self.instances.describe([key for key in keys if key not in rows]))
        contents = {
            key: ContentId.of(row)
            for key, row in described.items()
            if row.sop_instance_uid and row.crc64nvme
        }
        known = self.contents.known(list(contents.values()))
        return [key for key in keys if key not in contents or contents[key] in known]

    def _commit(self, batch: Batch, part: Part, released: tuple[int, ...]) -> None:
        before = batch
        for _ in range(_COMMIT_TRIES):
            try:
                after = self.batches.commit(before, before.release(part.attempt, released))
            except LedgerConflictError:
                current = self.batches.batch(batch.id)
                if current is None or current.part(part.attempt) is None:
                    return
                before = current
            else:
                self._report(after, part, len(released))
                return
        raise LedgerConflictError(str(batch.id))

    def _report(self, batch: Batch, part: Part, released: int) -> None:
        if released:
            self.telemetry.count(Metric.INSTANCES_RELEASED, released)
        self.telemetry.info(
            "originals_released" if part.job_id == OwnAnswer.RELEASE else "originals_marked",
            batch=str(batch.id),
            prefix=part.prefix,
            operator=part.operator,
            count=released,
        )


def _may_go(part: Part, state: InstanceState) -> bool:
    if part.job_id == OwnAnswer.RELEASE:
        return state.rank > InstanceState.QUARANTINED.rank
    return state is InstanceState.IMPORTED
