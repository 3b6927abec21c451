"""`python -m tests.template_gen.inventory`: record this version's resources (`make inventory`, at a release).

What is recorded of each resource is what an update must not change: its logical ID, its type, and where it
holds data or is known to devices, the values of the properties that can only be given when it is made, as AWS's
registry says. They are rendered, so that a change in what a parameter leads to shows too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from template_gen.product import REGIONS, read_release
from tests.template_gen.choices import RECEIVER_TLS, everything_but
from tests.template_gen.rendering import REQUIRED, document, render_document

RECORDED = Path(__file__).with_name("golden") / "released.json"
REGION = REGIONS[0]
KEPT = {
    "AWS::S3::Bucket": "images, manifests, results",
    "AWS::DynamoDB::Table": "where every image is",
    "AWS::HealthImaging::Datastore": "the imported images",
    "AWS::KMS::Key": "without it none of them can be read",
    "AWS::Logs::LogGroup": "who sent what",
    "AWS::SQS::Queue": "what is on its way",
    "AWS::SNS::Topic": "confirmed subscriptions",
    "AWS::EC2::EIP": "typed into devices",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "its name is typed into devices",
}
"""What an update must not replace, and what would be lost."""
STACKS: dict[str, tuple[str, ...] | None] = {
    "every default": None,
    "existing key": (
        "LoadBalancerScheme",
        "CreateKMSKey",
        "ReplicaBucketARN",
        "ExistingDatastoreID",
        *RECEIVER_TLS,
    ),
    "own key": (
        "LoadBalancerScheme",
        "KMSKeyARN",
        "ReplicaBucketARN",
        "ExistingDatastoreID",
        "TLSCertificateARN",
    ),
}
"""Stacks that are compared: the choices that each leaves out, None for all."""

Inventory = dict[str, Any]


def parameters_of(left_out: tuple[str, ...] | None) -> dict[str, str]:
    """Return the parameters of a stack."""
    return REQUIRED | ({} if left_out is None else everything_but(REGION, *left_out))


def inventory_of(template: Mapping[str, Any], version: str) -> Inventory:
    """Return what is to be recorded of a template."""
    return {
        "version": version,
        "resources": {name: body["Type"] for name, body in template["Resources"].items()},
        "stacks": {
            stack: {"parameters": given, "kept": dict(_kept(template, given))}
            for stack, given in ((name, parameters_of(left)) for name, left in STACKS.items())
        },
    }


def _kept(template: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    copy = json.loads(json.dumps(template))
    for name, body in render_document(copy, REGION, given)["Resources"].items():
        if body["Type"] in KEPT:
            properties = body.get("Properties", {})
            yield name, {key: properties.get(key) for key in create_only(body["Type"])}


@cache
def create_only(kind: str) -> tuple[str, ...]:
    """Return the properties of a type whose change replaces the resource, always or under conditions."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - takes seconds

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    pointers = [
        *schema.get("createOnlyProperties", ()),
        *schema.get("conditionalCreateOnlyProperties", ()),
    ]
    return tuple(sorted({pointer.split("/")[2] for pointer in pointers}))


def broken_promises(old: Inventory, template: Mapping[str, Any]) -> list[str]:
    """Return what an update from a recorded version to a template would take from a customer."""
    resources = template["Resources"]
    found = [
        f"{name} ({kind}) is gone" + _loss(kind)
        for name, kind in old["resources"].items()
        if resources.get(name, {}).get("Type") != kind
    ]
    for stack, recorded in old["stacks"].items():
        now = dict(_kept(template, _known(recorded["parameters"], template)))
        for name, values in recorded["kept"].items():
            if name not in resources:
                continue
            if name not in now:
                found.append(f"{stack}: {name} would be removed")
                continue
            found += [
                f"{stack}: {name} would be replaced: {key} {value!r} -> {now[name].get(key)!r}"
                + _loss(old["resources"][name])
                for key, value in values.items()
                if now[name].get(key) != value
            ]
    return found


def _loss(kind: str) -> str:
    return f", and with it {KEPT[kind]}" if kind in KEPT else ""


def _known(parameters: Mapping[str, str], template: Mapping[str, Any]) -> dict[str, str]:
    """Return a stack's old parameters, as an update keeps them: without those that are gone."""
    return {name: value for name, value in parameters.items() if name in template["Parameters"]}


def recorded() -> Inventory:
    """Return what was recorded last."""
    found: Inventory = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Record this tree's template as its version."""
    inventory = inventory_of(document(), read_release().version)
    text = json.dumps(inventory, indent=1, ensure_ascii=False) + "\n"
    RECORDED.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
