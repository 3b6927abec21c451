"""The HealthImaging adapter against botocore's own model of the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from contract.keys import BatchId
from importer.adapters.healthimaging import HealthImaging
from importer.domain.batch import client_token
from importer.domain.errors import ThrottledError
from importer.domain.jobs import Job, JobStatus, attempt_of, output_prefix
from tests.importer.builders import make_batch_id

BATCH = make_batch_id()
DATASTORE = "d" * 32
ROLE = "arn:aws:iam::123456789012:role/import"


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "medical-imaging",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - nothing is called
    )


@pytest.fixture
def service(client: Any) -> HealthImaging:
    return HealthImaging(
        client,
        datastore_id=DATASTORE,
        data_access_role_arn=ROLE,
        landing_bucket="landing",
        results_bucket="results",
    )


def start(service: HealthImaging) -> str:
    return service.start(
        prefix=BATCH.prefix,
        output=output_prefix(BATCH, 3),
        name=str(BATCH),
        token=client_token(BATCH, 3),
    )


def test_a_job_is_started_with_prefixes_and_token(client: Any, service: HealthImaging) -> None:
    """The request is valid by the service's model and names exactly the batch's prefix."""
    with Stubber(client) as stub:
        stub.add_response(
            "start_dicom_import_job",
            {
                "datastoreId": DATASTORE,
                "jobId": "j1",
                "jobStatus": "SUBMITTED",
                "submittedAt": datetime.now(UTC),
            },
            {
                "datastoreId": DATASTORE,
                "dataAccessRoleArn": ROLE,
                "clientToken": f"{BATCH}.3",
                "jobName": str(BATCH),
                "inputS3Uri": f"s3://landing/{BATCH.prefix}",
                "outputS3Uri": f"s3://results/jobs/{BATCH}/3/",
            },
        )

        assert start(service) == "j1"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("ServiceQuotaExceededException", 402),
        ("ConflictException", 409),
        ("InternalServerException", 500),
        ("SomethingNew", 503),
    ],
)
def test_what_passes_is_tried_again(
    client: Any, service: HealthImaging, code: str, status: int
) -> None:
    """Throttling, quotas, conflicts and server errors leave the message in the queue."""
    with Stubber(client) as stub:
        stub.add_client_error("start_dicom_import_job", code, http_status_code=status)

        with pytest.raises(ThrottledError):
            start(service)


def test_what_does_not_pass_is_an_error(client: Any, service: HealthImaging) -> None:
    """A refused role is no throttling."""
    with Stubber(client) as stub:
        stub.add_client_error(
            "start_dicom_import_job", "AccessDeniedException", http_status_code=403
        )

        with pytest.raises(ClientError):
            start(service)


def test_a_prefix_without_a_slash_is_never_sent(service: HealthImaging) -> None:
    """A string prefix could match a neighbour's folder."""
    with pytest.raises(ValueError, match="slash"):
        service.start(prefix="incoming", output="jobs/", name="n", token="t")  # noqa: S106 - a client token, no secret


def test_a_job_is_read(client: Any, service: HealthImaging) -> None:
    """Status, URIs and the end of the job are taken from GetDICOMImportJob."""
    ended = datetime(2026, 11, 23, tzinfo=UTC)
    output = f"s3://results/jobs/{BATCH}/3/{DATASTORE}-DicomImport-j1/"
    properties = {
        "jobId": "j1",
        "jobName": str(BATCH),
        "jobStatus": "COMPLETED",
        "datastoreId": DATASTORE,
        "dataAccessRoleArn": ROLE,
        "endedAt": ended,
        "inputS3Uri": f"s3://landing/{BATCH.prefix}",
        "outputS3Uri": output,
    }
    with Stubber(client) as stub:
        stub.add_response("get_dicom_import_job", {"jobProperties": properties})
        job = service.job("j1")

    assert job == Job(
        job_id="j1",
        name=str(BATCH),
        status=JobStatus.COMPLETED,
        input_uri=f"s3://landing/{BATCH.prefix}",
        output_uri=output,
        ended_at=ended.timestamp(),
    )
    assert attempt_of(job) == (BATCH, 3)


def test_an_unknown_job_is_none(client: Any, service: HealthImaging) -> None:
    """A job of another stack or a lost data store is no error."""
    with Stubber(client) as stub:
        stub.add_client_error(
            "get_dicom_import_job", "ResourceNotFoundException", http_status_code=404
        )

        assert service.job("j1") is None


@pytest.mark.parametrize(
    "uri",
    ["s3://results/", "s3://results/jobs/x/0/", f"s3://results/jobs/{BATCH}/", "s3://other/a/b/c/"],
)
def test_a_foreign_job_is_recognised(uri: str) -> None:
    """A job that an operator started by hand is not taken for one of ours."""
    job = Job(job_id="j", name="n", status=JobStatus.COMPLETED, input_uri="", output_uri=uri)

    assert attempt_of(job) is None


def test_a_token_is_within_the_service_limit() -> None:
    """The longest token fits 64 characters."""
    longest = BatchId(BATCH.hour, 9_999_999_999, BATCH.kind, "f" * 12)

    assert len(client_token(longest, 99_999)) <= 64
