"""Makes the importer's functions: code from the release's bucket of this Region, a log group, a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from awacs.aws import Statement
from troposphere import GetAtt, Ref
from troposphere.awslambda import (
    Code,
    Environment,
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    LoggingConfig,
    Permission,
    ScalingConfig,
)
from troposphere.iam import Role
from troposphere.logs import LogGroup
from troposphere.sqs import Queue

from template_gen import permissions
from template_gen.mappings import Assets
from template_gen.permissions import arn_of
from template_gen.roles import RoleMaker

RUNTIME = "python3.13"
ARCHITECTURE = "arm64"
"""The functions are Python throughout, so nothing is compiled for a processor, and arm64 costs a fifth less."""
MAX_CONCURRENCY = 2
"""The least that SQS takes; HealthImaging starts one job a second for the whole account. No reserved
concurrency: it fails in accounts whose Lambda quota is small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one function is.

    Attributes:
        title: Logical ID; its role and log group are named after it.
        handler: Module and function.
        description: For the console.
        timeout_s: Longest run.
        memory_mib: Memory, and processor time in proportion (1,769 MiB are one vCPU).
        environment: From `bindings`.
        statements: What it may do, besides writing its log.
    """

    title: str
    handler: str
    description: str
    timeout_s: int
    memory_mib: int
    environment: dict[str, Any]
    statements: Iterable[Statement]


@dataclass(frozen=True, slots=True)
class Made:
    """A function and its role."""

    function: Function
    role: Role
    log_group: LogGroup


@dataclass(frozen=True, slots=True)
class FunctionMaker:
    """Adds functions to one template."""

    roles: RoleMaker
    assets: Assets

    def add(self, plan: Plan) -> Made:
        """Add a function with its role and log group."""
        template = self.roles.template
        log_group = template.add_resource(
            LogGroup(
                f"{plan.title}LogGroup",
                RetentionInDays=Ref(self.roles.parameters.log_retention_days),
                DeletionPolicy="Delete",
                UpdateReplacePolicy="Retain",
            )
        )
        role = self.roles.add(
            f"{plan.title}Role",
            permissions.trust("lambda.amazonaws.com"),
            [permissions.write_logs(arn_of(log_group)), *plan.statements],
        )
        function = template.add_resource(
            Function(
                plan.title,
                Description=plan.description,
                Runtime=RUNTIME,
                Architectures=[ARCHITECTURE],
                Handler=plan.handler,
                Code=Code(S3Bucket=self.assets.code_bucket, S3Key=self.assets.code_key),
                Role=arn_of(role),
                Timeout=plan.timeout_s,
                MemorySize=plan.memory_mib,
                LoggingConfig=LoggingConfig(LogGroup=Ref(log_group)),
            )
        )
        if plan.environment:
            function.Environment = Environment(Variables=plan.environment)
        return Made(function, role, log_group)

    def feed(self, function: Function, queue: Queue) -> EventSourceMapping:
        """Let a queue's messages invoke a function, one at a time: each is a batch of instances."""
        return self.roles.template.add_resource(
            EventSourceMapping(
                f"{function.title}EventSource",
                EventSourceArn=arn_of(queue),
                FunctionName=Ref(function),
                BatchSize=1,
                ScalingConfig=ScalingConfig(MaximumConcurrency=MAX_CONCURRENCY),
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )
        )

    def never_repeat(self, function: Function) -> None:
        """Do not retry an asynchronous invocation: the next one on the schedule does the same work."""
        self.roles.template.add_resource(
            EventInvokeConfig(
                f"{function.title}InvokeConfig",
                FunctionName=Ref(function),
                Qualifier="$LATEST",
                MaximumRetryAttempts=0,
                MaximumEventAgeInSeconds=300,
            )
        )

    def let_rule_invoke(self, function: Function, rule_arn: GetAtt) -> None:
        """Let an EventBridge rule invoke a function."""
        self.roles.template.add_resource(
            Permission(
                f"{function.title}Permission",
                Action="lambda:InvokeFunction",
                FunctionName=Ref(function),
                Principal="events.amazonaws.com",
                SourceArn=rule_arn,
            )
        )
