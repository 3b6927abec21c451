"""RecordOutcome: the answer to an import job, object by object, into the ledger.

Everything it writes for single objects may be written again without effect; the batch is committed
last, guarded by its version. A run that dies anywhere is repeated as a whole by the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from contract.keys import BatchId
from contract.manifest import Row
from contract.metrics import Metric
from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.answers import Answer
from importer.domain.batch import Batch, OwnAnswer, Part
from importer.domain.errors import LedgerConflictError, OutputNotReadyError
from importer.domain.jobs import Job, JobStatus, attempt_of, key_of_input_file, output_prefix
from importer.domain.outcome import (
    Outcome,
    judge_completed,
    judge_failed,
    judge_quarantined,
    state_numbers,
)
from importer.domain.ports import (
    Announcements,
    Batches,
    Contents,
    ImportService,
    Instances,
    Manifests,
    Results,
    Telemetry,
)
from importer.domain.records import ContentId
from importer.domain.settlement import Settlement, settle
from importer.domain.tagging import Tagging

_COMMIT_TRIES = 5
_VANISHED_AFTER_S = 86_400
_RETRY_DELAYS_S = (0, 60, 300)
"""Wait before a part is tried again, by tries: a role or key that was just changed needs a minute."""

_METRIC_OF_STATE = {
    InstanceState.IMPORTED: Metric.INSTANCES_IMPORTED,
    InstanceState.IMPORTED_WITH_WARNING: Metric.INSTANCES_IMPORTED_WITH_WARNING,
    InstanceState.IMPORTED_NON_PRIMARY: Metric.INSTANCES_IMPORTED_NON_PRIMARY,
    InstanceState.QUARANTINED: Metric.INSTANCES_QUARANTINED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Which job's outcome is to be recorded; batch and attempt are known when we ask ourselves."""

    job_id: str
    batch_id: BatchId | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    """The function's work; everything outside is behind a port."""

    manifests: Manifests
    instances: Instances
    results: Results
    batches: Batches
    contents: Contents
    service: ImportService
    announcements: Announcements
    telemetry: Telemetry
    clock: Callable[[], float]
    landing_bucket: str
    output_grace_s: float

    def run(self, inquiry: Inquiry) -> None:
        """Record what can be recorded; a job that is unknown, unfinished or answered is no error.

        Raises:
            RetryLaterError: The output is not complete yet, or another writer was faster.
        """
        job: Job | None = None
        if inquiry.job_id in tuple(OwnAnswer):
            target = (inquiry.batch_id, inquiry.attempt) if inquiry.batch_id else None
        else:
            job = self.service.job(inquiry.job_id) or self._vanished(inquiry)
            if job is None or not job.status.has_ended:
                self.telemetry.info("job_not_ended", job=inquiry.job_id, known=job is not None)
                return
            target = attempt_of(job)
        batch = self.batches.batch(target[0]) if target else None
        part = batch.part(target[1]) if batch and target else None
        if batch is None or part is None:
            # Not ours, answered before, or the ledger was lost (then Sweep announces the batch again).
            self.telemetry.info("outcome_ignored", job=inquiry.job_id)
            return
        self._record(batch, part, job)

    def _vanished(self, inquiry: Inquiry) -> Job | None:
        """Return a job that Sweep keeps asking for and the service does not know, as FAILED after a day."""
        batch = self.batches.batch(inquiry.batch_id) if inquiry.batch_id else None
        part = batch.part(inquiry.attempt) if batch else None
        if batch is None or part is None or self.clock() - part.started_at < _VANISHED_AFTER_S:
            return None
        return Job(
            job_id=inquiry.job_id,
            name=str(batch.id),
            status=JobStatus.FAILED,
            input_uri="",
            output_uri=f"/{output_prefix(batch.id, part.attempt)}",
        )

    def _record(self, batch: Batch, part: Part, job: Job | None) -> None:
        rows = self.manifests.manifest(batch.id).rows[: batch.rows] if batch.rows else ()
        if not part.is_import:
            self._tagging.run(batch, part, {row.key: row for row in rows})
            return
        row_keys = [row.key for row in rows]
        outcome = self._judge(batch, part, job, rows)
        described = self._describe(outcome, rows)
        previous = dict(zip(batch.keys(row_keys), batch.states, strict=True))
        settlement = settle(
            outcome.answers,
            described,
            previous,
            batch=batch.id,
            part=part,
            job_id=job.job_id if job else "",
            now=self.clock(),
            contents=self.contents,
            instances=self.instances,
        )
        after = self._commit(batch, part, outcome, row_keys)
        if after is None:
            return
        if after.startable:
            tries = min(part.tries, len(_RETRY_DELAYS_S) - 1)
            self.announcements.announce(after.id, delay_s=_RETRY_DELAYS_S[tries])
        self._report(after, part, job, outcome, settlement=settlement, previous=previous)

    @property
    def _tagging(self) -> Tagging:
        return Tagging(
            instances=self.instances,
            batches=self.batches,
            contents=self.contents,
            telemetry=self.telemetry,
            clock=self.clock,
        )

    def _judge(self, batch: Batch, part: Part, job: Job | None, rows: Sequence[Row]) -> Outcome:
        row_keys = [row.key for row in rows]
        if job is None:
            if part.job_id == OwnAnswer.KNOWN:
                return judge_completed(batch, part, row_keys, self._known_answers(rows))
            return judge_quarantined(batch, part, row_keys, QuarantineReason(part.job_id))
        if job.status is JobStatus.FAILED:
            return judge_failed(batch, part, row_keys)
        output = self.results.output(job)
        if not output.is_complete and self.clock() - job.ended_at < self.output_grace_s:
            raise OutputNotReadyError(f"output of job {job.job_id} is not complete")
        answers = {
            key_of_input_file(name, self.landing_bucket): answer
            for name, answer in output.answers.items()
        }
        return judge_completed(batch, part, row_keys, answers)

    def _known_answers(self, rows: Sequence[Row]) -> dict[str, Answer]:
        contents = {row.key: ContentId.of(row) for row in rows}
        known = self.contents.known(list(contents.values()))
        return {
            key: Answer(
                state=known[content].state,
                image_set_id=known[content].image_set_id,
                warnings=known[content].warnings,
            )
            for key, content in contents.items()
            if content in known and known[content].state.rank > InstanceState.QUARANTINED.rank
        }

    def _describe(self, outcome: Outcome, rows: Sequence[Row]) -> dict[str, Row]:
        """Rows of the answered objects: the manifest's, or for extras what their metadata says."""
        described = {row.key: row for row in rows if row.key in outcome.answers}
        extras = [key for key in outcome.batch.extras if key in outcome.answers]
        described.update(self.instances.describe(extras))
        return described

    def _commit(
        self, batch: Batch, part: Part, outcome: Outcome, row_keys: Sequence[str]
    ) -> Batch | None:
        """Commit the outcome; None if another run has answered the part meanwhile."""
        before = batch
        for _ in range(_COMMIT_TRIES):
            after = before.add_extras(outcome.batch.extras)
            after = after.answer(part.attempt, state_numbers(after, row_keys, outcome.answers))
            wanted = [replace(want, operator=part.operator) for want in outcome.wanted]
            after = after.plan(wanted, self.clock())
            try:
                return self.batches.commit(before, after)
            except LedgerConflictError:
                current = self.batches.batch(batch.id)
                if current is None or current.part(part.attempt) is None:
                    return None
                before = current
        raise LedgerConflictError(str(batch.id))

    def _report(
        self,
        batch: Batch,
        part: Part,
        job: Job | None,
        outcome: Outcome,
        *,
        settlement: Settlement,
        previous: Mapping[str, InstanceState],
    ) -> None:
        # What was quarantined and is again has not changed: it must not look like more of it.
        raised = {
            key: answer.state
            for key, answer in outcome.answers.items()
            if answer.state.rank > previous.get(key, InstanceState.SEALED).rank
        }
        numbers = Counter(answer.state for answer in outcome.answers.values())
        for state, number in Counter(raised.values()).items():
            self.telemetry.count(_METRIC_OF_STATE[state], number)
        if settlement.duplicates:
            self.telemetry.count(Metric.DUPLICATE_INSTANCES, settlement.duplicates)
        if settlement.conflicts:
            self.telemetry.count(Metric.CONFLICTING_INSTANCES, settlement.conflicts)
        if settlement.two_studies:
            self.telemetry.count(Metric.INSTANCES_IN_TWO_STUDIES, settlement.two_studies)
            self.telemetry.warning(
                "uid_in_two_studies", batch=str(batch.id), count=settlement.two_studies
            )
        if job is not None and job.status is JobStatus.FAILED:
            self.telemetry.count(Metric.IMPORT_JOBS_FAILED)
        if any(previous.get(key) is not InstanceState.QUARANTINED for key in raised):
            age = max(0.0, self.clock() - batch.oldest_received_at)
            self.telemetry.count(Metric.IMPORT_LATENCY, round(age, 3))
        self.telemetry.info(
            "outcome_recorded",
            batch=str(batch.id),
            job=job.job_id if job else part.job_id,
            status=job.status.value if job else part.job_id,
            attempt=part.attempt,
            prefix=part.prefix,
            batch_state=batch.state.value,
            planned=len(outcome.wanted),
            conflicts=settlement.conflicts,
            duplicates=settlement.duplicates,
            operator=part.operator,
            **{state.value.lower(): number for state, number in numbers.items()},
        )
