"""What who launches the stack must be allowed, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from template_gen.__main__ import DEPLOY_TEMPLATE, documents
from template_gen.deploy.actions import needed, passed_to, registered
from template_gen.deploy.statements import POLICIES, policies
from template_gen.deploy.unused import UNUSED
from template_gen.product import read_release
from tests.template_gen.rendering import document

DIST = Path(__file__).parents[2] / "dist"
MANAGED_POLICY_CHARACTERS = 6_144
"""IAM and AWS STS quotas: white space does not count."""


@cache
def _documents() -> dict[str, str]:
    return documents()


def _policy(name: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(_documents()[f"deploy-policy-{name}.json"])[
        "Statement"
    ]
    return statements


def _all() -> Iterator[dict[str, Any]]:
    for name in POLICIES:
        yield from _policy(name)


def _granting(action: str) -> dict[str, Any]:
    (found,) = (statement for statement in _all() if action in statement["Action"])
    return found


def test_the_committed_files_are_the_built_ones() -> None:
    """dist/ holds each of them."""
    committed = {name: (DIST / name).read_text(encoding="utf-8") for name in _documents()}

    assert _documents() == committed, "run `make template`, review the diff"


def test_without_a_deploy_role_three_policies_are_all_that_it_takes() -> None:
    """Whoever launches calls CloudFormation, and CloudFormation the rest in the same name."""
    launch = {action for statement in _policy("launch") for action in statement["Action"]}
    calls = {
        "CreateStack",
        "UpdateStack",
        "DeleteStack",
        "UpdateTerminationProtection",
        "Describe*",
    }

    assert launch >= {f"cloudformation:{call}" for call in calls}
    assert "iam:PassRole" not in launch
    assert {
        path.stem.removeprefix("deploy-policy-") for path in DIST.glob("deploy-policy-*.json")
    } == {
        "launch",
        *POLICIES,
    }


def test_every_action_that_a_resource_needs_is_granted_once() -> None:
    """For all resource types of the template, as AWS's registry lists them."""
    granted = [action for statement in _all() for action in statement["Action"]]

    assert set(granted) >= set(needed(document()["Resources"]))
    assert len(granted) == len(set(granted))


@pytest.mark.parametrize(
    "action",
    [
        "ec2:CreateSecurityGroup",
        "elasticloadbalancing:CreateLoadBalancer",
        "sqs:CreateQueue",
        "sns:CreateTopic",
        "events:PutRule",
        "dynamodb:CreateTable",
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "application-autoscaling:RegisterScalableTarget",
        "medical-imaging:CreateDatastore",
        "kms:CreateKey",
    ],
)
def test_what_the_guides_list_forgot_is_there(action: str) -> None:
    """必要なIAM権限: security groups, queues, topics, rules and more."""
    assert _granting(action)["Effect"] == "Allow"


def test_no_action_is_a_wildcard() -> None:
    """Each is named."""
    assert [a for statement in _all() for a in statement["Action"] if "*" in a] == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", "arn:aws:iam::*:role/*storescp-*"),
        ("iam:PutRolePolicy", "arn:aws:iam::*:role/*storescp-*"),
        ("s3:CreateBucket", "arn:aws:s3:::storescp-*"),
        ("s3:DeleteBucket", "arn:aws:s3:::storescp-*"),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:*:*:table/storescp-*"),
        ("sqs:DeleteQueue", "arn:aws:sqs:*:*:storescp-*"),
        ("logs:DeleteLogGroup", "arn:aws:logs:*:*:log-group:storescp-*"),
        ("s3:GetObject", "arn:aws:s3:::storescp-assets-*/storescp/*"),
    ],
)
def test_what_can_do_harm_is_limited_to_the_stacks_own(action: str, resource: str) -> None:
    """By the names that CloudFormation gives."""
    assert _granting(action)["Resource"] == [resource]


def test_roles_are_handed_to_the_services_that_trust_them_alone() -> None:
    """And service-linked roles are made for three services."""
    passing = _granting("iam:PassRole")["Condition"]["StringEquals"]
    linking = _granting("iam:CreateServiceLinkedRole")["Condition"]["StringEquals"]

    assert passing == {"iam:PassedToService": passed_to(document()["Resources"])}
    assert "ecs-tasks.amazonaws.com" in passing["iam:PassedToService"]
    assert linking == {
        "iam:AWSServiceName": [
            "ecs.amazonaws.com",
            "ecs.application-autoscaling.amazonaws.com",
            "elasticloadbalancing.amazonaws.com",
        ]
    }


def test_data_is_not_touched() -> None:
    """Who launches the stack reads no image, deletes no object and uses no key by himself."""
    granted = {action for statement in _all() for action in statement["Action"]}

    assert granted.isdisjoint(
        {"s3:DeleteObject", "s3:PutObject", "dynamodb:GetItem", "dynamodb:Query", "sqs:SendMessage"}
    )
    assert "kms:ViaService" in _granting("kms:Decrypt")["Condition"]["StringLike"]


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    """A pattern that takes nothing away any more goes."""
    kinds = {body["Type"] for body in document()["Resources"].values()}
    known = {action for kind in kinds for action in registered(kind)}

    idle = [
        pattern
        for one in UNUSED
        for pattern in one.patterns
        if not any(fnmatchcase(action, pattern) for action in known)
    ]

    assert idle == []


def test_a_new_service_without_a_place_fails_the_build() -> None:
    """KeyError names it."""
    resources = document()["Resources"] | {"New": {"Type": "AWS::SecretsManager::Secret"}}

    with pytest.raises(KeyError, match="secretsmanager"):
        policies(resources, read_release())


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_fits_iam(name: str) -> None:
    """As a managed policy, with the longest stack name."""
    text = json.dumps(_policy(name), separators=(",", ":"))

    assert len(text.replace("storescp-", f"{'s' * 30}-")) < MANAGED_POLICY_CHARACTERS


def test_the_deploy_role_is_cloudformations_alone() -> None:
    """In this account; it has both policies, and its users may hand over it and no other."""
    resources = json.loads(_documents()[DEPLOY_TEMPLATE])["Resources"]
    role = resources["DeployRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    launch = resources["LaunchPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (passing,) = (s for s in launch if "iam:PassRole" in s["Action"])

    assert trust["Principal"] == {"Service": "cloudformation.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert role["ManagedPolicyArns"] == [
        {"Ref": f"Deploy{name.capitalize()}Policy"} for name in POLICIES
    ]
    assert passing["Resource"] == [{"Fn::GetAtt": ["DeployRole", "Arn"]}]
    assert passing["Condition"] == {
        "StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}
    }
