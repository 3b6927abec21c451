"""Sweep as it will run hours from now: the product's own, its adapters real, only its clock ahead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from importer.adapters.ledger import Ledger
from importer.adapters.s3 import LandingBucket
from importer.adapters.sqs import Queues
from importer.domain.sweep import Sweep, SweepPolicy
from importer.environment import SweepSettings
from tests.importer.fake_aws import FakeTelemetry

RUN_S = 120.0
_FOUND = ("announced", "asked", "adopted", "unaccounted")


def sweep_later(
    client: Callable[[str], Any], *, bucket: str, table: str, later_s: float
) -> dict[str, int]:
    """Let Sweep run once with its clock `later_s` ahead; return what it found to do, by name.

    Args:
        client: Takes a service, returns its boto3 client.
        bucket: The landing bucket.
        table: The ledger.
        later_s: Seconds.
    """

    def clock() -> float:
        return time.time() + later_s

    sqs, defaults = client("sqs"), SweepSettings.defaults()
    urls = {url.rpartition("/")[2]: url for url in sqs.list_queues()["QueueUrls"]}
    landing, ledger = LandingBucket(client("s3"), bucket), Ledger(client("dynamodb"), table, clock)
    telemetry = FakeTelemetry()
    Sweep(
        landing=landing,
        manifests=landing,
        instances=landing,
        batches=ledger,
        progress=ledger,
        announcements=Queues(
            sqs, import_queue_url=urls["ImportQueue"], outcome_queue_url=urls["OutcomeQueue"]
        ),
        telemetry=telemetry,
        clock=clock,
        policy=SweepPolicy(**{f"{name}_s": defaults[f"{name}_s"] for name in _TIMES}),
    ).run(until=clock() + RUN_S)
    [swept] = [fields for event, fields in telemetry.events if event == "swept"]
    return {name: int(str(swept[name])) for name in _FOUND if swept[name]}


_TIMES = ("reannounce_after", "poll_after", "adopt_after", "close_after")
