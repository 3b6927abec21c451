"""F25 to F28: what no one machine can act out is held by the template, the stored formats and the guide."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contract.manifest import Manifest
from importer.adapters import items
from importer.domain.batch import Batch, Wanted
from tests.importer.builders import make_batch_id, make_manifest
from tests.template_gen import inventory
from tests.template_gen.inventory import KEPT, broken_promises
from tests.template_gen.rendering import document, of_type, render

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs" / "guide"
SAMPLES = Path(__file__).resolve().parent.parent / "contract" / "samples"
WITH_DATA = (
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::HealthImaging::Datastore",
    "AWS::KMS::Key",
)


def guide(name: str) -> str:
    """Return a page of the guide as one line."""
    return " ".join((GUIDE / name).read_text(encoding="utf-8").split())


def whole(kind: str) -> dict[str, Any]:
    """Return the resources of a type, with what stands beside their properties."""
    found = document()["Resources"].items()
    return {title: resource for title, resource in found if resource["Type"] == kind}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("11-data-protection.md", "The Region fails"),
        ("13-emergencies.md", "another Region"),
        ("11-data-protection.ja.md", "リージョン"),
        ("13-emergencies.ja.md", "別リージョン"),
    ],
)
def test_f25_region_outage_is_in_the_guide(page: str, words: str) -> None:
    """F25: what is lost when a Region fails, how long it takes, and what a hospital can do, in both languages."""
    assert words in guide(page)


def test_f25_originals_can_lie_in_another_region() -> None:
    """F25: with a bucket in another Region every original is copied to it, and no removal is."""
    rules = document()["Resources"]["LandingBucket"]["Properties"]["ReplicationConfiguration"]
    [rule] = json.loads(json.dumps(rules))["Fn::If"][1]["Rules"]

    assert rule["Status"] == "Enabled"
    assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}


def test_f26_no_update_replaces_what_holds_data() -> None:
    """F26: of the last release's stack nothing stateful would be renamed, retyped or replaced."""
    assert broken_promises(inventory.recorded(), document()) == []


@pytest.mark.parametrize("kind", WITH_DATA)
def test_f26_a_replaced_resource_would_stay(kind: str) -> None:
    """F26: if CloudFormation ever did replace one, the old one is kept; none has a name that would clash."""
    found = whole(kind)

    assert kind in KEPT
    assert found
    for title, resource in found.items():
        assert resource["UpdateReplacePolicy"] == "Retain", title
        assert not {"BucketName", "TableName"} & resource["Properties"].keys(), title


@pytest.mark.parametrize("kind", WITH_DATA)
def test_f28_data_outlives_the_stack(kind: str) -> None:
    """F28: deleting the stack deletes nothing that holds images or says where they are."""
    for title, resource in whole(kind).items():
        assert resource["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate"), title


def test_f27_a_failed_deployment_goes_back() -> None:
    """F27: ECS puts the old tasks back when new ones do not become healthy."""
    [service] = of_type(render(), "AWS::ECS::Service").values()
    deployment = service["DeploymentConfiguration"]

    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MinimumHealthyPercent"] >= 100


def test_f27_old_functions_read_new_manifests() -> None:
    """F27: fields that a later receiver adds, to the manifest or to a row, are no hindrance after a rollback."""
    manifest = make_manifest(make_batch_id(), 3)
    newer: dict[str, Any] = json.loads(manifest.encode())
    newer["compression"] = "none"
    for row in newer["instances"]:
        row["pixel_digest"] = "x"

    assert Manifest.decode(json.dumps(newer).encode()) == manifest


def test_f27_new_functions_read_old_manifests() -> None:
    """F27: every manifest of an earlier version that the bucket may still hold is read."""
    samples = sorted(SAMPLES.glob("manifest-v*.json"))

    assert samples
    for sample in samples:
        assert Manifest.decode(sample.read_bytes()).rows, sample.name


def test_f27_old_code_reads_new_ledger_rows_and_new_code_old_ones() -> None:
    """F27: attributes of a later release are ignored; those that this release added have a default."""
    name = make_batch_id()
    batch = Batch.new(name, rows=2, extras=[f"{name.prefix}00/0002/k"], oldest_received_at=1.0)
    batch = batch.plan([Wanted(prefix="")], now=2.0)
    written = items.batch_item(batch)
    newer = {**written, "shelf": {"S": "a later release's"}}
    older = {name: value for name, value in written.items() if name != "proved"}

    assert items.batch_of(newer) == batch
    assert items.batch_of(older) == batch


def test_f28_the_guide_says_how_to_protect_the_stack() -> None:
    """F28: termination protection is the operator's to switch on; the guide says so in both languages."""
    assert re.search("termination protection", guide("11-data-protection.md"), re.IGNORECASE)
    assert "削除保護" in guide("11-data-protection.ja.md")
