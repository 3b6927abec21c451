"""The queues' messages are read whoever wrote them."""

from __future__ import annotations

import json

import pytest

from importer.domain.errors import UnknownMessageError
from importer.domain.messages import (
    announced_batches,
    batch_announcement,
    inquiry_of,
    outcome_request,
    wait_before_retry_s,
)
from importer.domain.record_outcome import Inquiry
from tests.importer.builders import make_batch_id

BATCH = make_batch_id()


def test_an_announcement_reads_back() -> None:
    """Our own announcement has the shape of S3's event."""
    assert announced_batches(batch_announcement(BATCH)) == [BATCH]


def test_a_url_encoded_key_is_decoded() -> None:
    """S3 encodes keys in its events."""
    key = BATCH.manifest_key.replace("/", "%2F")
    body = json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})

    assert announced_batches(body) == [BATCH]


def test_s3s_test_event_is_dropped() -> None:
    """The event that S3 sends when the notification is configured announces nothing."""
    assert announced_batches('{"Service":"Amazon S3","Event":"s3:TestEvent"}') == []


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"Records":[{}]}', '{"Records":[{"s3":{"object":{"key":"x"}}}]}']
)
def test_what_is_no_announcement_is_refused(body: str) -> None:
    """Anything else ends in the dead-letter queue rather than unnoticed."""
    with pytest.raises(UnknownMessageError):
        announced_batches(body)


def test_a_job_event_names_its_job() -> None:
    """EventBridge's event leads to the job; batch and attempt are read from the job itself."""
    body = json.dumps(
        {
            "source": "aws.medical-imaging",
            "detail-type": "Import Job Completed",
            "detail": {"jobId": "j1", "jobName": str(BATCH), "jobStatus": "COMPLETED"},
        }
    )

    assert inquiry_of(body) == Inquiry(job_id="j1")


def test_a_request_reads_back() -> None:
    """Our own question carries batch and attempt."""
    assert inquiry_of(outcome_request(BATCH, 7, "known")) == Inquiry(
        job_id="known", batch_id=BATCH, attempt=7
    )


def test_other_events_of_the_service_are_ignored() -> None:
    """An image set's event is nothing to record."""
    body = '{"source":"aws.medical-imaging","detail-type":"Image Set Created","detail":{}}'

    assert inquiry_of(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"source":"aws.s3","detail-type":"Import Job Completed","detail":{"jobId":"1"}}',
        '{"source":"aws.medical-imaging","detail-type":"Import Job Completed","detail":{}}',
    ],
)
def test_what_is_no_event_is_refused(body: str) -> None:
    """Anything else ends in the dead-letter queue rather than unnoticed."""
    with pytest.raises(UnknownMessageError):
        inquiry_of(body)


def test_the_wait_grows_with_deliveries_and_is_bounded() -> None:
    """A throttled message is back within seconds; one that keeps failing waits up to three minutes."""
    assert [wait_before_retry_s(n, 0.0) for n in (1, 2, 3, 50)] == [2, 4, 8, 90]
    assert [wait_before_retry_s(n, 1.0) for n in (1, 2, 3, 50)] == [4, 8, 16, 180]
    assert all(2 <= wait_before_retry_s(1) <= 4 for _ in range(50))
