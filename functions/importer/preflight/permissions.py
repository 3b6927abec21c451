"""What the function may do, and why: the template's policy is made of this and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from importer.preflight.checks.service_roles import ROLES
from importer.preflight.properties import CERTIFICATE, DATASTORE, KMS_KEY

_HERE = "${AWS::Region}:${AWS::AccountId}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One statement.

    Attributes:
        actions: IAM actions.
        resources: As in Fn::Sub.
        reason: Why it is needed, and why no narrower where it is "*".
        when: Parameter without whose value there is no such resource, so no statement; empty for always.
        equals: StringEquals condition.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    reason: str
    when: str = ""
    equals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


DEPENDENT_ACTIONS = ("elasticloadbalancing:DescribeAccountLimits",)
"""Called by no code of ours, but needed by what it calls."""

PERMISSIONS = (
    Permission(
        actions=(
            "ec2:DescribeAddresses",
            "ec2:DescribeNatGateways",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
            "elasticloadbalancing:DescribeLoadBalancers",
        ),
        resources=("*",),
        reason="The chosen network, and what of the quotas is in use; these take no resource.",
    ),
    Permission(
        actions=(
            "servicequotas:GetServiceQuota",
            "servicequotas:GetAWSDefaultServiceQuota",
            "medical-imaging:ListDatastores",
        ),
        resources=("*",),
        reason="Quotas that the stack could exceed: applied, or default where nobody changed one; data "
        "stores count towards one. None of these takes a resource.",
    ),
    Permission(
        actions=DEPENDENT_ACTIONS,
        resources=("*",),
        reason="Service Quotas asks Elastic Load Balancing in the caller's name (Service Authorization "
        "Reference, dependent actions of GetServiceQuota). It takes no resource.",
    ),
    Permission(
        actions=("iam:GetRole",),
        resources=tuple(
            f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/aws-service-role/{service}/{role}"
            for service, role in ROLES.items()
        ),
        reason="Whether the service-linked roles are there.",
    ),
    Permission(
        actions=("iam:CreateServiceLinkedRole",),
        resources=tuple(
            f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/aws-service-role/{service}/{role}"
            for service, role in ROLES.items()
        ),
        reason="Makes the missing ones, of these three services only; AWS fixes what they may do.",
        equals={"iam:AWSServiceName": tuple(ROLES)},
    ),
    Permission(
        actions=("cloudformation:DescribeStacks",),
        resources=("${AWS::StackId}",),
        reason="During a rollback nothing may be refused.",
    ),
    Permission(
        actions=("acm:DescribeCertificate",),
        resources=(f"${{{CERTIFICATE}}}",),
        reason="The certificate's state, key and validity.",
        when=CERTIFICATE,
    ),
    Permission(
        actions=("kms:DescribeKey", "kms:GetKeyPolicy"),
        resources=(f"${{{KMS_KEY}}}",),
        reason="The key's state, and whether its policy lets the services use it.",
        when=KMS_KEY,
    ),
    Permission(
        actions=("medical-imaging:GetDatastore",),
        resources=(f"arn:${{AWS::Partition}}:medical-imaging:{_HERE}:datastore/${{{DATASTORE}}}",),
        reason="Whether the existing data store is active.",
        when=DATASTORE,
    ),
)

TIMEOUT_S = 60
"""The checks end after 25 s; the rest is for a cold start and for answering again and again."""
MEMORY_MIB = 1_024
"""Half a processor: the model of EC2 alone takes a quarter second of a whole one to read."""
