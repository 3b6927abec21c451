"""What an import job writes under its output prefix.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-import-jobs.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.healthimaging.image_sets import ImageSet

MANIFEST = "job-output-manifest.json"
SUCCESS = "SUCCESS/success.ndjson"
FAILURE = "FAILURE/failure.ndjson"
WARNING = "WARNING/warning.ndjson"


def output_folder(datastore_id: str, job_id: str) -> str:
    """Return the folder that the service appends to a job's output prefix."""
    return f"{datastore_id}-DicomImport-{job_id}/"


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://bucket/prefix`, the prefix ending with a slash unless empty."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix if prefix == "" or prefix.endswith("/") else prefix + "/"


@dataclass(slots=True)
class JobOutput:
    """Outcomes of a job's files, as lines of its ndjson files."""

    successes: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    server_errors: int = 0

    def succeeded(self, key: str, image_set: ImageSet, warnings: Iterable[dict[str, Any]]) -> None:
        """Note an imported file; one with warnings has a line in both files."""
        response = {"imageSetId": image_set.id, "isPrimary": image_set.is_primary}
        self.successes.append({"inputFile": key, "importResponse": response})
        listed = list(warnings)
        if listed:
            warned = {
                "imageSetId": image_set.id,
                "imageSetVersion": image_set.version,
                "isPrimary": image_set.is_primary,
                "warnings": listed,
            }
            self.warnings.append({"inputFile": key, "importResponse": warned})

    def failed(self, key: str, kind: str, message: str) -> None:
        """Note a file that was not imported."""
        exception = {"exceptionType": kind, "message": message}
        self.failures.append({"inputFile": key, "exception": exception})
        self.server_errors += kind == "InternalServerException"

    def files(
        self,
        *,
        datastore_id: str,
        job_id: str,
        input_uri: str,
        output_uri: str,
        image_sets: Iterable[tuple[ImageSet, int]],
    ) -> dict[str, bytes]:
        """Return the output files by name relative to the job's folder, the manifest last.

        Args:
            datastore_id: Of the job.
            job_id: Of the job.
            input_uri: As in the request.
            output_uri: With the job's folder, ending with a slash.
            image_sets: Each one touched, with the number of instances matched.
        """
        sets = [
            {
                "imageSetId": image_set.id,
                "imageSetVersion": image_set.version,
                "isPrimary": image_set.is_primary,
                "numberOfMatchedSOPInstances": count,
            }
            for image_set, count in image_sets
        ]
        summary = {
            "jobId": job_id,
            "datastoreId": datastore_id,
            "inputS3Uri": input_uri,
            "outputS3Uri": output_uri,
            "successOutputS3Uri": f"{output_uri}SUCCESS/",
            "failureOutputS3Uri": f"{output_uri}FAILURE/",
            "warningsOutputS3Uri": f"{output_uri}WARNING/",
            "numberOfScannedFiles": len(self.successes) + len(self.failures),
            "numberOfImportedFiles": len(self.successes),
            "numberOfFilesWithCustomerError": len(self.failures) - self.server_errors,
            "numberOfFilesWithServerError": self.server_errors,
            "numberOfGeneratedImageSets": len(sets),
            "imageSetsSummary": sets,
        }
        lines = {SUCCESS: self.successes, FAILURE: self.failures, WARNING: self.warnings}
        files = {name: _ndjson(rows) for name, rows in lines.items() if rows}
        files[MANIFEST] = json.dumps({"jobSummary": summary}).encode()
        return files


def _ndjson(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
