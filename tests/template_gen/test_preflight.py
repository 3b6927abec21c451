"""Preflight comes before everything else and knows what it needs, no more."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import Any

import pytest

from importer.preflight import kept_datastore
from importer.preflight.permissions import PERMISSIONS
from importer.preflight.properties import KMS_KEY, PROPERTY_NAMES, Properties
from template_gen.preflight import needed_by
from tests.template_gen.rendering import (
    ACCOUNT,
    CERTIFICATE,
    document,
    of_type,
    render,
    statements,
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/0123abcd"
DATASTORE = "0123456789abcdef0123456789abcdef"
ROLE = "PreflightFunctionRole"
OWN = {"PreflightFunction", ROLE, "PreflightFunctionLogGroup"}


def _resources() -> dict[str, Any]:
    found: dict[str, Any] = document()["Resources"]
    return found


def _waits(body: dict[str, Any]) -> list[str]:
    waits = body.get("DependsOn", [])
    return [waits] if isinstance(waits, str) else waits


def test_everything_waits_for_preflight() -> None:
    """A refused stack has made a function, its role and its log group, and nothing that costs."""
    waiting = {title for title, body in _resources().items() if "Preflight" in _waits(body)}

    assert waiting == _resources().keys() - OWN - {"Preflight"}


def test_an_update_that_would_replace_the_data_store_fails_loudly() -> None:
    """KeptDatastore says whether it is still the same, and everything that uses it waits for that."""
    resources = _resources()
    users = {
        title
        for title, body in resources.items()
        if title != "KeptDatastore"
        and "Datastore" in needed_by({title: body, "Datastore": {}}, title)
    }
    kept = resources["KeptDatastore"]["Properties"]

    assert users == {title for title, body in resources.items() if "KeptDatastore" in _waits(body)}
    assert users >= {"StartImport", "RecordOutcome", "OutcomeRule", "DataAccessRole"}
    assert resources["KeptDatastore"]["Type"] == kept_datastore.RESOURCE_TYPE
    assert kept["ServiceToken"] == resources["Preflight"]["Properties"]["ServiceToken"]
    assert render()["KeptDatastore"]["Properties"][kept_datastore.IN_USE] == (
        "Datastore.DatastoreId"
    )


def test_preflight_needs_its_function_alone() -> None:
    """It waits for nothing that waits for it."""
    assert needed_by(_resources(), "Preflight") == OWN


def test_what_waits_still_waits_for_what_it_did() -> None:
    """A bucket that tells a queue waits for the queue's policy too."""
    assert _waits(_resources()["LandingBucket"]) == ["Preflight", "ImportQueuePolicy"]


def test_the_resources_can_be_made_in_some_order() -> None:
    """No circle, whatever a resource refers to or waits for."""
    resources = _resources()
    order = TopologicalSorter({title: needed_by(resources, title) for title in resources})

    made = list(order.static_order())

    assert set(made[:3]) == OWN
    assert made[3] == "Preflight"


def test_nothing_waits_for_what_may_not_be_there() -> None:
    """What has no condition of its own waits for resources without one."""
    resources = _resources()
    conditional = {title for title, body in resources.items() if "Condition" in body}
    waiting = {
        title: conditional & set(_waits(body))
        for title, body in resources.items()
        if "Condition" not in body
    }

    assert not any(waiting.values()), waiting


def test_the_properties_are_those_that_the_function_reads() -> None:
    """A property added there and not bound here fails the build."""
    bound = _resources()["Preflight"]["Properties"].keys()

    assert bound - {"ServiceToken", "ServiceTimeout"} == PROPERTY_NAMES


def test_the_function_reads_what_the_form_says() -> None:
    """Also the image that is in use though nobody named one, and what the key is for."""
    given = render(
        KMSKeyARN=KEY, TLSCertificateARN=CERTIFICATE, TaskDesiredCount="2", ElasticIPs="true"
    )["Preflight"]["Properties"]

    read = Properties.of(given)

    assert read.public_subnets == ("subnet-0000000a", "subnet-0000000b")
    assert (read.kms_key, read.certificate) == (KEY, CERTIFICATE)
    assert (read.desired_count, read.max_capacity, read.elastic_ips) == (2, 3, True)
    assert read.kms_services == ("s3", "dynamodb", "medical-imaging")
    assert read.image.startswith("709825985650.dkr.ecr.us-east-1.amazonaws.com/")
    assert read.route_tables == ()


@pytest.mark.parametrize(
    ("options", "action", "resource"),
    [
        ({"TLSCertificateARN": CERTIFICATE}, "acm:DescribeCertificate", CERTIFICATE),
        ({"KMSKeyARN": KEY}, "kms:GetKeyPolicy", KEY),
        (
            {"ExistingDatastoreID": DATASTORE},
            "medical-imaging:GetDatastore",
            f"arn:aws:medical-imaging:us-east-1:{ACCOUNT}:datastore/{DATASTORE}",
        ),
    ],
    ids=["certificate", "key", "data store"],
)
def test_it_may_look_at_what_was_chosen_and_at_no_other(
    options: dict[str, str], action: str, resource: str
) -> None:
    """Without a choice there is no such right."""
    chosen = [s["Resource"] for r, s in statements(render(**options)) if action in s["Action"]]
    nothing = [s for r, s in statements(render()) if r == ROLE and action in s["Action"]]

    assert chosen == [[resource]]
    assert nothing == []


def test_it_may_do_all_that_it_says_it_needs() -> None:
    """Every permission that the code lists is granted when everything is chosen."""
    resources = render(TLSCertificateARN=CERTIFICATE, KMSKeyARN=KEY, ExistingDatastoreID=DATASTORE)
    granted = {a for r, s in statements(resources) if r == ROLE for a in s["Action"]}

    assert granted >= {action for one in PERMISSIONS for action in one.actions}


def test_service_linked_roles_are_made_for_the_services_of_the_stack_alone() -> None:
    """The one right that changes anything."""
    (making,) = (s for r, s in statements(render()) if "iam:CreateServiceLinkedRole" in s["Action"])

    assert making["Condition"] == {
        "StringEquals": {
            "iam:AWSServiceName": [
                "ecs.amazonaws.com",
                "elasticloadbalancing.amazonaws.com",
                "ecs.application-autoscaling.amazonaws.com",
            ]
        }
    }


def test_a_key_that_the_stack_makes_is_not_examined() -> None:
    """It is made after Preflight, with the policy that it needs."""
    assert KMS_KEY not in render(CreateKMSKey="true")["Preflight"]["Properties"]


def test_cloudformation_does_not_wait_for_an_hour() -> None:
    """Long enough for Lambda's own two repetitions, one and two minutes later."""
    timeout_s = of_type(render(), "AWS::Lambda::Function")["PreflightFunction"]["Timeout"]

    waited_s = render()["Preflight"]["Properties"]["ServiceTimeout"]

    assert 3 * timeout_s + 60 + 120 < waited_s <= 900
