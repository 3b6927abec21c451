"""What the importer needs of the outside world; adapters/ has the real ones, tests have fakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.keys import BatchId
from contract.manifest import Manifest, Row
from contract.metrics import Metric
from contract.states import InstanceState
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.jobs import Job, JobOutput
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


@dataclass(frozen=True, slots=True)
class LandedObject:
    """One object of a listing; `landed_at` is its LastModified (Unix s)."""

    key: str
    size: int
    landed_at: float = 0.0


class Manifests(Protocol):
    """The sealed batches in the landing bucket."""

    def manifest(self, batch_id: BatchId) -> Manifest:
        """Read a batch's manifest.

        Raises:
            ManifestMissingError: There is none.
            InvalidManifestError: It cannot be read.
        """

    def objects(self, prefix: str) -> Iterator[LandedObject]:
        """List every object under `prefix`, in key order."""


class Instances(Protocol):
    """The instances in the landing bucket."""

    def describe(self, keys: Sequence[str]) -> dict[str, Row]:
        """Return what object metadata and checksum say of each object; one that is gone is left out."""

    def mark_imported(self, keys: Sequence[str]) -> None:
        """Tag objects for expiry; repeating it changes nothing."""

    def keep_records(self, records: Sequence[Quarantined]) -> None:
        """Write the quarantine records of objects, each always to the same key."""

    def keep_release(self, released: Released) -> None:
        """Write the record of a release, always to the same key."""


class Adoption(Protocol):
    """What Sweep needs of the landing bucket besides."""

    def first_hour(self) -> str | None:
        """Return the oldest hour in which anything landed."""

    def landed_batches(self, hour: str) -> Iterator[str]:
        """Return the names of the batch folders under incoming/<hour>/."""

    def sealed_batches(self, hour: str) -> Iterator[tuple[BatchId, float]]:
        """Return the batches of that hour that have a manifest, and when it was written (Unix s)."""

    def seal(self, manifest: Manifest) -> bool:
        """Write a manifest, create-only; False if somebody else's is there already."""


class Results(Protocol):
    """The results bucket."""

    def output(self, job: Job) -> JobOutput:
        """Read what is there of a job's output; what is missing is left out, never an error."""


class JobOutputs(Results, Protocol):
    """The results bucket, searched by batch."""

    def jobs_of(self, batch_id: BatchId) -> list[Job]:
        """Return the jobs that have written output for a batch, as far as their output tells."""


class Archive(Protocol):
    """What the landing bucket keeps for ever besides the images."""

    def sealed(self) -> Iterator[BatchId]:
        """Return every sealed batch, oldest first."""

    def quarantined(self, batch_id: BatchId) -> list[Quarantined]:
        """Return the quarantine records of a batch's objects."""

    def released(self, batch_id: BatchId) -> list[Released]:
        """Return the records of a batch's releases."""


class JobHistory(Protocol):
    """HealthImaging's memory of its jobs (it keeps them for some months)."""

    def jobs(self) -> Iterator[Job]:
        """Return every job that is still known; without input and output."""

    def job(self, job_id: str) -> Job | None:
        """Return a job whole; None if the service does not know it."""


class ImportService(Protocol):
    """HealthImaging."""

    def start(self, *, prefix: str, output: str, name: str, token: str) -> str:
        """Start an import job and return its id; the same token again returns the same job.

        Args:
            prefix: Of the landing bucket; ends with a slash.
            output: Prefix of the results bucket; ends with a slash.
            name: Job name.
            token: Client token.

        Raises:
            ThrottledError: No more starts just now.
        """

    def job(self, job_id: str) -> Job | None:
        """Return a job; None if the service does not know it."""


class Batches(Protocol):
    """The ledger's batches."""

    def batch(self, batch_id: BatchId) -> Batch | None:
        """Return a batch as last written (strongly consistent)."""

    def commit(self, before: Batch | None, after: Batch) -> Batch:
        """Write `after` if the batch is still as `before`; the totals change in the same transaction.

        Returns:
            `after` with its new version.

        Raises:
            LedgerConflictError: Somebody else wrote it meanwhile.
        """


