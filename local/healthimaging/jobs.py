"""Import jobs: their states, and the work of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from local.healthimaging.faults import Faults
from local.healthimaging.files import ImportedFiles
from local.healthimaging.image_sets import ImageSets, ImportSession
from local.healthimaging.instances import UnimportableError, read_instance
from local.healthimaging.output import JobOutput, output_folder, split_uri
from local.healthimaging.ports import BucketAccess, EventBus, StoredObject
from local.healthimaging.quotas import Quotas

IMAGING_VERSION = "1.0"


class JobStatus(StrEnum):
    """State of an import job, and the detail-type of its event."""

    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def has_ended(self) -> bool:
        """Whether the job changes no more."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED)

    @property
    def detail_type(self) -> str:
        """Detail-type of the event that tells it."""
        return f"Import Job {self.value.replace('_', ' ').title()}"


class JobFailedError(Exception):
    """The whole job FAILED; the message is the job's."""


@dataclass(slots=True)
class Job:
    """One import job; `parameters` are the request's."""

    id: str
    datastore_id: str
    datastore_arn: str
    name: str
    parameters: dict[str, Any]
    submitted_at: datetime
    status: JobStatus = JobStatus.SUBMITTED
    ended_at: datetime | None = None
    message: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def input_uri(self) -> str:
        """As in the request."""
        return str(self.parameters["inputS3Uri"])

    @property
    def output_uri(self) -> str:
        """Where this job's output is: the request's prefix and the job's folder."""
        bucket, prefix = split_uri(self.parameters["outputS3Uri"])
        return f"s3://{bucket}/{prefix}{output_folder(self.datastore_id, self.id)}"


class JobRunner:
    """Runs each job on a thread of its own; one reads files at a time, to leave the machine some air."""

    def __init__(
        self,
        buckets: BucketAccess,
        events: EventBus,
        files: ImportedFiles,
        *,
        quotas: Quotas,
        faults: Faults,
    ) -> None:
        """Keep what every job needs."""
        self._buckets = buckets
        self._events = events
        self._files = files
        self._quotas = quotas
        self._faults = faults
        self._reading = threading.Lock()

    def start(self, job: Job, image_sets: ImageSets) -> None:
        """Start `job`; returns at once."""
        self._announce(job)
        run = threading.Thread(target=self._run, args=(job, image_sets), daemon=True)
        run.start()

    def _run(self, job: Job, image_sets: ImageSets) -> None:
        wait = threading.Event().wait
        wait(self._faults.job_s / 4)
        self._turn(job, JobStatus.IN_PROGRESS)
        wait(self._faults.job_s * 3 / 4)
        try:
            write_output = self._import(job, image_sets)
        except JobFailedError as error:
            job.message = str(error)
            self._end(job, JobStatus.FAILED)
            return
        late_s = self._faults.late_manifest_s
        if not late_s:
            write_output()
        self._end(job, JobStatus.COMPLETED)
        if late_s:
            wait(late_s)
            write_output()

    def _import(self, job: Job, image_sets: ImageSets) -> Callable[[], None]:
        """Import every file of `job` and return what writes its output.

        Raises:
            JobFailedError: Nothing was imported.
        """
        if self._faults.strikes("failedJobs"):
            raise JobFailedError("INTERNAL_ERROR: the import failed")
        bucket, prefix = split_uri(job.input_uri)
        try:
            objects = self._buckets.list(bucket, prefix)
        except LookupError:
            raise JobFailedError("ACCESS_DENIED: the input bucket cannot be listed") from None
        self._check_quotas(objects, prefix)
        output = JobOutput()
        session = image_sets.session(datetime.now(UTC))
        with self._reading:
            for item in objects:
                self._import_file(bucket, item, session, output)
        files = output.files(
            datastore_id=job.datastore_id,
            job_id=job.id,
            input_uri=job.input_uri,
            output_uri=job.output_uri,
            image_sets=session.touched(),
        )

        def write_output() -> None:
            out_bucket, folder = split_uri(job.output_uri)
            for name, content in files.items():
                self._buckets.write(out_bucket, folder + name, content)

        return write_output

    def _check_quotas(self, objects: Any, prefix: str) -> None:
        quotas = self._quotas
        folders = {item.key[len(prefix) :].rpartition("/")[0] for item in objects} - {""}
        if len(objects) > quotas.job_files:
            raise JobFailedError(f"FILE_COUNTS_LIMIT_EXCEEDED: more than {quotas.job_files} files")
        if sum(item.size for item in objects) > quotas.job_bytes:
            raise JobFailedError(f"JOB_SIZE_LIMIT_EXCEEDED: more than {quotas.job_bytes} bytes")
        if len(folders) > quotas.job_folders:
            raise JobFailedError(f"FOLDER_LIMIT_EXCEEDED: more than {quotas.job_folders} folders")

    def _import_file(
        self, bucket: str, item: StoredObject, session: ImportSession, output: JobOutput
    ) -> None:
        if self._faults.strikes("failedFiles"):
            output.failed(item.key, "InternalServerException", "The file could not be imported")
            return
        if item.size > self._quotas.file_bytes:
            limit = f"The file is larger than {self._quotas.file_bytes} bytes"
            output.failed(item.key, "ValidationException", limit)
            return
        try:
            content = self._buckets.read(bucket, item.key)
            instance = read_instance(content)
        except LookupError:
            output.failed(item.key, "ResourceNotFoundException", "The file does not exist")
            return
        except UnimportableError as error:
            output.failed(item.key, "ValidationException", str(error))
            return
        image_set = session.place(instance)
        apart = "" if image_set.is_primary else image_set.id
        path = self._files.write(instance, content, apart=apart)
        image_set.instances[instance.sop_instance_uid] = path
        output.succeeded(item.key, image_set, instance.warnings)

    def _turn(self, job: Job, status: JobStatus) -> None:
        job.status = status
        self._announce(job)

    def _end(self, job: Job, status: JobStatus) -> None:
        job.ended_at = datetime.now(UTC)
        self._turn(job, status)
        job.done.set()

    def _announce(self, job: Job) -> None:
        if self._faults.strikes("lostEvents"):
            return
        detail = {
            "imagingVersion": IMAGING_VERSION,
            "datastoreId": job.datastore_id,
            "jobId": job.id,
            "jobName": job.name,
            "jobStatus": job.status.value,
            "inputS3Uri": job.input_uri,
            # The documented example shows the request's prefix here, Get shows the job's folder.
            "outputS3Uri": job.parameters["outputS3Uri"],
        }
        for _ in range(2 if self._faults.strikes("duplicatedEvents") else 1):
            self._events.put(job.status.detail_type, job.datastore_arn, detail)
