"""Lambda Redrive: what an operator asks for, by a button of the dashboard, `make redrive` or an invocation.

Apart from View, because seeing is not doing: who may look at the dashboard need not be allowed to act.
"""

from __future__ import annotations

import os
import time
from functools import cache
from html import escape
from typing import Any

from importer.adapters.clients import client
from importer.adapters.contents import ContentLedger
from importer.adapters.ledger import Ledger
from importer.adapters.s3 import LandingBucket
from importer.adapters.sqs import Queues
from importer.domain.commands import Command, InvalidCommandError, Report
from importer.domain.errors import RetryLaterError
from importer.domain.planning import JobQuota
from importer.domain.redrive import Redriving
from importer.environment import RedriveSettings
from importer.observability import PowertoolsTelemetry

_RESERVE_S = 10.0
"""Left of the function's time when it begins nothing more: one batch may still be under way."""
_DESCRIPTION = """StoreSCP: has quarantined images imported again, or originals expire.

```yaml
action: redrive   # or release
operator: j.doe   # who asks
batch: ...        # or key: ..., or (redrive only) all: true
```
"""


def handler(event: dict[str, Any], context: Any) -> str | dict[str, Any]:
    """Do what `event` asks; see `domain.commands`.

    Returns:
        A sentence in HTML for the dashboard (an event with `widgetContext`), else numbers, or
        `{"error": ...}` for what is no command or has to be asked again.
    """
    if event.get("describe"):
        return _DESCRIPTION
    try:
        answer = _run(event, context).document()
    except InvalidCommandError as error:
        answer = {"error": str(error)}
    except RetryLaterError as error:
        answer = {"error": f"nothing was changed, ask again in a minute: {error}"}
    return _sentence(answer) if "widgetContext" in event else answer


def _run(event: dict[str, Any], context: Any) -> Report:
    command = Command.parse(event)
    redriving, telemetry = _redriving()
    left_s = context.get_remaining_time_in_millis() / 1000
    try:
        return redriving.run(command, until=time.time() + max(1.0, left_s - _RESERVE_S))
    finally:
        telemetry.flush()


def _sentence(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"<p>Not done: {escape(answer['error'])}.</p>"
    facts = [f"{answer['asked']} asked for"]
    facts.extend(
        f"{answer[name]} {name.replace('_', ' ')}"
        for name in (
            "under_way",
            "not_quarantined",
            "not_imported",
            "missing",
            "unknown",
            "left",
        )
        if answer[name]
    )
    more = "" if answer["complete"] else " There is more: ask again."
    return f"<p>Images: {', '.join(facts)}.{more}</p>"


@cache
def _redriving() -> tuple[Redriving, PowertoolsTelemetry]:
    s = RedriveSettings.from_env(os.environ)
    telemetry = PowertoolsTelemetry(stack_name=s.stack_name, log_level=s.log_level)
    landing = LandingBucket(client("s3"), s.landing_bucket)
    ledger = Ledger(client("dynamodb"), s.table_name, time.time)
    redriving = Redriving(
        manifests=landing,
        instances=landing,
        batches=ledger,
        contents=ContentLedger(client("dynamodb"), s.table_name),
        quarantine=ledger,
        announcements=Queues(
            client("sqs"),
            import_queue_url=s.import_queue_url,
            outcome_queue_url=s.outcome_queue_url,
        ),
        telemetry=telemetry,
        clock=time.time,
        quota=JobQuota(max_files=s.job_max_files),
    )
    return redriving, telemetry
