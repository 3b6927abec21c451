"""Rebuild the ledger from what never expires: manifests, job outputs, quarantine records, HealthImaging.

It only adds batches that the ledger does not have, so it may be stopped and run again, and run beside the
functions. What cannot be told from a finished answer is not guessed but left open, for Sweep to have done
again: a batch that no job has answered for is announced (and recognised, if HealthImaging has its content
already), a job that runs still is asked after, originals that may lack their tag are marked by
RecordOutcome, the only one that may. Hours are proved anew by Sweep.

What is lost with the table: how often a part was tried, and since when an image was listed for operators
of a view. Who redrove and released what stands in the records under quarantine/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from contract.keys import BatchId, hour_start
from contract.manifest import InvalidManifestError, Row
from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.answers import Answer
from importer.domain.batch import Batch, OwnAnswer, Part, Wanted
from importer.domain.errors import LedgerConflictError
from importer.domain.jobs import Job, JobStatus, attempt_of, key_of_input_file
from importer.domain.ports import (
    Archive,
    Batches,
    Contents,
    Instances,
    JobHistory,
    JobOutputs,
    Manifests,
    Telemetry,
)
from importer.domain.records import InstanceRecord, Quarantined


@dataclass(slots=True)
class Rebuilt:
    """What a run has done, in batches and objects."""

    batches: int = 0
    present: int = 0
    left: int = 0
    landed: int = 0
    states: dict[InstanceState, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What jobs have said of a batch."""

    answers: Mapping[str, Answer]
    open_parts: Sequence[Part]
    attempts: int
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """The work; everything outside is behind a port."""

    archive: Archive
    manifests: Manifests
    instances: Instances
    results: JobOutputs
    service: JobHistory
    batches: Batches
    contents: Contents
    telemetry: Telemetry
    clock: Callable[[], float]
    landing_bucket: str

    def run(self) -> Rebuilt:
        """Add every sealed batch that the ledger does not have, oldest first."""
        done = Rebuilt()
        listed: dict[BatchId, list[Job]] = {}
        for job in self.service.jobs():
            batch_id = _batch_of(job)
            if batch_id is not None:
                listed.setdefault(batch_id, []).append(job)
        for batch_id in self.archive.sealed():
            if self.batches.batch(batch_id) is None:
                self._add(batch_id, listed.get(batch_id, []), done)
            else:
                done.present += 1
        self.telemetry.info(
            "ledger_rebuilt", batches=done.batches, present=done.present, left=done.left
        )
        return done

    def _add(self, batch_id: BatchId, listed: Sequence[Job], done: Rebuilt) -> None:
        try:
            rows: Sequence[Row] = self.manifests.manifest(batch_id).rows
        except InvalidManifestError:
            rows = ()
        kept = {record.key: record for record in self.archive.quarantined(batch_id)}
        heard = self._hear(batch_id, listed)
        if not heard.jobs and not kept:
            # Nobody has answered for it: StartImport plans it as if it were new.
            done.left += 1
            return
        answers = {key: _kept_answer(record) for key, record in kept.items()}
        for key, answer in heard.answers.items():
            if key not in answers or answer.state.rank > InstanceState.QUARANTINED.rank:
                answers[key] = answer
        listing = {found.key for found in self.manifests.objects(batch_id.prefix)}
        batch = self._batch(batch_id, rows, listing, answers, heard)
        batch = replace(batch, attempts=max([batch.attempts, *map(_attempts, kept.values())]))
        batch = self._with_mark(batch, [row.key for row in rows], listing)
        described = self._describe(rows, answers, listing)
        self._write_objects(batch_id, answers, described, kept)
        try:
            self.batches.commit(None, batch)
        except LedgerConflictError:
            done.present += 1
            return
        done.batches += 1
        done.landed += len(batch.states)
        for state in batch.states:
            done.states[state] = done.states.get(state, 0) + 1

    def _hear(self, batch_id: BatchId, listed: Sequence[Job]) -> _Heard:
        """Put together what job outputs and HealthImaging say."""
        status = {job.job_id: job.status for job in listed}
        jobs = {job.job_id: job for job in self.results.jobs_of(batch_id)}
        for job in listed:
            # The list names no output: only what wrote none has to be asked for.
            if job.job_id not in jobs or not job.status.has_ended:
                jobs[job.job_id] = self.service.job(job.job_id) or job
        answers: dict[str, Answer] = {}
        parts: list[Part] = []
        attempts = 0
        for job in jobs.values():
            target = attempt_of(job)
            if target is None or target[0] != batch_id:
                continue
            attempts = max(attempts, target[1] + 1)
            if status.get(job.job_id) is JobStatus.FAILED:
                continue
            output = self.results.output(job)
            if not output.is_complete:
                asked = self.service.job(job.job_id)
                if asked is not None and asked.status is not JobStatus.FAILED:
                    parts.append(self._open_part(batch_id, asked, target[1]))
                continue
            for name, answer in output.answers.items():
                key = key_of_input_file(name, self.landing_bucket)
                known = answers.get(key)
                if known is None or answer.state.rank > known.state.rank:
                    answers[key] = answer
        return _Heard(answers, parts, attempts, len(jobs))

    def _open_part(self, batch_id: BatchId, job: Job, attempt: int) -> Part:
        now = self.clock()
        prefix = job.input_uri.partition(batch_id.prefix)[2]
        return Part(
            prefix=prefix, attempt=attempt, planned_at=now, job_id=job.job_id, started_at=now
        )

    def _batch(
        self,
        batch_id: BatchId,
        rows: Sequence[Row],
        listing: Iterable[str],
        answers: Mapping[str, Answer],
        heard: _Heard,
    ) -> Batch:
        keys = [row.key for row in rows]
        mine = {key for key in answers if key.startswith(batch_id.prefix)}
        times = [row.received_at for row in rows if row.received_at > 0]
        batch = Batch.new(
            batch_id,
            rows=len(rows),
            extras=sorted({*listing, *mine} - set(keys)),
            oldest_received_at=min(times, default=hour_start(batch_id.hour)),
        )
        states = tuple(
            answers[key].state if key in answers else InstanceState.SEALED
            for key in batch.keys(keys)
        )
        releases = self.archive.released(batch_id)
        attempts = max([heard.attempts, *(r.attempt + 1 for r in releases)])
        batch = replace(
            batch,
            states=states,
            parts=tuple(heard.open_parts),
            attempts=attempts,
            jobs=heard.jobs,
            released=tuple(sorted({n for r in releases for n in r.numbers if n < len(states)})),
        )
        for release in releases:
            self.contents.note_release(release)
        return batch

    def _with_mark(self, batch: Batch, row_keys: Sequence[str], listing: set[str]) -> Batch:
        """Have plain imports that are still there tagged: the ledger may have been lost before."""
        states = zip(batch.keys(row_keys), batch.states, strict=True)
        if any(state is InstanceState.IMPORTED and key in listing for key, state in states):
            return batch.plan([Wanted(prefix="", own_answer=OwnAnswer.MARK)], self.clock())
        return batch

    def _describe(
        self, rows: Sequence[Row], answers: Mapping[str, Answer], listing: set[str]
    ) -> dict[str, Row]:
        described = {row.key: row for row in rows if row.key in answers}
        strangers = [key for key in answers if key not in described and key in listing]
        return described | self.instances.describe(strangers)

    def _write_objects(
        self,
        batch_id: BatchId,
        answers: Mapping[str, Answer],
        described: Mapping[str, Row],
        kept: Mapping[str, Quarantined],
    ) -> None:
        self.contents.record(
            [
                InstanceRecord(row=row, answer=answers[key])
                for key, row in described.items()
                if row.sop_instance_uid and row.crc64nvme
            ]
        )
        self.contents.quarantine(
            [
                replace(
                    kept.get(key) or self._quarantined(batch_id, key, answer, described.get(key)),
                    state=answer.state,
                )
                for key, answer in answers.items()
                if key in kept or answer.state is InstanceState.QUARANTINED
            ]
        )

    def _quarantined(
        self, batch_id: BatchId, key: str, answer: Answer, row: Row | None
    ) -> Quarantined:
        """Return a record of what an output names as refused and nobody came to record."""
        return Quarantined(
            batch=str(batch_id),
            key=key,
            reason=answer.reason or QuarantineReason.IMPORT_REFUSED,
            exception_type=answer.exception_type,
            elements=answer.elements,
            sop_instance_uid=row.sop_instance_uid if row else "",
            sop_class_uid=row.sop_class_uid if row else "",
            study_instance_uid=row.study_instance_uid if row else "",
            series_instance_uid=row.series_instance_uid if row else "",
            received_at=row.received_at if row else 0.0,
            quarantined_at=self.clock(),
        )


def _attempts(record: Quarantined) -> int:
    """Return the first attempt number that a record does not use."""
    used = [*record.attempts, *(redrive.attempt for redrive in record.redrives)]
    return max(used, default=-1) + 1


def _kept_answer(record: Quarantined) -> Answer:
    return Answer(
        state=record.state,
        reason=record.reason,
        exception_type=record.exception_type,
        elements=record.elements,
    )


def _batch_of(job: Job) -> BatchId | None:
    try:
        return BatchId.parse(job.name)
    except ValueError:
        return None
