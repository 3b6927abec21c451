"""Runs what stacks describe: for each complete one its receiver, its functions and its load balancer, as processes.

Everything is read from the emulated services as the stack left it there: the container's environment from the
registered task definition, the functions' from Lambda, listener and target group from Elastic Load Balancing.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.taskcat.emulator.balancer import Plan
from ci.taskcat.prerequisites import Client
from local.environment import STOP_TIMEOUT
from local.function import TIMED_OUT
from local.functions import Function, QueueSource, Schedule, schedule_seconds
from local.ports import free_port
from local.processes import Part

_PRODUCT = "AWS::ECS::Service"
"""A stack without one has nothing to run."""
_STOP_S = 15.0


class PlaneError(Exception):
    """A stack cannot be run, or a part of it ended; the message says why."""


@dataclass(slots=True)
class _Running:
    parts: list[Part]
    functions: list[tuple[Part, str]]


@dataclass(frozen=True, slots=True)
class _Stack:
    """What a stack's parts are started by.

    Attributes:
        region: Where it is.
        resources: Physical ids by type.
        environ: Of every part.
        port: Of its receiver, behind the load balancer.
        logs: Folder of its parts' logs.
    """

    region: str
    resources: Mapping[str, list[str]]
    environ: Mapping[str, str]
    port: int
    logs: Path


class Plane:
    """The stacks that run; `turn` brings it up to date."""

    def __init__(
        self, client: Client, environ: Mapping[str, str], certificate: Path, logs: Path
    ) -> None:
        """Run nothing yet.

        Args:
            client: Makes clients of the emulated services.
            environ: What every part needs, but its Region.
            certificate: What listeners by TLS show, with its key, PEM.
            logs: Folder for the parts' logs.
        """
        self._client = client
        self._environ = dict(environ)
        self._certificate = certificate
        self._logs = logs
        self._running: dict[str, _Running] = {}

    def turn(self, regions: list[str]) -> None:
        """Start what has become complete, stop what is being deleted.

        Raises:
            PlaneError: A part ended by itself.
        """
        complete = {}
        for region in regions:
            for stack in self._client("cloudformation", region).describe_stacks()["Stacks"]:
                if stack["StackStatus"] == "CREATE_COMPLETE":
                    complete[stack["StackId"]] = (region, stack["StackName"])
        for gone in self._running.keys() - complete.keys():
            _stop(self._running.pop(gone))
        for stack_id in complete.keys() - self._running.keys():
            self._running[stack_id] = self._start(*complete[stack_id])
        for running in self._running.values():
            _look_after(running)

    def stop(self) -> None:
        """Stop everything."""
        for running in self._running.values():
            _stop(running)
        self._running.clear()

    def _start(self, region: str, name: str) -> _Running:
        resources = self._resources(region, name)
        if not resources.get(_PRODUCT):
            return _Running([], [])
        logs = self._logs / f"{name}-{region}"
        logs.mkdir(parents=True)
        environ = self._environ | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        stack = _Stack(region, resources, environ, free_port(), logs)
        parts = [self._start_receiver(stack), self._start_balancer(stack)]
        functions = []
        for function in self._functions(region, resources):
            own = environ | function.environment | _lambda_variables(function)
            part = Part(function.logical_id, ["-m", "local.function"], own, logs)
            plan = json.dumps(function.document())
            part.start()
            part.tell(plan)
            functions.append((part, plan))
        return _Running(parts, functions)

    def _resources(self, region: str, stack: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        cloudformation = self._client("cloudformation", region)
        for item in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
            if item.get("PhysicalResourceId"):
                found.setdefault(item["ResourceType"], []).append(item["PhysicalResourceId"])
        return found

    def _start_receiver(self, stack: _Stack) -> Part:
        ecs = self._client("ecs", stack.region)
        (cluster,) = stack.resources["AWS::ECS::Cluster"]
        (service,) = ecs.describe_services(cluster=cluster, services=stack.resources[_PRODUCT])[
            "services"
        ]
        definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        (container,) = definition["taskDefinition"]["containerDefinitions"]
        variables = {item["name"]: item["value"] for item in container["environment"]}
        # A task has an address of its own; here all share one.
        place = {"SCP_PORT": str(stack.port), "HEALTH_PORT": str(free_port())}
        own = {**stack.environ, **variables, **place, "STOP_TIMEOUT": STOP_TIMEOUT}
        part = Part("receiver", ["-m", "receiver"], own, stack.logs)
        part.start(on_parent_death=signal.SIGTERM)
        return part

    def _start_balancer(self, stack: _Stack) -> Part:
        elb = self._client("elbv2", stack.region)
        (arn,) = stack.resources["AWS::ElasticLoadBalancingV2::LoadBalancer"]
        (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        (listener,) = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        if balancer["Type"] != "network":
            raise PlaneError(f"{arn} is no Network Load Balancer")
        (action,) = listener["DefaultActions"]
        attributes = elb.describe_target_group_attributes(TargetGroupArn=action["TargetGroupArn"])
        said = {item["Key"]: item["Value"] for item in attributes["Attributes"]}
        plan = Plan(
            address=balancer["DNSName"],
            port=int(listener["Port"]),
            target_port=stack.port,
            names_sender=said["proxy_protocol_v2.enabled"] == "true",
            certificate=str(self._certificate) if listener["Protocol"] == "TLS" else "",
        )
        part = Part("balancer", ["-m", "ci.taskcat.emulator.balancer"], stack.environ, stack.logs)
        part.start()
        part.tell(plan.document())
        return part

    def _functions(self, region: str, resources: Mapping[str, list[str]]) -> Iterator[Function]:
        schedules = dict(self._schedules(region, resources))
        functions = self._client("lambda", region)
        mappings = functions.list_event_source_mappings()["EventSourceMappings"]
        for name in resources["AWS::Lambda::Function"]:
            said = functions.get_function_configuration(FunctionName=name)
            function = Function(
                logical_id=name,
                handler=said["Handler"],
                environment=said.get("Environment", {}).get("Variables", {}),
                timeout_s=said["Timeout"],
                memory_mib=said["MemorySize"],
                sources=tuple(
                    self._source(region, one)
                    for one in mappings
                    if one["FunctionArn"] == said["FunctionArn"]
                ),
                schedules=tuple(schedules.get(said["FunctionArn"], ())),
            )
            if function.sources or function.schedules:
                yield function

    def _source(self, region: str, mapping: Mapping[str, Any]) -> QueueSource:
        arn = mapping["EventSourceArn"]
        queue = self._client("sqs", region).get_queue_url(QueueName=arn.rpartition(":")[2])
        return QueueSource(
            queue_url=queue["QueueUrl"],
            queue_arn=arn,
            batch_size=mapping["BatchSize"],
            window_s=mapping.get("MaximumBatchingWindowInSeconds", 0),
            reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", ()),
        )

    def _schedules(
        self, region: str, resources: Mapping[str, list[str]]
    ) -> Iterator[tuple[str, list[Schedule]]]:
        events = self._client("events", region)
        for name in resources["AWS::Events::Rule"]:
            expression = events.describe_rule(Name=name).get("ScheduleExpression")
            if not expression:
                continue
            for target in events.list_targets_by_rule(Rule=name)["Targets"]:
                every_s = schedule_seconds(name, expression)
                yield target["Arn"], [Schedule(every_s=every_s, event=target.get("Input", "{}"))]


def _lambda_variables(function: Function) -> dict[str, str]:
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }


def _look_after(running: _Running) -> None:
    for part in running.parts:
        if part.exit_code() is not None:
            raise PlaneError(f"{part.name} ended: see {part.log}")
    for part, plan in running.functions:
        code = part.exit_code()
        if code == TIMED_OUT:
            part.wait(0)
            part.start()
            part.tell(plan)
        elif code is not None:
            raise PlaneError(f"{part.name} ended: see {part.log}")


def _stop(running: _Running) -> None:
    parts = [*running.parts, *(part for part, _ in running.functions)]
    for part in parts:
        part.end_input()
        part.terminate()
    for part in parts:
        part.wait(_STOP_S)
