"""The receiver's task: cluster, definition, roles, log group."""

from __future__ import annotations

from dataclasses import dataclass

from awacs.aws import PolicyDocument
from troposphere import If, NoValue, Ref, Region, Template
from troposphere.dynamodb import Table
from troposphere.ecs import (
    Cluster,
    ContainerDefinition,
    Environment,
    KernelCapabilities,
    LinuxParameters,
    LogConfiguration,
    PortMapping,
    RuntimePlatform,
    Secret,
    TaskDefinition,
    Ulimit,
)
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup

from receiver.settings import Settings
from template_gen import permissions
from template_gen.bindings import receiver_environment, receiver_secrets
from template_gen.conditions import Conditions
from template_gen.mappings import Assets
from template_gen.parameters import Parameters
from template_gen.permissions import arn_of
from template_gen.roles import RoleMaker
from template_gen.storage import Storage
from template_gen.storage_commitment import let_answer_commitments

CONTAINER = "PacsContainer"
USER = "10001:10001"
"""No user of the image's base has it; the number, so that ECS need not look into the image."""
OPEN_FILES = 65_536
SCP_PORT: int = Settings.defaults()["scp_port"]
HEALTH_PORT: int = Settings.defaults()["health_port"]
STOP_TIMEOUT_S: int = Settings.defaults()["stop_timeout_s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestTask:
    """What the service and the bucket policy need."""

    cluster: Cluster
    definition: TaskDefinition
    task_role: Role
    log_group: LogGroup


def add_ingest_task(
    template: Template,
    p: Parameters,
    c: Conditions,
    *,
    storage: Storage,
    table: Table,
    assets: Assets,
    roles: RoleMaker,
) -> IngestTask:
    """Add the cluster and the task definition."""
    # No Container Insights: what the alarms need, AWS/ECS has for nothing.
    cluster = template.add_resource(Cluster("PacsCluster"))
    log_group = template.add_resource(
        LogGroup(
            # The guide sends people to `<stack>-PacsServerTaskDefPacsContainerLogGroup*`: no name of
            # its own, so that CloudFormation makes that one.
            "PacsServerTaskDefPacsContainerLogGroup",
            RetentionInDays=Ref(p.log_retention_days),
            # It says who sent what, and outlives the stack.
            DeletionPolicy="RetainExceptOnCreate",
            UpdateReplacePolicy="Retain",
        )
    )
    task_role = roles.add(
        "PacsServerTaskRole",
        permissions.trust_ecs_tasks(),
        [
            *permissions.land_instances(arn_of(storage.landing)),
            permissions.protect_task(Ref(cluster)),
        ],
    )
    execution_role = roles.add(
        "PacsServerExecutionRole",
        permissions.trust_ecs_tasks(),
        [
            *permissions.pull_image(assets.image_repository_arn),
            permissions.write_logs(arn_of(log_group)),
        ],
    )
    execution_role.Policies.append(
        If(
            c.has_receiver_tls,
            Policy(
                PolicyName="PacsServerExecutionRoleWithTLS",
                PolicyDocument=PolicyDocument(
                    Version="2012-10-17",
                    Statement=permissions.read_secret(Ref(p.receiver_tls_secret_arn)),
                ),
            ),
            NoValue,
        )
    )
    let_answer_commitments(template, c, task_role, storage=storage, table=table)
    environment = receiver_environment(p, storage, table, assets.workers)
    definition = template.add_resource(
        TaskDefinition(
            "PacsServerTaskDef",
            RequiresCompatibilities=["FARGATE"],
            NetworkMode="awsvpc",
            Cpu=Ref(p.task_cpu),
            Memory=Ref(p.task_memory_limit),
            # What CI builds and runs hardened; the functions, which have no compiled part, use arm64.
            RuntimePlatform=RuntimePlatform(
                CpuArchitecture="X86_64", OperatingSystemFamily="LINUX"
            ),
            TaskRoleArn=arn_of(task_role),
            ExecutionRoleArn=arn_of(execution_role),
            ContainerDefinitions=[
                ContainerDefinition(
                    Name=CONTAINER,
                    Image=assets.image,
                    Essential=True,
                    User=USER,
                    ReadonlyRootFilesystem=True,
                    LinuxParameters=LinuxParameters(
                        Capabilities=KernelCapabilities(Drop=["ALL"]),
                        # Reaps what a killed worker leaves, and hands SIGTERM on.
                        InitProcessEnabled=True,
                    ),
                    Ulimits=[Ulimit(Name="nofile", SoftLimit=OPEN_FILES, HardLimit=OPEN_FILES)],
                    StopTimeout=STOP_TIMEOUT_S,
                    PortMappings=[
                        PortMapping(ContainerPort=SCP_PORT, Protocol="tcp"),
                        PortMapping(ContainerPort=HEALTH_PORT, Protocol="tcp"),
                    ],
                    Environment=[
                        Environment(Name=name, Value=value) for name, value in environment.items()
                    ],
                    # Read by ECS as the task starts: the receiver itself has no right to any secret.
                    Secrets=If(
                        c.has_receiver_tls,
                        [
                            Secret(Name=name, ValueFrom=source)
                            for name, source in receiver_secrets(p).items()
                        ],
                        NoValue,
                    ),
                    LogConfiguration=LogConfiguration(
                        LogDriver="awslogs",
                        Options={
                            "awslogs-group": Ref(log_group),
                            "awslogs-region": Region,
                            "awslogs-stream-prefix": "receiver",
                            # A log service that is slow must not stop the receiver.
                            "mode": "non-blocking",
                            "max-buffer-size": "25m",
                        },
                    ),
                )
            ],
        )
    )
    return IngestTask(
        cluster=cluster, definition=definition, task_role=task_role, log_group=log_group
    )
