"""Functions that are called as in AWS, not by the emulator.

It would hand each message of a queue to a container at once, and each event to rules that are schedules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.awslambda.models import LambdaBackend
from moto.events.models import Rule
from moto.sqs.models import sqs_backends

from ci.taskcat.emulator.mending import mend


def install() -> None:
    """Mend the emulator."""
    mend(LambdaBackend, "create_event_source_mapping", _without_delivery)
    mend(Rule, "send_to_targets", _unless_a_schedule)


def _without_delivery(create: Callable[..., Any]) -> Callable[..., Any]:
    def made(self: Any, spec: dict[str, Any]) -> Any:
        mapping = create(self, spec)
        for queue in sqs_backends[self.account_id][self.region_name].queues.values():
            queue.lambda_event_source_mappings.clear()
        return mapping

    return made


def _unless_a_schedule(send: Callable[..., None]) -> Callable[..., None]:
    def sent(self: Any, event: Any, **options: Any) -> None:
        if not self.scheduled_expression:
            send(self, event, **options)

    return sent
