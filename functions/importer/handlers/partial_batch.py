"""Serve a batch of SQS messages one by one; those that fail come back sooner than the queue would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

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


def serve(event: dict[str, Any], context: Any, served: Served) -> dict[str, Any]:
    """Serve every message of `event` and report those that failed (ReportBatchItemFailures)."""

    def record_handler(record: SQSRecord) -> None:
        deliveries = int(record.attributes.approximate_receive_count or 1)
        try:
            served.work(Message(record.body, deliveries))
        except Exception as error:
            wait_s = wait_before_retry_s(deliveries)
            _log_failure(served.telemetry, record, error, deliveries, wait_s)
            served.postpone(record.receipt_handle, wait_s)
            raise

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    try:
        return dict(process_partial_response(event, record_handler, processor, context))
    finally:
        served.telemetry.flush()


def _log_failure(
    telemetry: PowertoolsTelemetry,
    record: SQSRecord,
    error: Exception,
    deliveries: int,
    wait_s: int,
) -> None:
    """Log a failure by its kind; no traceback's values, no body."""
    log = telemetry.info if isinstance(error, RetryLaterError) else telemetry.error
    log(
        "message_failed",
        message_id=record.message_id,
        error=type(error).__name__,
        reason=str(error)[:300],
        deliveries=deliveries,
        wait_s=wait_s,
    )
