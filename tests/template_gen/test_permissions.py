"""What each role may do: all of it, and never more."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.template_gen.rendering import ACCOUNT, document, of_type, render, statements

LEDGER_WRITES = {
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
}
CONSUMES = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
LANDING = "LandingBucket.Arn"
RESULTS = "ResultsBucket.Arn"
TABLE = "DicomImportJobTable.Arn"
QUEUES = ("ImportQueue.Arn", "OutcomeQueue.Arn")
DATASTORE = f"arn:aws:medical-imaging:us-east-1:{ACCOUNT}:datastore/Datastore.DatastoreId"
REPOSITORY = "arn:aws:ecr:us-east-1:709825985650:repository/storescp/storescp"
STACK = ""
"""What cloud-radar takes for AWS::StackId."""
SERVICE_ROLES = tuple(
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/{role}"
    for service, role in (
        ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
        ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
        (
            "ecs.application-autoscaling.amazonaws.com",
            "AWSServiceRoleForApplicationAutoScaling_ECSService",
        ),
    )
)

Grants = set[tuple[frozenset[str], tuple[str, ...]]]


def _grant(actions: set[str], *resources: str) -> tuple[frozenset[str], tuple[str, ...]]:
    return frozenset(actions), resources


GOLDEN: dict[str, Grants] = {
    "PacsServerTaskRole": {
        _grant(
            {"s3:PutObject"},
            f"{LANDING}/incoming/*",
            f"{LANDING}/batches/*",
            f"{LANDING}/refused/*",
        ),
        _grant({"s3:AbortMultipartUpload"}, f"{LANDING}/incoming/*"),
    },
    "PacsServerExecutionRole": {
        _grant(
            {
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            },
            REPOSITORY,
        ),
        _grant({"ecr:GetAuthorizationToken"}, "*"),
        _grant(LOGS, "PacsServerTaskDefPacsContainerLogGroup.Arn"),
    },
    "DataAccessRole": {
        _grant({"s3:ListBucket"}, LANDING),
        _grant({"s3:ListBucket"}, RESULTS),
        _grant({"s3:GetObject"}, f"{LANDING}/incoming/*"),
        _grant({"s3:PutObject"}, f"{RESULTS}/*"),
    },
    "PreflightFunctionRole": {
        _grant(LOGS, "PreflightFunctionLogGroup.Arn"),
        _grant(
            {
                "ec2:DescribeAddresses",
                "ec2:DescribeNatGateways",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcEndpoints",
                "ec2:DescribeVpcs",
                "elasticloadbalancing:DescribeLoadBalancers",
            },
            "*",
        ),
        _grant(
            {
                "servicequotas:GetServiceQuota",
                "servicequotas:GetAWSDefaultServiceQuota",
                "medical-imaging:ListDatastores",
            },
            "*",
        ),
        _grant({"elasticloadbalancing:DescribeAccountLimits"}, "*"),
        _grant({"iam:GetRole"}, *SERVICE_ROLES),
        _grant({"iam:CreateServiceLinkedRole"}, *SERVICE_ROLES),
        _grant({"cloudformation:DescribeStacks"}, STACK),
    },
    "StartImportRole": {
        _grant(LOGS, "StartImportLogGroup.Arn"),
        _grant(CONSUMES, "ImportQueue.Arn"),
        _grant({"sqs:SendMessage"}, *QUEUES),
        _grant({"s3:ListBucket"}, LANDING),
        _grant({"s3:GetObject"}, f"{LANDING}/batches/*"),
        _grant(LEDGER_WRITES, TABLE),
        _grant({"medical-imaging:StartDICOMImportJob"}, DATASTORE),
        _grant({"iam:PassRole"}, "DataAccessRole.Arn"),
    },
    "RecordOutcomeRole": {
        _grant(LOGS, "RecordOutcomeLogGroup.Arn"),
        _grant(CONSUMES, "OutcomeQueue.Arn"),
        _grant({"sqs:SendMessage"}, *QUEUES),
        _grant({"s3:ListBucket"}, LANDING),
        _grant({"s3:ListBucket"}, RESULTS),
        _grant({"s3:GetObject"}, f"{LANDING}/batches/*", f"{LANDING}/incoming/*"),
        _grant({"s3:GetObject"}, f"{RESULTS}/*"),
        _grant({"s3:PutObject"}, f"{LANDING}/quarantine/*"),
        _grant({"s3:PutObjectTagging"}, f"{LANDING}/incoming/*"),
        _grant(LEDGER_WRITES, TABLE),
        _grant({"medical-imaging:GetDICOMImportJob"}, DATASTORE),
    },
    "SweepRole": {
        _grant(LOGS, "SweepLogGroup.Arn"),
        _grant({"sqs:SendMessage"}, *QUEUES),
        _grant({"s3:ListBucket"}, LANDING),
        _grant({"s3:GetObject"}, f"{LANDING}/batches/*", f"{LANDING}/incoming/*"),
        _grant({"s3:PutObject"}, f"{LANDING}/batches/*"),
        _grant(LEDGER_WRITES, TABLE),
        _grant({"dynamodb:Query"}, f"{TABLE}/index/ByState"),
    },
    "RedriveRole": {
        _grant(LOGS, "RedriveLogGroup.Arn"),
        _grant({"sqs:SendMessage"}, *QUEUES),
        _grant({"s3:ListBucket"}, LANDING),
        _grant({"s3:GetObject"}, f"{LANDING}/batches/*"),
        _grant({"s3:PutObject"}, f"{LANDING}/quarantine/*"),
        _grant({"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}, TABLE),
        _grant({"dynamodb:Query"}, f"{TABLE}/index/ByState"),
    },
    "ViewRole": {
        _grant(LOGS, "ViewLogGroup.Arn"),
        _grant({"dynamodb:GetItem", "dynamodb:Query"}, TABLE),
        _grant({"dynamodb:Query"}, f"{TABLE}/index/ByState"),
    },
}


def _allowed() -> list[tuple[str, dict[str, Any]]]:
    return [(role, s) for role, s in statements(render()) if s["Effect"] == "Allow"]


@pytest.mark.parametrize("role", GOLDEN)
def test_a_role_may_do_exactly_what_it_must(role: str) -> None:
    """The golden policy; a change of it is a change of what the customer grants."""
    granted = {
        (frozenset(statement["Action"]), tuple(statement["Resource"]))
        for name, statement in statements(render())
        if name == role
    }

    assert GOLDEN[role] == granted


def test_these_are_all_roles() -> None:
    """None is forgotten above."""
    assert GOLDEN.keys() == of_type(render(), "AWS::IAM::Role").keys()


def test_no_role_has_a_wildcard_action() -> None:
    """No `*`, no `service:*`, no `service:Prefix*`."""
    actions = [action for _, statement in _allowed() for action in statement["Action"]]

    assert [action for action in actions if "*" in action] == []


def test_no_role_can_delete() -> None:
    """Nothing that landed can be lost by any role of the stack; messages are no data."""
    actions = {action for _, statement in _allowed() for action in statement["Action"]}

    assert {action for action in actions if "Delete" in action} == {"sqs:DeleteMessage"}


def test_only_reads_and_the_registrys_token_have_everything_as_their_resource() -> None:
    """ecr:GetAuthorizationToken has no resource to name; nor has what Preflight describes."""
    wide = {
        (role, action)
        for role, statement in _allowed()
        if "*" in statement["Resource"]
        for action in statement["Action"]
    }
    preflights = {action for role, action in wide if role == "PreflightFunctionRole"}

    assert {action for role, action in wide if role != "PreflightFunctionRole"} == {
        "ecr:GetAuthorizationToken"
    }
    assert [a for a in preflights if not re.match("[a-z0-9-]+:(Describe|Get|List)", a)] == []


def test_roles_are_passed_to_healthimaging_alone() -> None:
    """No PassRole without PassedToService, none of a role but the data access role."""
    passing = [s for _, s in _allowed() if "iam:PassRole" in s["Action"]]

    assert [(s["Resource"], s["Condition"]) for s in passing] == [
        (
            ["DataAccessRole.Arn"],
            {"StringEquals": {"iam:PassedToService": "medical-imaging.amazonaws.com"}},
        )
    ]


def test_only_record_outcome_may_tag_and_only_that_one_tag() -> None:
    """IMPORTED alone is tagged for expiry."""
    tagging = [(role, s) for role, s in _allowed() if "s3:PutObjectTagging" in s["Action"]]

    ((role, statement),) = tagging
    assert role == "RecordOutcomeRole"
    assert statement["Condition"] == {
        "StringEquals": {"s3:RequestObjectTag/imported": "true"},
        "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["imported"]},
    }


def test_healthimaging_takes_its_role_for_this_data_store_alone() -> None:
    """The confused deputy stays out."""
    (statement,) = render()["DataAccessRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": "medical-imaging.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": DATASTORE},
    }


@pytest.mark.parametrize("role", ["PacsServerTaskRole", "PacsServerExecutionRole"])
def test_tasks_take_their_roles_in_this_account_alone(role: str) -> None:
    """Likewise."""
    (statement,) = render()[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


def test_the_image_is_pulled_from_its_own_account_and_region() -> None:
    """The Marketplace's registry is in us-east-1, wherever the stack is."""
    in_europe = [s for r, s in statements(render("eu-west-1")) if r == "PacsServerExecutionRole"]

    assert in_europe[0]["Resource"] == [REPOSITORY]


