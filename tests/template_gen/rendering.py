"""The built template, and what it becomes with given parameters."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cloud_radar.cf.unit import Template
from cloud_radar.cf.unit._template import add_metadata

from template_gen.stack import build_template

REQUIRED = {
    "VpcID": "vpc-0123456789abcdef0",
    "PublicSubnetIDs": "subnet-0000000a,subnet-0000000b",
    "PrivateSubnetIDs": "subnet-0000000c,subnet-0000000d",
    "AvailabilityZones": "us-east-1a,us-east-1b",
    "SecurityGroupID": "sg-0123456789abcdef0",
    "VpcCIDR": "10.0.0.0/16",
}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0123abcd-0123-0123-0123-0123456789ab"
TLS_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:storescp/tls-AbC123"  # noqa: S105 - where it is, not what
ACCOUNT = "555555555555"
"""cloud-radar's."""


@cache
def _text() -> str:
    return json.dumps(build_template().to_dict())


def document() -> dict[str, Any]:
    """Return the template as built, with its references; the caller's own, made again from its text."""
    built: dict[str, Any] = json.loads(_text())
    return built


def render(region: str = "us-east-1", **parameters: str) -> dict[str, Any]:
    """Return the resources of a stack: conditions decided, a Ref is a logical ID, a GetAtt `ID.Attr`.

    Raises:
        ValueError: A parameter's value is refused.
    """
    found: dict[str, Any] = rendered(region, **parameters)["Resources"]
    return found


def rendered(region: str = "us-east-1", **parameters: str) -> dict[str, Any]:
    """Return the whole rendered document of this tree's template."""
    return render_document(document(), region, {**REQUIRED, **parameters})


@cache
def stack(region: str = "us-east-1", **parameters: str) -> dict[str, Any]:
    """Return `rendered`, made once for all who only read it."""
    return rendered(region, **parameters)


def render_document(
    template: dict[str, Any], region: str, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Render a template, which is changed by it.

    cloud-radar's own `render` reads the template from YAML each time, which takes a second.
    """
    _refuse_unlisted(template["Parameters"], parameters)
    stack = Template({})
    stack.Region = region
    stack.template = template
    stack.set_parameters(dict(parameters))
    add_metadata(stack.template, region)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        found = stack.render_all_sections(stack.template)
    found = stack.remove_conditional_resources(found)
    found = stack.remove_novalue_properties(found)
    return dict(found)


def _refuse_unlisted(declared: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Refuse what no list allows; cloud-radar looks into the lists of texts only."""
    for name, value in parameters.items():
        allowed = declared[name].get("AllowedValues", [value])
        if value not in allowed:
            raise ValueError(f"{name}: {value} is none of {allowed}")


def of_type(resources: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of every resource of a type, by logical ID."""
    return {
        name: body.get("Properties", {}) for name, body in resources.items() if body["Type"] == kind
    }


def statements(resources: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement of the roles' policies with its role's logical ID."""
    for name, properties in of_type(resources, "AWS::IAM::Role").items():
        # cloud-radar leaves an empty text where a list has AWS::NoValue.
        for policy in filter(None, properties["Policies"]):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def policy_of(resources: Mapping[str, Any], title: str) -> list[dict[str, Any]]:
    """Return the statements of a bucket's or queue's policy."""
    found: list[dict[str, Any]] = resources[title]["Properties"]["PolicyDocument"]["Statement"]
    return found
