"""The queues' messages: S3 events that announce a batch, HealthImaging events that end a job.

What we send ourselves has the same shapes, so that there is one reader for each queue.
"""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from contract.keys import BatchId, InvalidKeyError, batch_of_manifest_key
from importer.domain.errors import UnknownMessageError
from importer.domain.record_outcome import Inquiry

JOB_EVENT_SOURCE = "aws.medical-imaging"
OWN_EVENT_SOURCE = "storescp.importer"
_JOB_EVENT_PREFIX = "Import Job "

_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 180.0


def batch_announcement(batch_id: BatchId) -> str:
    """Return an announcement as S3 would send it."""
    record = {
        "eventSource": OWN_EVENT_SOURCE,
        "eventName": "ObjectCreated:Put",
        "s3": {"object": {"key": quote_plus(batch_id.manifest_key)}},
    }
    return json.dumps({"Records": [record]})


def announced_batches(body: str) -> list[BatchId]:
    """Return the batches that a message announces; none for S3's test event.

    Raises:
        UnknownMessageError: It is no S3 event, or of another object than a manifest.
    """
    document = _document(body)
    if document.get("Event") == "s3:TestEvent":
        return []
    try:
        keys = [unquote_plus(record["s3"]["object"]["key"]) for record in document["Records"]]
        return [batch_of_manifest_key(key) for key in keys]
    except (KeyError, TypeError, InvalidKeyError) as error:
        raise UnknownMessageError(f"not an announcement of a batch: {error!r}") from error


def outcome_request(batch_id: BatchId, attempt: int, job_id: str) -> str:
    """Return a message that asks RecordOutcome to look after a job, in the shape of an event."""
    detail = {"jobId": job_id, "batch": str(batch_id), "attempt": attempt}
    return json.dumps(
        {"source": OWN_EVENT_SOURCE, "detail-type": f"{_JOB_EVENT_PREFIX}Asked", "detail": detail}
    )


def inquiry_of(body: str) -> Inquiry | None:
    """Return which job a message is about; None for events of other things.

    Raises:
        UnknownMessageError: It is no event.
    """
    document = _document(body)
    kind = str(document.get("detail-type", ""))
    source = document.get("source")
    if source not in (JOB_EVENT_SOURCE, OWN_EVENT_SOURCE):
        raise UnknownMessageError("not an event of an import job")
    if not kind.startswith(_JOB_EVENT_PREFIX):
        return None
    try:
        detail = document["detail"]
        batch = BatchId.parse(detail["batch"]) if source == OWN_EVENT_SOURCE else None
        return Inquiry(
            job_id=str(detail["jobId"]), batch_id=batch, attempt=int(detail.get("attempt", 0))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownMessageError(f"not an event of an import job: {error!r}") from error


def wait_before_retry_s(deliveries: int, fraction: float | None = None) -> int:
    """Return how long a failed message stays invisible.

    StartDICOMImportJob takes 1 call/s (burst 2), so a throttled start should be tried again within
    seconds; the wait doubles up to three minutes, with full jitter above its half so that messages
    that were throttled together come back apart.

    Args:
        deliveries: How often the message was delivered (ApproximateReceiveCount), from 1.
        fraction: 0..1, where in the jitter's range; random if None.
    """
    longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(deliveries, 16))
    place = random.random() if fraction is None else fraction  # noqa: S311 - jitter is no secret
    return max(1, round(longest / 2 + longest / 2 * place))


def _document(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise UnknownMessageError("not JSON") from error
    if not isinstance(document, dict):
        raise UnknownMessageError("not a JSON object")
    return document
