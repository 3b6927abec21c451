"""Lambda Sweep: every five minutes, what was lost is found again and the sum is proved; daily, all of it."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Any

from importer.adapters.archive import Archive
from importer.adapters.clients import client
from importer.adapters.ledger import Ledger
from importer.adapters.s3 import LandingBucket
from importer.adapters.sqs import Queues
from importer.domain.full_proof import FullProof
from importer.domain.sweep import Sweep, SweepPolicy
from importer.environment import SweepSettings
from importer.observability import PowertoolsTelemetry

_RESERVE_S = 15.0
"""Left of the function's time when the run stops: one listing or adoption may still be under way."""


def handler(_event: dict[str, Any], context: Any) -> None:
    """Sweep until shortly before the function's timeout."""
    sweep, full_proof, telemetry = _sweep()
    left_s = context.get_remaining_time_in_millis() / 1000
    until = time.time() + max(1.0, left_s - _RESERVE_S)
    try:
        sweep.run(until=until)
        full_proof.run(until=until)
    finally:
        telemetry.flush()


@cache
def _sweep() -> tuple[Sweep, FullProof, PowertoolsTelemetry]:
    s = SweepSettings.from_env(os.environ)
    telemetry = PowertoolsTelemetry(stack_name=s.stack_name, log_level=s.log_level)
    landing = LandingBucket(client("s3"), s.landing_bucket)
    ledger = Ledger(client("dynamodb"), s.table_name, time.time)
    queues = Queues(
        client("sqs"), import_queue_url=s.import_queue_url, outcome_queue_url=s.outcome_queue_url
    )
    sweep = Sweep(
        landing=landing,
        manifests=landing,
        instances=landing,
        batches=ledger,
        progress=ledger,
        announcements=queues,
        telemetry=telemetry,
        clock=time.time,
        policy=SweepPolicy(
            reannounce_after_s=s.reannounce_after_s,
            poll_after_s=s.poll_after_s,
            adopt_after_s=s.adopt_after_s,
            close_after_s=s.close_after_s,
        ),
    )
    full_proof = FullProof(
        landing=landing,
        archive=Archive(client("s3"), s.landing_bucket),
        manifests=landing,
        progress=ledger,
        proofs=ledger,
        announcements=queues,
        telemetry=telemetry,
        clock=time.time,
        settled_after_s=s.close_after_s,
    )
    return sweep, full_proof, telemetry
