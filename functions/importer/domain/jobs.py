"""An import job as HealthImaging describes it, and where its files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contract.keys import BatchId, InvalidKeyError
from importer.domain.answers import Answer


class JobStatus(StrEnum):
    """HealthImaging's jobStatus."""

    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def has_ended(self) -> bool:
        """Whether it will not change any more."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as GetDICOMImportJob answers.

    Attributes:
        job_id: HealthImaging's.
        name: The batch id, as we named it.
        status: Its state.
        input_uri: The prefix that it imports.
        output_uri: Where its output is, with or without the folder that the service appends.
        ended_at: Unix time (s), 0 while it runs.
    """

    job_id: str
    name: str
    status: JobStatus
    input_uri: str
    output_uri: str
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutput:
    """What a job's output says.

    Attributes:
        answers: One for each file that a line names, by the name that the job gives it.
        scanned: numberOfScannedFiles of the summary; None if there is no summary (yet).
        is_cut: A line could not be read.
    """

    answers: Mapping[str, Answer]
    scanned: int | None
    is_cut: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the lines cover every file that the job says it scanned."""
        return self.scanned is not None and not self.is_cut and len(self.answers) >= self.scanned


def batch_output_prefix(batch_id: BatchId) -> str:
    """Return the results key prefix of all of a batch's jobs."""
    return f"jobs/{batch_id}/"


def output_prefix(batch_id: BatchId, attempt: int) -> str:
    """Return the results key prefix that an attempt's job is told to write under."""
    return f"{batch_output_prefix(batch_id)}{attempt}/"


def attempt_of(job: Job) -> tuple[BatchId, int] | None:
    """Return the batch and attempt that a job was started for; None if it is not one of ours.

    It is read from the output URI rather than by job id: between StartDICOMImportJob and the ledger's
    record of its id a function may have died.
    """
    _, found, path = job.output_uri.partition("/jobs/")
    batch, _, rest = path.partition("/")
    attempt = rest.partition("/")[0]
    if not found or not attempt.isdigit():
        return None
    try:
        return BatchId.parse(batch), int(attempt)
    except InvalidKeyError:
        return None


def key_of_input_file(name: str, landing_bucket: str) -> str:
    """Return the landing key that a line of a job's output names (it may carry the bucket)."""
    return name.removeprefix(f"s3://{landing_bucket}/").lstrip("/")
