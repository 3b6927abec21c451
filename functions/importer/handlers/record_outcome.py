"""Lambda RecordOutcome: OutcomeQueue -> ledger, quarantine, tags."""

from __future__ import annotations

import os
import time
from functools import cache, partial
from typing import Any

from importer.adapters.clients import client
from importer.adapters.contents import ContentLedger
from importer.adapters.healthimaging import HealthImaging
from importer.adapters.ledger import Ledger
from importer.adapters.results import ResultsBucket
from importer.adapters.s3 import LandingBucket
from importer.adapters.sqs import Queues, postpone
from importer.domain.messages import inquiry_of
from importer.domain.record_outcome import RecordOutcome
from importer.environment import RecordOutcomeSettings
from importer.handlers.partial_batch import Message, Served, serve
from importer.observability import PowertoolsTelemetry


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Record the outcome of every job that the messages name."""
    return serve(event, _served())


@cache
def _served() -> Served:
    s = RecordOutcomeSettings.from_env(os.environ)
    telemetry = PowertoolsTelemetry(stack_name=s.stack_name, log_level=s.log_level)
    landing = LandingBucket(client("s3"), s.landing_bucket)
    record_outcome = RecordOutcome(
        manifests=landing,
        instances=landing,
        results=ResultsBucket(client("s3"), datastore_id=s.datastore_id),
        batches=Ledger(client("dynamodb"), s.table_name, time.time),
        contents=ContentLedger(client("dynamodb"), s.table_name),
        service=HealthImaging(client("medical-imaging"), datastore_id=s.datastore_id),
        announcements=Queues(
            client("sqs"),
            import_queue_url=s.import_queue_url,
            outcome_queue_url=s.outcome_queue_url,
        ),
        telemetry=telemetry,
        clock=time.time,
        landing_bucket=s.landing_bucket,
        output_grace_s=s.output_grace_s,
    )

    def work(message: Message) -> None:
        inquiry = inquiry_of(message.body)
        if inquiry is not None:
            record_outcome.run(inquiry)

    delay = partial(postpone, client("sqs"), s.outcome_queue_url)
    return Served(work=work, telemetry=telemetry, postpone=delay)
