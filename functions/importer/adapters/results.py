"""The output that HealthImaging writes for a job into the results bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from importer.adapters.clients import error_code
from importer.domain.answers import Answer, OutputKind, UnreadableLineError, merge, parse_line
from importer.domain.jobs import Job, JobOutput

_SUMMARY = "job-output-manifest.json"
_MISSING = frozenset({"NoSuchKey", "404"})


class ResultsBucket:
    """Reads job outputs; `ports.Results`."""

    def __init__(self, client: Any, *, datastore_id: str) -> None:
        self._client = client
        self._datastore_id = datastore_id

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
