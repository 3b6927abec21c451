"""A ledger, buckets, queues and a HealthImaging in memory, faithful to the limits that matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from contract.keys import BatchId, InvalidKeyError, batch_of_manifest_key
from contract.manifest import Manifest, Row
from contract.metrics import Metric
from contract.states import BatchState, InstanceState
from importer.domain.answers import Answer
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.errors import LedgerConflictError, ManifestMissingError, ThrottledError
from importer.domain.jobs import Job, JobOutput, JobStatus
from importer.domain.messages import batch_announcement, outcome_request
from importer.domain.ports import LandedObject
from importer.domain.proof_round import ProofRound
from importer.domain.records import (
    ContentId,
    InstanceRecord,
    KnownContent,
    Quarantined,
    Recorded,
    Redrive,
    Released,
)
from tests.importer.builders import NOW

LANDING = "landing-bucket"
RESULTS = "results-bucket"


@lru_cache(maxsize=8)
def _decoded(document: bytes) -> Manifest:
    return Manifest.decode(document)


@dataclass
class FakeClock:
    """A clock that moves when told."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeTelemetry:
    """Remembers metrics and events."""

    metrics: Counter[Metric] = field(default_factory=Counter)
    values: dict[Metric, float] = field(default_factory=dict)
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def count(self, metric: Metric, value: float = 1) -> None:
        self.metrics[metric] += int(value)
        self.values[metric] = value

    def info(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    warning = info
    error = info

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


@dataclass
class FakeLanding:
    """The landing bucket: what was put, never changed, never deleted."""

    rows: dict[str, Row] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    tagged: set[str] = field(default_factory=set)
    records: dict[str, Quarantined] = field(default_factory=dict)
    releases: list[Released] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)

    def land(self, rows: Sequence[Row]) -> None:
        self.rows.update({row.key: row for row in rows})

    def manifest(self, batch_id: BatchId) -> Manifest:
        try:
            return _decoded(self.documents[batch_id.manifest_key])
        except KeyError:
            raise ManifestMissingError(str(batch_id)) from None

    def objects(self, prefix: str) -> Iterator[LandedObject]:
        self.listed.append(prefix)
        for key in sorted(key for key in self.rows if key.startswith(prefix)):
            yield LandedObject(key, self.rows[key].size)

    def describe(self, keys: Sequence[str]) -> dict[str, Row]:
        return {key: self.rows[key] for key in keys if key in self.rows}

    def mark_imported(self, keys: Sequence[str]) -> None:
        self.tagged.update(keys)

    def keep_records(self, records: Sequence[Quarantined]) -> None:
        self.records.update({record.key: record for record in records})

    def keep_release(self, released: Released) -> None:
        self.releases.append(released)

    def first_hour(self) -> str | None:
        return min((key.split("/")[1] for key in self.rows), default=None)

    def landed_batches(self, hour: str) -> Iterator[str]:
        yield from sorted({key.split("/")[2] for key in self.rows if key.split("/")[1] == hour})

    def sealed_batches(self, hour: str) -> Iterator[tuple[BatchId, float]]:
        for key in sorted(self.documents):
            try:
                batch = batch_of_manifest_key(key)
            except InvalidKeyError:
                continue
            if batch.hour == hour:
                yield batch, Manifest.decode(self.documents[key]).sealed_at

    def sealed(self) -> Iterator[BatchId]:
        yield from [batch_of_manifest_key(key) for key in sorted(self.documents)]

    def quarantined(self, batch_id: BatchId) -> list[Quarantined]:
        return [r for r in self.records.values() if r.batch == str(batch_id)]

    def released(self, batch_id: BatchId) -> list[Released]:
        return [r for r in self.releases if r.batch == str(batch_id)]

    def seal(self, manifest: Manifest) -> bool:
        key = manifest.batch.manifest_key
        if key in self.documents:
            return False
        self.documents[key] = manifest.encode()
        return True