class Contents(Protocol):
    """The ledger's instances: one record per SOP Instance UID and content."""

    def known(self, contents: Sequence[ContentId]) -> dict[ContentId, KnownContent]:
        """Return what is known of those contents that have been recorded (strongly consistent)."""

    def record(self, records: Sequence[InstanceRecord]) -> list[Recorded]:
        """Write outcomes, each only over a state of lower rank; one result for each, in order."""

    def quarantine(self, records: Sequence[Quarantined]) -> list[Quarantined]:
        """Write quarantined objects to the list that an operator sees.

        Returns:
            The records with all attempts and redrives so far; one that was imported after all is left
            as it is, and out.
        """

    def take_off(self, batch_id: BatchId, states: Mapping[str, InstanceState]) -> list[Quarantined]:
        """Take objects off that list, because they were imported after all; return their records."""

    def note_redrives(
        self, batch_id: BatchId, redrives: Mapping[str, Redrive]
    ) -> list[Quarantined]:
        """Add to the records of quarantined objects that they are tried again; return the records."""

    def note_release(self, released: Released) -> None:
        """Write the record of a release."""


class Progress(Protocol):
    """The ledger's view for Sweep."""

    def open_batches(self) -> Iterator[BatchId]:
        """Return the batches that are not DONE, oldest first within each shard."""

    def batches_of(self, hour: str) -> Iterator[Batch]:
        """Return every batch of an hour (strongly consistent)."""

    def cursor(self) -> str | None:
        """Return the first hour that may not be closed; None before the first run."""

    def move_cursor(self, hour: str) -> None:
        """Move the cursor forward to `hour`; never back."""

    def closed_hour(self, hour: str) -> Counts | None:
        """Return the proof of an hour, if it is closed."""

    def close_hour(self, hour: str, counts: Counts) -> None:
        """Record that everything which landed in `hour` is terminal."""


class FullProofs(Protocol):
    """The ledger's memory of the daily proof."""

    def full_proof(self) -> ProofRound | None:
        """Return how far the proof has come; None before the first."""

    def keep_full_proof(self, proof: ProofRound) -> None:
        """Write how far the proof has come."""


class Overview(Protocol):
    """The ledger's answers for people."""

    def totals(self) -> Counts:
        """Return the sums over everything the ledger knows."""

    def recent_batches(self, limit: int) -> list[Batch]:
        """Return the newest batches first."""

    def quarantined(self, limit: int) -> list[Quarantined]:
        """Return quarantined objects, newest first."""


class QuarantineList(Protocol):
    """The ledger's quarantined objects, page by page."""

    def quarantined_page(self, limit: int, after: str) -> tuple[list[Quarantined], str]:
        """Return some quarantined objects, and where to go on; empty at the beginning and at the end.

        Raises:
            ValueError: `after` was not given out here.
        """


class Announcements(Protocol):
    """The queues."""

    def announce(self, batch_id: BatchId, *, delay_s: int = 0) -> None:
        """Tell StartImport of a batch (at most 900 s from now)."""

    def ask(self, batch_id: BatchId, *, attempt: int, job_id: str) -> None:
        """Ask RecordOutcome to look after a job (or to give our own answer)."""

    def waiting(self) -> int:
        """Return about how many announcements StartImport has not served yet."""


class Telemetry(Protocol):
    """Metrics and log events: our ids, UIDs and numbers only."""

    def count(self, metric: Metric, value: float = 1) -> None:
        """Add a value to a metric."""

    def info(self, event: str, **fields: object) -> None:
        """Log what happened."""

    def warning(self, event: str, **fields: object) -> None:
        """Log what somebody may have to look at."""

    def error(self, event: str, **fields: object) -> None:
        """Log what somebody has to look at."""
