"""Serve a batch of SQS messages one by one; those that fail come back sooner than the queue would.

Powertools' batch processor does the same, and its import is half of a cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from importer.domain.errors import RetryLaterError
from importer.domain.messages import wait_before_retry_s
from importer.observability import PowertoolsTelemetry


@dataclass(frozen=True, slots=True)
class Message:
    """What a handler needs of an SQS message."""

    body: str
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How messages are served: the work, where its log goes, how a failed one is postponed."""

    work: Callable[[Message], None]
    telemetry: PowertoolsTelemetry
    postpone: Callable[[str, int], None]
    """Takes a receipt handle and seconds."""


def serve(event: Mapping[str, Any], served: Served) -> dict[str, Any]:
    """Serve every message of `event` and report those that failed (ReportBatchItemFailures)."""
    try:
        failed = [record["messageId"] for record in event["Records"] if not _serve(record, served)]
    finally:
        served.telemetry.flush()
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}


def _serve(record: Mapping[str, Any], served: Served) -> bool:
    deliveries = int(record.get("attributes", {}).get("ApproximateReceiveCount") or 1)
    try:
        served.work(Message(record["body"], deliveries))
    except Exception as error:  # noqa: BLE001 - whatever it is, the message comes back and the others go on
        _postpone(record, error, deliveries, served)
        return False
    return True


def _postpone(record: Mapping[str, Any], error: Exception, deliveries: int, served: Served) -> None:
    """Log a failure by its kind (no traceback's values, no body) and bring the message back in time."""
    wait_s = wait_before_retry_s(deliveries)
    telemetry = served.telemetry
    log = telemetry.info if isinstance(error, RetryLaterError) else telemetry.error
    log(
        "message_failed",
        message_id=record["messageId"],
        error=type(error).__name__,
        reason=str(error)[:300],
        deliveries=deliveries,
        wait_s=wait_s,
    )
    try:
        served.postpone(record["receiptHandle"], wait_s)
    except Exception as late:  # noqa: BLE001 - then it comes back after the queue's own visibility timeout
        telemetry.warning("message_not_postponed", error=type(late).__name__)