@dataclass
class FakeLedger:
    """Versioned batches with totals, contents by UID, the quarantine list."""

    clock: FakeClock
    stored: dict[BatchId, Batch] = field(default_factory=dict)
    sums: Counts = field(default_factory=Counts)
    contents: dict[str, dict[ContentId, tuple[Answer, set[str]]]] = field(default_factory=dict)
    quarantine_items: dict[str, Quarantined] = field(default_factory=dict)
    releases: list[Released] = field(default_factory=list)
    studies: dict[str, set[str]] = field(default_factory=dict)
    closed: dict[str, Counts] = field(default_factory=dict)
    hour: str | None = None
    proof: ProofRound | None = None
    conflicts_to_come: int = 0
    before_commit: Callable[[], None] | None = None

    def batch(self, batch_id: BatchId) -> Batch | None:
        return self.stored.get(batch_id)

    def commit(self, before: Batch | None, after: Batch) -> Batch:
        if self.before_commit:
            rival, self.before_commit = self.before_commit, None
            rival()
        if self.conflicts_to_come:
            self.conflicts_to_come -= 1
            raise LedgerConflictError(str(after.id))
        current = self.stored.get(after.id)
        if (current.version if current else 0) != (before.version if before else 0):
            raise LedgerConflictError(str(after.id))
        after = replace(after, version=(before.version if before else 0) + 1)
        self.sums = self.sums + (after.counts - (current.counts if current else Counts()))
        self.stored[after.id] = after
        return after

    def known(self, contents: Sequence[ContentId]) -> dict[ContentId, KnownContent]:
        return {
            content: KnownContent(state=seen[content][0].state)
            for content in contents
            if content in (seen := self.contents.get(content.sop_instance_uid, {}))
            and len(seen) == 1
        }

    def record(self, records: Sequence[InstanceRecord]) -> list[Recorded]:
        return [self._record(record) for record in records]

    def _record(self, record: InstanceRecord) -> Recorded:
        seen = self.contents.setdefault(record.row.sop_instance_uid, {})
        answer, keys = seen.get(record.content, (record.answer, set()))
        better = max(answer, record.answer, key=lambda a: a.state.rank)
        result = Recorded(
            duplicate=bool(keys - {record.row.key}),
            conflicting=len(seen.keys() | {record.content}) > 1,
            two_studies=len(self._studies(record)) > 1,
            first_time=record.row.key not in keys,
        )
        seen[record.content] = (better, keys | {record.row.key})
        return result

    def _studies(self, record: InstanceRecord) -> set[str]:
        known = self.studies.setdefault(record.row.sop_instance_uid, set())
        known |= {record.row.study_instance_uid} - {""}
        return known

    @property
    def listed(self) -> dict[str, Quarantined]:
        """What an operator sees."""
        return {
            key: record
            for key, record in self.quarantine_items.items()
            if record.state is InstanceState.QUARANTINED
        }

    def quarantine(self, records: Sequence[Quarantined]) -> list[Quarantined]:
        kept = []
        for record in records:
            old = self.quarantine_items.get(record.key, record)
            if old.state is InstanceState.QUARANTINED:
                kept.append(
                    replace(
                        record,
                        attempts=tuple(sorted({*old.attempts, *record.attempts})),
                        redrives=tuple(sorted({*old.redrives, *record.redrives})),
                    )
                )
        self.quarantine_items.update({record.key: record for record in kept})
        return kept

    def take_off(self, batch_id: BatchId, states: Mapping[str, InstanceState]) -> list[Quarantined]:
        taken = []
        for key, state in states.items():
            assert key.startswith(batch_id.prefix)
            if key in self.quarantine_items:
                record = replace(self.quarantine_items[key], state=state)
                self.quarantine_items[key] = record
                taken.append(record)
        return taken

    def note_redrives(
        self, batch_id: BatchId, redrives: Mapping[str, Redrive]
    ) -> list[Quarantined]:
        noted = []
        for key, redrive in redrives.items():
            assert key.startswith(batch_id.prefix)
            old = self.quarantine_items[key]
            record = replace(old, redrives=tuple(sorted({*old.redrives, redrive})))
            self.quarantine_items[key] = record
            noted.append(record)
        return noted

    def note_release(self, released: Released) -> None:
        self.releases.append(released)

    def quarantined_page(self, limit: int, after: str) -> tuple[list[Quarantined], str]:
        keys = [key for key in sorted(self.listed) if key > after][:limit]
        more = bool(keys) and keys[-1] != max(self.listed)
        return [self.listed[key] for key in keys], keys[-1] if more else ""

    def open_batches(self) -> Iterator[BatchId]:
        yield from [b.id for b in self.stored.values() if b.state is not BatchState.DONE]

    def batches_of(self, hour: str) -> Iterator[Batch]:
        yield from [batch for batch in self.stored.values() if batch.id.hour == hour]

    def cursor(self) -> str | None:
        return self.hour

    def move_cursor(self, hour: str) -> None:
        self.hour = max(hour, self.hour or "")

    def closed_hour(self, hour: str) -> Counts | None:
        return self.closed.get(hour)

    def close_hour(self, hour: str, counts: Counts) -> None:
        self.closed[hour] = counts

    def full_proof(self) -> ProofRound | None:
        return self.proof

    def keep_full_proof(self, proof: ProofRound) -> None:
        self.proof = proof

    def totals(self) -> Counts:
        return self.sums