@pytest.mark.parametrize(
    "reference",
    [":1.2.3", f"@sha256:{'0a' * 32}"],
    ids=["tag", "digest"],
)
def test_another_image_may_be_pulled_from_where_it_is(reference: str) -> None:
    """Account, Region and name are taken from the reference."""
    resources = render(ImageURI=f"123456789012.dkr.ecr.eu-west-2.amazonaws.com/a/b{reference}")
    pulling = [s for r, s in statements(resources) if r == "PacsServerExecutionRole"]

    assert pulling[0]["Resource"] == ["arn:aws:ecr:eu-west-2:123456789012:repository/a/b"]


def test_every_role_takes_the_organisations_path_and_boundary() -> None:
    """For hospitals that demand them; without them nothing is set."""
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    demanded = of_type(
        render(RolePath="/medical/", PermissionsBoundaryARN=boundary), "AWS::IAM::Role"
    )
    plain = of_type(render(), "AWS::IAM::Role")

    assert {(r["Path"], r["PermissionsBoundary"]) for r in demanded.values()} == {
        ("/medical/", boundary)
    }
    assert not any("PermissionsBoundary" in role for role in plain.values())


def test_no_managed_policy_is_attached() -> None:
    """All rights are in this template, to be read."""
    roles = of_type(document()["Resources"], "AWS::IAM::Role")

    assert not any("ManagedPolicyArns" in role for role in roles.values())
