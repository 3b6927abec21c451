"""What the stack says of each function: code, environment, timeout and what calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from local.provision import PhysicalIds, ProvisionError
from local.references import resolve, target
from local.template import Resource, Stack

DEFAULT_TIMEOUT_S = 3
DEFAULT_BATCH_SIZE = 10
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_S = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSource:
    """An event source mapping from a queue."""

    queue_url: str
    queue_arn: str
    batch_size: int
    window_s: int
    reports_failures: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A rule that calls the function regularly."""

    every_s: int
    event: str
    """JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of the stack, ready to run."""

    logical_id: str
    handler: str
    environment: dict[str, str]
    timeout_s: int
    memory_mib: int
    sources: tuple[QueueSource, ...]
    schedules: tuple[Schedule, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON can carry it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` made."""
        sources = tuple(QueueSource(**item) for item in document["sources"])
        schedules = tuple(Schedule(**item) for item in document["schedules"])
        return cls(**{**document, "sources": sources, "schedules": schedules})


def functions(stack: Stack, ids: PhysicalIds) -> dict[str, Function]:
    """Return every function of the stack by logical id.

    Raises:
        ProvisionError: Something calls a function in a way that has no local meaning.
    """
    return {
        resource.logical_id: _function(resource, stack, ids)
        for resource in stack.of_type("AWS::Lambda::Function")
    }


def container_environment(stack: Stack, ids: PhysicalIds) -> dict[str, str]:
    """Return the environment of the task definition's container.

    Raises:
        ProvisionError: There is not exactly one.
    """
    definitions = list(stack.of_type("AWS::ECS::TaskDefinition"))
    if len(definitions) != 1:
        raise ProvisionError(f"The template has {len(definitions)} task definitions, not one")
    containers = definitions[0].properties["ContainerDefinitions"]
    variables = resolve(containers[0].get("Environment", []), ids)
    # The renderer takes an empty text for AWS::NoValue and drops it.
    return {item["Name"]: str(item.get("Value", "")) for item in variables}


def _function(resource: Resource, stack: Stack, ids: PhysicalIds) -> Function:
    properties = resource.properties
    variables = resolve(properties.get("Environment", {}).get("Variables", {}), ids)
    return Function(
        logical_id=resource.logical_id,
        handler=str(properties.get("Handler", "")),
        environment={name: str(value) for name, value in variables.items()},
        timeout_s=int(properties.get("Timeout", DEFAULT_TIMEOUT_S)),
        memory_mib=int(properties.get("MemorySize", 128)),
        sources=tuple(_sources(resource.logical_id, stack, ids)),
        schedules=tuple(_schedules(resource.logical_id, stack, ids)),
    )


def _sources(logical_id: str, stack: Stack, ids: PhysicalIds) -> Iterator[QueueSource]:
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        properties = mapping.properties
        if target(properties["FunctionName"]) != logical_id:
            continue
        queue = stack.get(target(properties["EventSourceArn"]))
        if queue is None or queue.type != "AWS::SQS::Queue":
            raise ProvisionError(f"{mapping.logical_id} reads something other than a queue")
        if not properties.get("Enabled", True):
            continue
        yield QueueSource(
            queue_url=ids(queue.logical_id, ""),
            queue_arn=ids(queue.logical_id, "Arn"),
            batch_size=int(properties.get("BatchSize", DEFAULT_BATCH_SIZE)),
            window_s=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
            reports_failures="ReportBatchItemFailures"
            in properties.get("FunctionResponseTypes", ()),
        )


def _schedules(logical_id: str, stack: Stack, ids: PhysicalIds) -> Iterator[Schedule]:
    for rule in stack.of_type("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        properties = rule.properties
        expression = properties.get("ScheduleExpression")
        if not expression or properties.get("State", "ENABLED") != "ENABLED":
            continue
        one = properties.get("Target")
        for item in [one] if one else properties.get("Targets", ()):
            if target(item["Arn"]) == logical_id:
                yield Schedule(
                    every_s=schedule_seconds(rule.logical_id, expression),
                    event=resolve(item.get("Input", "{}"), ids),
                )


def schedule_seconds(logical_id: str, expression: str) -> int:
    """Return the seconds of a rate() expression.

    Raises:
        ProvisionError: It is another expression.
    """
    match = _RATE.fullmatch(expression)
    if match is None:
        raise ProvisionError(f"{logical_id}: only rate() schedules run here, not {expression}")
    return int(match[1]) * _UNIT_S[match[2]]
