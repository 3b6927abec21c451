"""The statements of the deploy policies: what is changed is limited to the stack's names where it has names.

A person's rights to look (Describe, Get, List) concern settings, never data, and many of those actions take
no resource; they are given for all. What the stack changes is named after it, except:

- EC2, Elastic Load Balancing, ECS task definitions, KMS keys, data stores: ids, or names cut short.
- Event source mappings and dashboards: names without the stack's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from importer.preflight.checks.service_roles import ROLES
from template_gen.deploy.actions import LINK_ROLE, PASS_ROLE, by_service, needed, passed_to
from template_gen.product import Release

Statement = dict[str, Any]

STACK = "${StackName}"
POLICIES = {
    "compute": (
        "application-autoscaling",
        "cloudwatch",
        "ec2",
        "ecs",
        "elasticloadbalancing",
        "events",
        "lambda",
    ),
    "data": ("dynamodb", "iam", "kms", "logs", "medical-imaging", "s3", "sns", "sqs"),
}
"""A managed policy holds 6,144 characters (IAM and AWS STS quotas): two of them."""
_NAMED: dict[str, tuple[str, ...]] = {
    "dynamodb": (f"arn:aws:dynamodb:*:*:table/{STACK}-*",),
    "events": (f"arn:aws:events:*:*:rule/{STACK}-*",),
    "iam": (f"arn:aws:iam::*:role/*{STACK}-*",),
    "lambda": (f"arn:aws:lambda:*:*:function:{STACK}-*", "arn:aws:lambda:*:*:event-source-mapping:*"),
    "logs": (f"arn:aws:logs:*:*:log-group:{STACK}-*",),
    "s3": (f"arn:aws:s3:::{STACK}-*",),
    "sns": (f"arn:aws:sns:*:*:{STACK}-*",),
    "sqs": (f"arn:aws:sqs:*:*:{STACK}-*",),
}  # fmt: skip
_WITHOUT_RESOURCE = {
    "lambda:CreateEventSourceMapping",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
}
_KEY_USE = {"kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey", "kms:RetireGrant", "kms:RevokeGrant"}  # fmt: skip
_READ = re.compile(r"[a-z0-9-]+:(Describe|Get|List)")
_CODE = "s3:GetObject"
FORM = ("ec2:DescribeAvailabilityZones",)
"""Besides what resources need: CloudFormation checks the form's picked values in the caller's name."""


def policies(resources: Mapping[str, Any], release: Release) -> dict[str, list[Statement]]:
    """Return the statements of each policy by its name.

    Raises:
        KeyError: A service has no place in a policy.
    """
    services = by_service([*needed(resources), *FORM])
    homeless = services.keys() - {name for names in POLICIES.values() for name in names}
    if homeless:
        raise KeyError(f"deploy policy: no place for {sorted(homeless)}")
    return {
        policy: _statements(
            [action for name in names for action in services.get(name, ())], resources, release
        )
        for policy, names in POLICIES.items()
    }


def _statements(
    actions: list[str], resources: Mapping[str, Any], release: Release
) -> list[Statement]:
    special = {_CODE, PASS_ROLE, LINK_ROLE} | _KEY_USE
    plain = [action for action in actions if action not in special]
    reads = [action for action in plain if _READ.match(action)]
    writes = [action for action in plain if not _READ.match(action)]
    anywhere = [a for a in writes if a in _WITHOUT_RESOURCE or a.partition(":")[0] not in _NAMED]
    found = [_allow("Look", reads, ["*"]), _allow("ChangeWhatHasNoNameOfTheStack", anywhere, ["*"])]
    for service, named in by_service(a for a in writes if a not in anywhere).items():
        found.append(_allow(f"Change{service.capitalize()}", named, list(_NAMED[service])))
    if PASS_ROLE in actions:
        to = {"StringEquals": {"iam:PassedToService": passed_to(resources)}}
        found.append(_allow("HandOverRoles", [PASS_ROLE], list(_NAMED["iam"]), to))
        linked = {"StringEquals": {"iam:AWSServiceName": sorted(ROLES)}}
        service_roles = ["arn:aws:iam::*:role/aws-service-role/*"]
        found.append(_allow("LinkServices", [LINK_ROLE], service_roles, linked))
    if _CODE in actions:
        root = release.asset_key_prefix.partition("/")[0]
        code = f"arn:aws:s3:::{release.asset_bucket_prefix}-*/{root}/*"
        found.append(_allow("FetchCode", [_CODE], [code]))
    used = [action for action in actions if action in _KEY_USE]
    if used:
        # By the services only, for what they encrypt: never by the person.
        via = [
            f"{service}.*.amazonaws.com" for service in ("dynamodb", "lambda", "medical-imaging")
        ]
        found.append(_allow("UseKey", used, ["*"], {"StringLike": {"kms:ViaService": via}}))
    return found


def launching(role_arn: Any = None) -> list[Statement]:
    """Return what a person needs who launches the stack: with the deploy role, or else besides its rights."""
    stack = [f"arn:aws:cloudformation:*:*:stack/{STACK}/*"]
    act = [
        f"cloudformation:{action}"
        for action in (
            "CreateStack", "UpdateStack", "DeleteStack", "CancelUpdateStack", "ContinueUpdateRollback",
            "RollbackStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "TagResource",
            "UpdateTerminationProtection",
        )
    ]  # fmt: skip
    look = [
        *("cloudformation:Describe*", "cloudformation:Get*", "cloudformation:List*", "cloudformation:ValidateTemplate"),
        *("ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", *FORM, "iam:ListRoles"),
        *("s3:ListAllMyBuckets", "sns:ListTopics"),
    ]  # fmt: skip
    to = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    found = [_allow("Launch", act, stack), _allow("LookAtFormAndStack", look, ["*"])]
    if role_arn is not None:
        found.append(_allow("HandOverDeployRole", [PASS_ROLE], [role_arn], to))
    return found


def _allow(
    sid: str, actions: Iterable[str], resources: list[Any], condition: dict[str, Any] | None = None
) -> Statement:
    statement: Statement = {
        "Sid": re.sub("[^A-Za-z0-9]", "", sid),
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": resources,
    }
    return statement | ({"Condition": condition} if condition else {})
