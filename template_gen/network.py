"""The load balancer that devices connect to, and its target group."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import GetAtt, If, NoValue, Ref, Select, Sub, Template
from troposphere.ec2 import (
    EIP,
    SecurityGroup,
    VPCEndpoint,
)
from troposphere.elasticloadbalancingv2 import (
    Action,
    Certificate,
    Listener,
    ListenerAttribute,
    LoadBalancer,
    LoadBalancerAttributes,
    SubnetMapping,
    TargetGroup,
    TargetGroupAttribute,
)
from troposphere.s3 import Bucket, BucketPolicy

from template_gen.conditions import Conditions
from template_gen.ingest_service import HEALTH_PORT, SCP_PORT, STOP_TIMEOUT_S
from template_gen.parameters import Parameters
from template_gen.security_groups import add_security_groups
from template_gen.storage import LOAD_BALANCER_LOG_PREFIX

HEALTH_PATH = "/healthz"
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
"""TLS 1.2 and 1.3 with forward secrecy and authenticated encryption; CloudFormation's default policy
would admit TLS 1.0."""
IDLE_TIMEOUT_S = 350
"""Above the greatest NetworkTimeout and DIMSETimeout (300); TLS listeners have this one fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the service needs."""

    load_balancer: LoadBalancer
    addresses: tuple[EIP, ...]
    listener: Listener
    target_group: TargetGroup
    task_security_group: SecurityGroup


def add_network(
    template: Template,
    p: Parameters,
    c: Conditions,
    *,
    access_logs: Bucket,
    access_logs_policy: BucketPolicy,
) -> Network:
    """Add load balancer, listener, target group, security groups and the S3 endpoint."""
    balancer_group, task_group = add_security_groups(template, p, c)
    load_balancer, addresses = _add_load_balancer(template, p, c, balancer_group, access_logs)
    load_balancer.DependsOn = [access_logs_policy.title]
    target_group = _add_target_group(template, p)
    listener = _add_listener(template, p, c, load_balancer, target_group)
    template.add_resource(
        VPCEndpoint(
            "S3Endpoint",
            Condition=c.has_private_route_tables,
            VpcEndpointType="Gateway",
            VpcId=Ref(p.vpc_id),
            ServiceName=Sub("com.amazonaws.${AWS::Region}.s3"),
            RouteTableIds=Ref(p.private_route_table_ids),
        )
    )
    return Network(
        load_balancer=load_balancer,
        addresses=addresses,
        listener=listener,
        target_group=target_group,
        task_security_group=task_group,
    )


def _add_load_balancer(
    template: Template, p: Parameters, c: Conditions, group: SecurityGroup, access_logs: Bucket
) -> tuple[LoadBalancer, tuple[EIP, ...]]:
    addresses = tuple(
        template.add_resource(
            EIP(
                f"LoadBalancerAddress{n}",
                Condition=c.has_elastic_ips,
                Domain="vpc",
                # Typed into every device: a new stack must be able to have it again.
                DeletionPolicy="RetainExceptOnCreate",
                UpdateReplacePolicy="Retain",
            )
        )
        for n in (1, 2)
    )
    mappings = [
        SubnetMapping(
            SubnetId=Select(n, Ref(p.public_subnet_ids)), AllocationId=GetAtt(eip, "AllocationId")
        )
        for n, eip in enumerate(addresses)
    ]
    # A zone whose only server is busy or gone still has the others.
    cross_zone = LoadBalancerAttributes(Key="load_balancing.cross_zone.enabled", Value="true")
    balancer = template.add_resource(
        LoadBalancer(
            "PacsNLB",
            Type="network",
            Scheme=Ref(p.load_balancer_scheme),
            Subnets=If(c.has_elastic_ips, NoValue, Ref(p.public_subnet_ids)),
            SubnetMappings=If(c.has_elastic_ips, mappings, NoValue),
            # The customer's group beside ours: a rule that it has already can never be a duplicate.
            SecurityGroups=[GetAtt(group, "GroupId"), Ref(p.security_group_id)],
            # It logs TLS connections only: who failed the handshake, and with what.
            LoadBalancerAttributes=If(
                c.has_tls,
                [
                    cross_zone,
                    LoadBalancerAttributes(Key="access_logs.s3.enabled", Value="true"),
                    LoadBalancerAttributes(Key="access_logs.s3.bucket", Value=Ref(access_logs)),
                    LoadBalancerAttributes(
                        Key="access_logs.s3.prefix", Value=LOAD_BALANCER_LOG_PREFIX
                    ),
                ],
                [cross_zone, LoadBalancerAttributes(Key="access_logs.s3.enabled", Value="false")],
            ),
        )
    )
    return balancer, addresses


def _add_target_group(template: Template, p: Parameters) -> TargetGroup:
    attributes = {
        "proxy_protocol_v2.enabled": "true",
        # The sender's address travels in the PROXY header, without the routing limits of the other way.
        "preserve_client_ip.enabled": "false",
        # As long as a task may take to stop: its associations finish meanwhile.
        "deregistration_delay.timeout_seconds": str(STOP_TIMEOUT_S),
        "deregistration_delay.connection_termination.enabled": "false",
        "target_health_state.unhealthy.connection_termination.enabled": "false",
    }
    return template.add_resource(
        TargetGroup(
            "PacsTargetGroup",
            # TCP also behind a TLS listener, which ends TLS.
            Protocol="TCP",
            Port=SCP_PORT,
            TargetType="ip",
            VpcId=Ref(p.vpc_id),
            # Not the DICOM port, where each check would be an association that never comes.
            HealthCheckProtocol="HTTP",
            HealthCheckPort=str(HEALTH_PORT),
            HealthCheckPath=HEALTH_PATH,
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=3,
            TargetGroupAttributes=[
                TargetGroupAttribute(Key=key, Value=value) for key, value in attributes.items()
            ],
        )
    )


def _add_listener(
    template: Template,
    p: Parameters,
    c: Conditions,
    load_balancer: LoadBalancer,
    target_group: TargetGroup,
) -> Listener:
    # One resource for TCP and TLS: two could not both have the port while an update goes from the one
    # to the other.
    return template.add_resource(
        Listener(
            "PacsListener",
            LoadBalancerArn=Ref(load_balancer),
            Port=Ref(p.scp_port),
            Protocol=If(c.has_tls, "TLS", "TCP"),
            Certificates=If(
                c.has_tls, [Certificate(CertificateArn=Ref(p.tls_certificate_arn))], NoValue
            ),
            SslPolicy=If(c.has_tls, TLS_POLICY, NoValue),
            ListenerAttributes=If(
                c.has_tls,
                NoValue,
                [ListenerAttribute(Key="tcp.idle_timeout.seconds", Value=str(IDLE_TIMEOUT_S))],
            ),
            DefaultActions=[Action(Type="forward", TargetGroupArn=Ref(target_group))],
        )
    )
