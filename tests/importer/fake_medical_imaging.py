"""A medical-imaging client that imports from, and writes its output to, an emulated S3."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError


class FakeMedicalImaging:
    """Start, get and list import jobs; every object of a prefix is imported, unless refused."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.jobs: dict[str, dict[str, Any]] = {}
        self.throttle = 0
        self.refused: set[str] = set()
        self.warned: set[str] = set()
        self.poison: set[str] = set()
        self.running = False

    def start_dicom_import_job(self, **request: Any) -> dict[str, Any]:
        """Run the job at once."""
        if self.throttle:
            self.throttle -= 1
            error = {"Error": {"Code": "ThrottlingException"}}
            raise ClientError(error, "StartDICOMImportJob")
        job_id = f"{len(self.jobs):08x}"
        bucket, _, path = request["outputS3Uri"].removeprefix("s3://").partition("/")
        folder = f"{path}{request['datastoreId']}-DicomImport-{job_id}/"
        self.jobs[job_id] = {
            "jobId": job_id,
            "jobName": request["jobName"],
            "jobStatus": self._status(request["inputS3Uri"]),
            "inputS3Uri": request["inputS3Uri"],
            "outputS3Uri": f"s3://{bucket}/{folder}",
            "endedAt": datetime.now(UTC),
        }
        if self.jobs[job_id]["jobStatus"] == "COMPLETED":
            self._write(request["inputS3Uri"], bucket, folder)
        return {"jobId": job_id}

    def get_dicom_import_job(self, **request: Any) -> dict[str, Any]:
        """Return the job."""
        return {"jobProperties": self.jobs[request["jobId"]]}

    def finish(self, job_id: str) -> None:
        """End a running job."""
        job = self.jobs[job_id]
        job["jobStatus"] = "COMPLETED"
        bucket, _, folder = job["outputS3Uri"].removeprefix("s3://").partition("/")
        self._write(job["inputS3Uri"], bucket, folder)

    def _status(self, input_uri: str) -> str:
        if self.running:
            return "IN_PROGRESS"
        return "FAILED" if self.poison & set(self._keys(input_uri)) else "COMPLETED"

    def _keys(self, input_uri: str) -> list[str]:
        bucket, _, prefix = input_uri.removeprefix("s3://").partition("/")
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def list_dicom_import_jobs(self, **_request: Any) -> dict[str, Any]:
        """Return every job on one page."""
        names = ("jobId", "jobName", "jobStatus", "endedAt")
        summaries = [{name: job[name] for name in names} for job in self.jobs.values()]
        return {"jobSummaries": summaries}

    def _write(self, input_uri: str, bucket: str, folder: str) -> None:
        keys = self._keys(input_uri)
        lines = [
            json.dumps({"inputFile": key, "importResponse": {"imageSetId": "s", "isPrimary": True}})
            for key in keys
            if key not in self.refused
        ]
        warnings = [
            json.dumps(
                {
                    "inputFile": key,
                    "importResponse": {
                        "imageSetId": "s",
                        "warnings": [{"warning_reason_code": "45330"}],
                    },
                }
            )
            for key in keys
            if key in self.warned
        ]
        refusals = [
            json.dumps({"inputFile": key, "exception": {"exceptionType": "ValidationException"}})
            for key in keys
            if key in self.refused
        ]
        summary = {"jobSummary": {"numberOfScannedFiles": len(keys)}}
        self.s3.put_object(
            Bucket=bucket, Key=f"{folder}SUCCESS/success.ndjson", Body="\n".join(lines).encode()
        )
        for kind, found in (("FAILURE", refusals), ("WARNING", warnings)):
            if found:
                self.s3.put_object(
                    Bucket=bucket,
                    Key=f"{folder}{kind}/{kind.lower()}.ndjson",
                    Body="\n".join(found).encode(),
                )
        self.s3.put_object(
            Bucket=bucket,
            Key=f"{folder}job-output-manifest.json",
            Body=json.dumps(summary).encode(),
        )
