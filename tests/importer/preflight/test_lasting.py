"""What an update cannot change is refused before CloudFormation begins with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from importer.handlers import preflight
from importer.preflight.checks.lasting import check_lasting
from importer.preflight.checks.tables import check_tables
from importer.preflight.facts import Endpoint
from importer.preflight.kept_datastore import RESOURCE_TYPE
from importer.preflight.properties import Properties
from tests.importer.preflight.builders import GOOD, KEY, NETWORK, REGION, STACK_ARN
from tests.importer.preflight.cloudformation import mailbox

OLD, NEW = "0" * 32, "1" * 32
WITH_STORE = replace(GOOD, datastore=OLD)


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (GOOD, replace(GOOD, vpc_id="vpc-9"), "VpcID"),
        (GOOD, replace(GOOD, scheme="internal"), "LoadBalancerScheme"),
        (GOOD, replace(GOOD, elastic_ips=True), "ElasticIPs"),
        (GOOD, replace(GOOD, kms_key=KEY), "KMSKeyARN"),
        (GOOD, replace(GOOD, create_key=True), "KMSKeyARN"),
        (replace(GOOD, kms_key=KEY), GOOD, "KMSKeyARN"),
        (replace(GOOD, create_key=True), GOOD, "KMSKeyARN"),
        (replace(WITH_STORE, kms_key=KEY), WITH_STORE, "KMSKeyARN"),
        (GOOD, replace(WITH_STORE, kms_key=KEY), "KMSKeyARN"),
    ],
    ids=str,
)
def test_what_cannot_be_changed_is_refused(
    before: Properties, after: Properties, name: str
) -> None:
    """In both languages, with the parameter that is to be set back."""
    [problem] = check_lasting(after, before)

    assert problem.parameters[0] == name
    assert name in problem.text.en
    assert "cannot be changed" in problem.text.en
    assert f"{name}" in problem.text.ja
    assert "変更できません" in problem.text.ja


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GOOD, replace(GOOD, desired_count=2, certificate="", public_subnets=("pub-a", "pub-c"))),
        (WITH_STORE, replace(WITH_STORE, kms_key=KEY)),
        (WITH_STORE, replace(WITH_STORE, create_key=True)),
        (GOOD, WITH_STORE),
    ],
    ids=["other things", "key for buckets and ledger", "own key for them", "other data store"],
)
def test_what_can_be_changed_is_let_through(before: Properties, after: Properties) -> None:
    """A key may come later where the data store is not the stack's."""
    assert list(check_lasting(after, before)) == []


FIXED = replace(GOOD, elastic_ips=True)


@pytest.mark.parametrize("subnets", [("pub-b", "pub-a"), ("pub-a", "pub-c"), ("pub-a",)])
def test_subnets_with_fixed_addresses_stay(subnets: tuple[str, ...]) -> None:
    """The address of a zone in use cannot be changed; without fixed addresses all may."""
    [problem] = check_lasting(replace(FIXED, public_subnets=subnets), FIXED)

    assert problem.parameters[0] == "PublicSubnetIDs"
    assert "must stay pub-a, pub-b" in problem.text.en
    assert "pub-a, pub-bをこの順" in problem.text.ja
    assert list(check_lasting(replace(GOOD, public_subnets=subnets), GOOD)) == []


def test_subnets_may_follow_those_with_fixed_addresses() -> None:
    """The third and others have none."""
    more = replace(FIXED, public_subnets=(*FIXED.public_subnets, "pub-c"))

    assert list(check_lasting(more, FIXED)) == []


def kept(kind: str, asked: str, named: str = "", **choices: Any) -> dict[str, Any]:
    """Return the answer about the data store that a stack would use."""
    with mailbox() as box:
        event = {
            "RequestType": kind,
            "ResourceType": RESOURCE_TYPE,
            "ResponseURL": box.url,
            "StackId": STACK_ARN,
            "RequestId": "r-1",
            "LogicalResourceId": "KeptDatastore",
            "ResourceProperties": {
                "DatastoreID": asked, "ExistingDatastoreID": choices.get("now", "")
            },
            "OldResourceProperties": {"ExistingDatastoreID": choices.get("before", "")},
        } | ({"PhysicalResourceId": named} if named else {})  # fmt: skip
        preflight.handler(event, _Context())
        return box.answer


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def test_a_replaced_data_store_stops_the_update() -> None:
    """The stack would go on with an empty one; the name stays, for the rollback to find."""
    answer = kept("Update", NEW, named=OLD)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", OLD)
    assert f"would replace the data store {OLD} by the empty {NEW}" in answer["Reason"]
    assert f"{OLD}が空の{NEW}に置き換えられます" in answer["Reason"]


@pytest.mark.parametrize(
    ("kind", "asked", "named", "choices"),
    [
        ("Create", OLD, "", {}),
        ("Update", OLD, OLD, {}),
        ("Update", NEW, OLD, {"now": NEW, "before": ""}),
        ("Update", NEW, OLD, {"now": "", "before": OLD}),
    ],
    ids=["new stack", "same, and every rollback", "chosen", "choice taken back"],
)
def test_the_same_or_a_chosen_data_store_is_accepted(
    kind: str, asked: str, named: str, choices: dict[str, str]
) -> None:
    """And becomes the resource's name."""
    answer = kept(kind, asked, named=named, **choices)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", asked)


def test_the_old_name_may_be_deleted() -> None:
    """CloudFormation asks for that after a change of name, and when the stack goes."""
    answer = kept("Delete", OLD, named=OLD)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", OLD)


def test_the_stacks_own_endpoint_is_in_nobodys_way() -> None:
    """An update that leaves the route tables as they are finds it there."""
    table = NETWORK.tables[-1].id
    own = Endpoint(
        id="vpce-1", service=f"com.amazonaws.{REGION}.s3", kind="Gateway", available=True,
        route_tables=frozenset({table}),
    )  # fmt: skip
    network = replace(NETWORK, endpoints=(own,))
    p = replace(GOOD, route_tables=(table,))

    assert list(check_tables(p, p, network, REGION)) == []
    assert len(list(check_tables(p, GOOD, network, REGION))) == 1
    assert len(list(check_tables(p, None, network, REGION))) == 1
