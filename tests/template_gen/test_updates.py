"""An update from the last release runs the new image and code, and takes nothing from the customer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from template_gen.product import read_release
from template_gen.render import render
from template_gen.stack import build_template
from tests.template_gen import inventory
from tests.template_gen.inventory import KEPT, broken_promises, create_only, inventory_of
from tests.template_gen.rendering import document, of_type, render_document

DIGEST = f"sha256:{'0a' * 32}"
NEXT = replace(read_release(), version="99.0.0", digest=DIGEST, asset_key_prefix="storescp/99.0.0/")


def test_an_update_from_the_last_release_loses_nothing() -> None:
    """Every logical ID still exists with its type, and nothing that holds data would be replaced."""
    assert broken_promises(inventory.recorded(), document()) == [], (
        "an update of a customer's stack would do this. Before the version that is recorded in "
        "tests/template_gen/golden/released.json has been released: `make inventory`. After: undo it"
    )


@pytest.mark.parametrize("stack", inventory.STACKS)
def test_an_update_with_the_old_parameters_runs_the_new_release(stack: str) -> None:
    """CloudFormation keeps each parameter's previous value, so no location may be a default of one."""
    recorded = inventory.recorded()["stacks"][stack]["parameters"]
    old = document()["Parameters"]
    # What the customer chose but for the overrides, and each default as the stack has kept it.
    kept = {name: p["Default"] for name, p in old.items() if "Default" in p} | recorded
    kept |= dict.fromkeys(("ImageURI", "AssetBucketPrefix", "AssetKeyPrefix"), "")

    new = render_document(build_template(NEXT).to_dict(), inventory.REGION, kept)["Resources"]

    (container,) = new["PacsServerTaskDef"]["Properties"]["ContainerDefinitions"]
    assert container["Image"] == f"{NEXT.repository}@{DIGEST}"
    for title, function in of_type(new, "AWS::Lambda::Function").items():
        assert function["Code"]["S3Key"] == "storescp/99.0.0/importer.zip", title


def test_a_new_version_alone_changes_nothing_that_is_kept() -> None:
    """An update replaces no data because of its version."""
    old = inventory_of(document(), "1")

    assert broken_promises(old, build_template(NEXT).to_dict()) == []


def _rename_table(template: dict[str, Any]) -> None:
    renamed = json.loads(json.dumps(template).replace("DicomImportJobTable", "Ledger"))
    template.clear()
    template.update(renamed)


def _name_bucket(template: dict[str, Any]) -> None:
    template["Resources"]["LandingBucket"]["Properties"]["BucketName"] = "images"


def _other_keys(template: dict[str, Any]) -> None:
    schema = template["Resources"]["DicomImportJobTable"]["Properties"]["KeySchema"]
    schema[0]["AttributeName"] = "other"


def _name_datastore(template: dict[str, Any]) -> None:
    template["Resources"]["Datastore"]["Properties"]["DatastoreName"] = "images"


def _tag_datastore(template: dict[str, Any]) -> None:
    template["Resources"]["Datastore"]["Properties"]["Tags"] = {"team": "radiology"}


def _other_type(template: dict[str, Any]) -> None:
    template["Resources"]["Sweep"]["Type"] = "AWS::StepFunctions::StateMachine"


def _condition_on_data(template: dict[str, Any]) -> None:
    template["Resources"]["ResultsBucket"]["Condition"] = "HasReplica"


def _fixed_scheme(template: dict[str, Any]) -> None:
    template["Resources"]["PacsNLB"]["Properties"]["Scheme"] = "internal"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_rename_table, "DicomImportJobTable (AWS::DynamoDB::Table) is gone, and with it where"),
        (_name_bucket, "LandingBucket would be replaced: BucketName None -> 'images'"),
        (_other_keys, "DicomImportJobTable would be replaced: KeySchema"),
        (_name_datastore, "Datastore would be replaced: DatastoreName"),
        (_tag_datastore, "Datastore would be replaced: Tags None -> {'team': 'radiology'}"),
        (_other_type, "Sweep (AWS::Lambda::Function) is gone"),
        (_condition_on_data, "every default: ResultsBucket would be removed"),
        (_fixed_scheme, "PacsNLB would be replaced: Scheme 'internet-facing' -> 'internal'"),
    ],
)
def test_a_loss_is_found(spoil: Callable[[dict[str, Any]], None], said: str) -> None:
    """The comparison can fail, and says what a customer would lose."""
    old = inventory_of(document(), "1")
    changed = document()
    spoil(changed)

    assert said in "\n".join(broken_promises(old, changed))


def test_what_holds_data_says_so_and_outlives_the_stack() -> None:
    """Each type with a Retain is one whose replacement is watched, and the reverse but for messages."""
    retained = {
        body["Type"]
        for body in document()["Resources"].values()
        if body.get("DeletionPolicy", "").startswith("Retain")
    }

    assert retained <= KEPT.keys(), "add it to KEPT (tests/template_gen/inventory.py)"
    assert KEPT.keys() - retained == {
        "AWS::SQS::Queue",
        "AWS::SNS::Topic",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
    }


def test_the_registry_knows_what_can_only_be_given_at_first() -> None:
    """The schemas have it; one that had nothing would make the comparison empty."""
    assert "BucketName" in create_only("AWS::S3::Bucket")
    assert "Tags" in create_only("AWS::HealthImaging::Datastore")
    assert all(create_only(kind) for kind in KEPT if kind != "AWS::KMS::Key")


def test_a_section_without_a_place_fails_the_build() -> None:
    """Nothing is left out of the file in silence."""
    template = build_template()
    template.set_transform("AWS::LanguageExtensions")

    with pytest.raises(ValueError, match="Transform"):
        render(template)
