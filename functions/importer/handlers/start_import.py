"""Lambda StartImport: ImportQueue -> import jobs."""

from __future__ import annotations

import os
import time
from functools import cache, partial
from typing import Any

from importer.adapters.clients import client
from importer.adapters.contents import ContentLedger
from importer.adapters.healthimaging import HealthImaging
from importer.adapters.ledger import Ledger
from importer.adapters.s3 import LandingBucket
from importer.adapters.sqs import Queues, postpone
from importer.domain.messages import announced_batches
from importer.domain.planning import JobQuota
from importer.domain.start_import import StartImport
from importer.environment import StartImportSettings
from importer.handlers.partial_batch import Message, Served, serve
from importer.observability import PowertoolsTelemetry


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Start the jobs of every batch that the messages announce."""
    return serve(event, _served())


@cache
def _served() -> Served:
    s = StartImportSettings.from_env(os.environ)
    telemetry = PowertoolsTelemetry(stack_name=s.stack_name, log_level=s.log_level)
    start_import = StartImport(
        manifests=LandingBucket(client("s3"), s.landing_bucket),
        batches=Ledger(client("dynamodb"), s.table_name, time.time),
        contents=ContentLedger(client("dynamodb"), s.table_name),
        service=HealthImaging(
            client("medical-imaging", attempts=1),
            datastore_id=s.datastore_id,
            data_access_role_arn=s.data_access_role_arn,
            landing_bucket=s.landing_bucket,
            results_bucket=s.results_bucket,
        ),
        announcements=Queues(
            client("sqs"),
            import_queue_url=s.import_queue_url,
            outcome_queue_url=s.outcome_queue_url,
        ),
        telemetry=telemetry,
        clock=time.time,
        quota=JobQuota(max_files=s.job_max_files),
        unreadable_after=s.unreadable_after,
    )

    def work(message: Message) -> None:
        for batch_id in announced_batches(message.body):
            start_import.run(batch_id, deliveries=message.deliveries)

    delay = partial(postpone, client("sqs"), s.import_queue_url)
    return Served(work=work, telemetry=telemetry, postpone=delay)
