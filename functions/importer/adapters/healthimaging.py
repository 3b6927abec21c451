"""Import jobs of AWS HealthImaging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from importer.adapters.clients import error_code
from importer.domain.errors import ThrottledError
from importer.domain.jobs import Job, JobStatus

_COME_BACK = frozenset(
    {
        "ThrottlingException",
        "TooManyRequestsException",
        # Which of the two is raised at the limit of concurrent jobs is not documented.
        "ServiceQuotaExceededException",
        # A data store that is being changed, or a token in use: it passes.
        "ConflictException",
        "InternalServerException",
        "ServiceUnavailableException",
    }
)


class HealthImaging:
    """StartDICOMImportJob and GetDICOMImportJob of one data store.

    Args:
        client: boto3's `medical-imaging`, one attempt a call: the queue is the retry.
        datastore_id: The data store.
        data_access_role_arn: By which the service reads and writes the buckets.
        landing_bucket: Input.
        results_bucket: Output.
    """

    def __init__(
        self,
        client: Any,
        *,
        datastore_id: str,
        data_access_role_arn: str = "",
        landing_bucket: str = "",
        results_bucket: str = "",
    ) -> None:
        self._client = client
        self._datastore_id = datastore_id
        self._role = data_access_role_arn
        self._landing = landing_bucket
        self._results = results_bucket

    def start(self, *, prefix: str, output: str, name: str, token: str) -> str:
        """Start a job; see `ports.ImportService`."""
        if not prefix.endswith("/") or not output.endswith("/"):
            raise ValueError("a job's prefixes end with a slash")
        try:
            response = self._client.start_dicom_import_job(
                datastoreId=self._datastore_id,
                dataAccessRoleArn=self._role,
                clientToken=token,
                jobName=name,
                inputS3Uri=f"s3://{self._landing}/{prefix}",
                outputS3Uri=f"s3://{self._results}/{output}",
            )
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if error_code(error) in _COME_BACK or status >= 500:  # noqa: PLR2004 - HTTP's classes
                raise ThrottledError(error_code(error)) from error
            raise
        return str(response["jobId"])

    def jobs(self) -> Iterator[Job]:
        """Return every job that is still known; see `ports.JobHistory`."""
        request: dict[str, Any] = {"datastoreId": self._datastore_id, "maxResults": 50}
        while True:
            page = self._client.list_dicom_import_jobs(**request)
            for summary in page["jobSummaries"]:
                yield Job(
                    job_id=str(summary["jobId"]),
                    name=str(summary.get("jobName", "")),
                    status=JobStatus(summary["jobStatus"]),
                    input_uri="",
                    output_uri="",
                )
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]

    def job(self, job_id: str) -> Job | None:
        """Return a job; see `ports.ImportService`."""
        try:
            response = self._client.get_dicom_import_job(
                datastoreId=self._datastore_id, jobId=job_id
            )
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        job = response["jobProperties"]
        ended = job.get("endedAt")
        return Job(
            job_id=str(job["jobId"]),
            name=str(job.get("jobName", "")),
            status=JobStatus(job["jobStatus"]),
            input_uri=str(job["inputS3Uri"]),
            output_uri=str(job["outputS3Uri"]),
            ended_at=ended.timestamp() if ended else 0.0,
        )
