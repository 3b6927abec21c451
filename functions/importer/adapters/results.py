"""The output that HealthImaging writes for a job into the results bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from contract.keys import BatchId
from importer.adapters.clients import error_code
from importer.domain.answers import Answer, OutputKind, UnreadableLineError, merge, parse_line
from importer.domain.jobs import Job, JobOutput, JobStatus, batch_output_prefix

_SUMMARY = "job-output-manifest.json"
_MISSING = frozenset({"NoSuchKey", "404"})


class ResultsBucket:
    """Reads job outputs; `ports.Results`."""

    def __init__(self, client: Any, *, datastore_id: str, bucket: str = "") -> None:
        """Read one data store's output; `bucket` is needed only to search for it."""
        self._client = client
        self._datastore_id = datastore_id
        self._bucket = bucket

    def output(self, job: Job) -> JobOutput:
        """Read what is there of a job's output, line by line."""
        bucket, folder = self._folder(job)
        summary = self._body(bucket, folder + _SUMMARY)
        scanned = _scanned(summary.read()) if summary is not None else None
        lines = _Lines()
        for kind in OutputKind:
            body = self._body(bucket, f"{folder}{kind.value}/{kind.value.lower()}.ndjson")
            if body is not None:
                lines.read(kind, body.iter_lines())
        return JobOutput(answers=merge(lines.answers), scanned=scanned, is_cut=lines.is_cut)

    def jobs_of(self, batch_id: BatchId) -> list[Job]:
        """Return the jobs whose output lies under a batch's prefixes; see `ports.JobOutputs`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=batch_output_prefix(batch_id)
        )
        folders = {
            # jobs/<batch>/<attempt>/<data store>-DicomImport-<job>/...
            "/".join(found["Key"].split("/")[:4])
            for page in pages
            for found in page.get("Contents", ())
            if "-DicomImport-" in found["Key"]
        }
        return [self._job_at(batch_id, folder) for folder in sorted(folders)]

    def _job_at(self, batch_id: BatchId, folder: str) -> Job:
        return Job(
            job_id=folder.rpartition("-DicomImport-")[2],
            name=str(batch_id),
            status=JobStatus.COMPLETED,
            input_uri="",
            output_uri=f"s3://{self._bucket}/{folder}/",
        )

    def _folder(self, job: Job) -> tuple[str, str]:
        """Bucket and key prefix of the output: the URI may or may not carry the job's own folder."""
        bucket, _, path = job.output_uri.removeprefix("s3://").partition("/")
        own = f"{self._datastore_id}-DicomImport-{job.job_id}/"
        path = path.rstrip("/") + "/"
        return bucket, path if path.endswith(own) else path + own

    def _body(self, bucket: str, key: str) -> Any | None:
        try:
            return self._client.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise


class _Lines:
    """The lines of a job's three lists."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Answer]] = []
        self.is_cut = False

    def read(self, kind: OutputKind, lines: Iterator[bytes]) -> None:
        for line in lines:
            if not line.strip():
                continue
            try:
                self.answers.append(parse_line(kind, line))
            except UnreadableLineError:
                self.is_cut = True


def _scanned(summary: bytes) -> int | None:
    try:
        return int(json.loads(summary)["jobSummary"]["numberOfScannedFiles"])
    except (ValueError, KeyError, TypeError):
        return None