@dataclass
class FakeQueues:
    """Messages sent, as their bodies; a test delivers them as it likes."""

    imports: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def announce(self, batch_id: BatchId, *, delay_s: int = 0) -> None:
        assert 0 <= delay_s <= 900
        self.imports.append(batch_announcement(batch_id))

    def ask(self, batch_id: BatchId, *, attempt: int, job_id: str) -> None:
        self.outcomes.append(outcome_request(batch_id, attempt, job_id))

    def waiting(self) -> int:
        return len(self.imports)


@dataclass
class FakeHealthImaging:
    """Import jobs that end when told; idempotent by client token, within the quotas.

    Attributes:
        poison: Keys whose presence makes a job FAIL.
        refused: Keys named in the failure list.
        warned: Keys named in the warning list.
        non_primary: Keys imported apart.
        omitted: Keys that no list names.
        throttle: Starts to refuse from now on.
    """

    landing: FakeLanding
    clock: FakeClock
    max_files: int = 5_000
    jobs: dict[str, Job] = field(default_factory=dict)
    outputs: dict[str, JobOutput] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    poison: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    warned: set[str] = field(default_factory=set)
    non_primary: set[str] = field(default_factory=set)
    omitted: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    throttle: int = 0

    def start(self, *, prefix: str, output: str, name: str, token: str) -> str:
        assert prefix.startswith("incoming/")
        assert prefix.endswith("/")
        assert len(token) <= 64
        assert len(name) <= 64
        if token in self.tokens:
            return self.tokens[token]
        if self.throttle:
            self.throttle -= 1
            raise ThrottledError("ThrottlingException")
        job_id = f"{len(self.jobs):032x}"
        self.tokens[token] = job_id
        self.jobs[job_id] = Job(
            job_id=job_id,
            name=name,
            status=JobStatus.SUBMITTED,
            input_uri=f"s3://{LANDING}/{prefix}",
            output_uri=f"s3://{RESULTS}/{output}",
        )
        return job_id

    def job(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)

    def output(self, job: Job) -> JobOutput:
        return self.outputs.get(job.job_id, JobOutput(answers={}, scanned=None))

    def run_jobs(self) -> list[str]:
        """End every running job; return their ids."""
        ended = [job.job_id for job in self.jobs.values() if not job.status.has_ended]
        for job_id in ended:
            self.run_job(job_id)
        return ended

    def run_job(self, job_id: str) -> None:
        job = self.jobs[job_id]
        prefix = job.input_uri.removeprefix(f"s3://{LANDING}/")
        keys = [found.key for found in self.landing.objects(prefix)]
        assert keys, "a job was started for an empty prefix"
        failed = len(keys) > self.max_files or any(key in self.poison for key in keys)
        status = JobStatus.FAILED if failed else JobStatus.COMPLETED
        self.jobs[job_id] = replace(job, status=status, ended_at=self.clock.now)
        if failed:
            return
        answers = {key: self._answer(key) for key in keys if key not in self.omitted}
        self.imported.update(
            key for key, answer in answers.items() if answer.state is not InstanceState.QUARANTINED
        )
        self.outputs[job_id] = JobOutput(answers=answers, scanned=len(answers))

    def _answer(self, key: str) -> Answer:
        if key in self.refused:
            return Answer(state=InstanceState.QUARANTINED, exception_type="ValidationException")
        if key in self.non_primary:
            return Answer(state=InstanceState.IMPORTED_NON_PRIMARY)
        if key in self.warned:
            return Answer(state=InstanceState.IMPORTED_WITH_WARNING, warnings=(45330,))
        return Answer(state=InstanceState.IMPORTED)
