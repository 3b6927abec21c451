"""What each role may do: all of it, and never more."""

from __future__ import annotations

import re
from typing import Any

import pytest

from importer.preflight.permissions import PERMISSIONS
from tests.template_gen import policies
from tests.template_gen.rendering import ACCOUNT, document, of_type, render, statements

ADVICE = (
    "not as in tests/template_gen/golden/policies: run `make golden`, review the diff, and say in the "
    "changelog what customers grant from now on"
)
DATASTORE = f"arn:aws:medical-imaging:us-east-1:{ACCOUNT}:datastore/Datastore.DatastoreId"
REPOSITORY = "arn:aws:ecr:us-east-1:709825985650:repository/storescp/storescp"
EVERYTHING = {
    "ecr:GetAuthorizationToken": "the registry's token has no resource to name",
    **{
        action: permission.reason
        for permission in PERMISSIONS
        for action in permission.actions
        if permission.resources == ("*",)
    },
}
"""What may be done to every resource, and why it cannot be narrower."""


def _allowed() -> list[tuple[str, dict[str, Any]]]:
    return [
        (role, statement)
        for resources in policies.stacks().values()
        for role in of_type(resources, "AWS::IAM::Role")
        for statement in policies.statements_of(role, resources)
        if statement["Effect"] == "Allow"
    ]


def test_each_role_may_do_exactly_what_its_golden_policy_says() -> None:
    """A change of it is a change of what the customer grants."""
    golden = {
        path.stem: path.read_text(encoding="utf-8") for path in policies.FOLDER.glob("*.json")
    }
    made = policies.policies()

    assert golden.keys() == made.keys(), ADVICE
    for role, text in made.items():
        assert golden[role] == text, f"{role}: {ADVICE}"


def test_the_golden_policies_are_of_every_role_and_statement() -> None:
    """Between them the stacks have all that the template can grant, whatever is chosen."""
    resources = document()["Resources"]
    rendered = policies.stacks().values()
    roles = {role for stack in rendered for role in of_type(stack, "AWS::IAM::Role")}
    attached = {title for stack in rendered for title in of_type(stack, "AWS::IAM::Policy")}

    assert of_type(resources, "AWS::IAM::Role").keys() == roles
    assert of_type(resources, "AWS::IAM::Policy").keys() == attached


def test_no_role_has_a_wildcard_action() -> None:
    """No `*`, no `service:*`, no `service:Prefix*`."""
    actions = [action for _, statement in _allowed() for action in statement["Action"]]

    assert [action for action in actions if "*" in action] == []


def test_no_role_can_delete() -> None:
    """Nothing that landed can be lost by any role of the stack; messages are no data."""
    actions = {action for _, statement in _allowed() for action in statement["Action"]}

    assert {action for action in actions if "Delete" in action} == {"sqs:DeleteMessage"}


def test_every_right_to_all_resources_has_its_reason() -> None:
    """And each of them only reads."""
    wide = {
        action
        for _, statement in _allowed()
        if "*" in statement["Resource"]
        for action in statement["Action"]
    }

    assert wide == EVERYTHING.keys(), "narrow its resource, or say in EVERYTHING why that cannot be"
    assert [a for a in wide if not re.match("[a-z0-9-]+:(Describe|Get|List)", a)] == []


def test_roles_are_passed_to_healthimaging_alone() -> None:
    """No PassRole without PassedToService, none of a role but the data access role."""
    passing = [s for _, s in _allowed() if "iam:PassRole" in s["Action"]]
    to_healthimaging = {"StringEquals": {"iam:PassedToService": "medical-imaging.amazonaws.com"}}

    assert passing
    for statement in passing:
        assert statement["Action"] == ["iam:PassRole"]
        assert statement["Resource"] == ["DataAccessRole.Arn"]
        assert statement["Condition"] == to_healthimaging


def test_only_record_outcome_may_tag_and_only_that_one_tag() -> None:
    """IMPORTED alone is tagged for expiry."""
    tagging = [(role, s) for role, s in _allowed() if "s3:PutObjectTagging" in s["Action"]]

    assert {role for role, _ in tagging} == {"RecordOutcomeRole"}
    for _, statement in tagging:
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
