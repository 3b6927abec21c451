"""The Fargate service of the receiver, and how it grows and shrinks."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import GetAtt, If, Join, Ref, Template
from troposphere.applicationautoscaling import (
    PredefinedMetricSpecification,
    ScalableTarget,
    ScalingPolicy,
    TargetTrackingScalingPolicyConfiguration,
)
from troposphere.ecs import (
    AwsvpcConfiguration,
    Cluster,
    DeploymentCircuitBreaker,
    DeploymentConfiguration,
    NetworkConfiguration,
    Service,
)
from troposphere.ecs import LoadBalancer as ServiceLoadBalancer

from template_gen.conditions import Conditions
from template_gen.ingest_service import CONTAINER, SCP_PORT, IngestTask
from template_gen.network import Network
from template_gen.parameters import Parameters

CPU_TARGET_PERCENT = 50
COOLDOWN_S = 60
HEALTH_CHECK_GRACE_S = 120


@dataclass(frozen=True, slots=True)
class IngestService:
    """The service and its cluster."""

    cluster: Cluster
    service: Service


def add_ingest_service(
    template: Template, p: Parameters, c: Conditions, *, network: Network, task: IngestTask
) -> IngestService:
    """Add service and scaling."""
    cluster = task.cluster
    own_group = GetAtt(network.task_security_group, "GroupId")
    service = template.add_resource(
        Service(
            "PacsService",
            # A target group takes targets only once a listener has it.
            DependsOn=[network.listener.title],
            Cluster=Ref(cluster),
            TaskDefinition=Ref(task.definition),
            LaunchType="FARGATE",
            PlatformVersion="LATEST",
            # No DesiredCount: an update of the stack would set it, and take away what scaling has added
            # under load. The scaling minimum is TaskDesiredCount, and registering the target brings the
            # service inside its bounds at once (RegisterScalableTarget, API reference).
            DeploymentConfiguration=DeploymentConfiguration(
                MinimumHealthyPercent=100,
                MaximumPercent=200,
                DeploymentCircuitBreaker=DeploymentCircuitBreaker(Enable=True, Rollback=True),
            ),
            # Rebalancing stops healthy tasks, and with them the associations that they serve.
            AvailabilityZoneRebalancing="DISABLED",
            HealthCheckGracePeriodSeconds=HEALTH_CHECK_GRACE_S,
            EnableExecuteCommand=False,
            EnableECSManagedTags=True,
            PropagateTags="SERVICE",
            NetworkConfiguration=NetworkConfiguration(
                AwsvpcConfiguration=AwsvpcConfiguration(
                    AssignPublicIp="DISABLED",
                    Subnets=Ref(p.private_subnet_ids),
                    SecurityGroups=If(
                        c.has_task_security_group,
                        [own_group, Ref(p.task_security_group_id)],
                        [own_group],
                    ),
                )
            ),
            LoadBalancers=[
                ServiceLoadBalancer(
                    ContainerName=CONTAINER,
                    ContainerPort=SCP_PORT,
                    TargetGroupArn=Ref(network.target_group),
                )
            ],
        )
    )
    _add_scaling(template, p, cluster, service)
    return IngestService(cluster, service)


def _add_scaling(template: Template, p: Parameters, cluster: Cluster, service: Service) -> None:
    target = template.add_resource(
        ScalableTarget(
            "PacsScalableTarget",
            ServiceNamespace="ecs",
            ScalableDimension="ecs:service:DesiredCount",
            ResourceId=Join("/", ["service", Ref(cluster), GetAtt(service, "Name")]),
            # Raising TaskDesiredCount is the guide's remedy for load; as the minimum, it lasts.
            MinCapacity=Ref(p.task_desired_count),
            MaxCapacity=Ref(p.autoscale_max_capacity),
        )
    )
    template.add_resource(
        ScalingPolicy(
            "PacsScalingPolicy",
            PolicyName="CpuTargetTracking",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=Ref(target),
            TargetTrackingScalingPolicyConfiguration=TargetTrackingScalingPolicyConfiguration(
                PredefinedMetricSpecification=PredefinedMetricSpecification(
                    PredefinedMetricType="ECSServiceAverageCPUUtilization"
                ),
                TargetValue=CPU_TARGET_PERCENT,
                ScaleInCooldown=COOLDOWN_S,
                ScaleOutCooldown=COOLDOWN_S,
            ),
        )
    )
