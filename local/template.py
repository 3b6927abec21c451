"""The product's template, rendered for one machine: parameters, conditions and intrinsics evaluated."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_radar.cf.unit import Template

from local.references import mark

REGION = "us-east-1"
STACK_NAME = "local"
CUSTOM = "Custom::"
"""How the type of a resource begins that a function of the stack answers for."""
TEMPLATE = Path(__file__).parent.parent / "dist" / "storescp.template.json"

NETWORK_PARAMETERS = {
    "VpcID": "vpc-00000000000000001",
    "PublicSubnetIDs": "subnet-00000000000000001,subnet-00000000000000002",
    "PrivateSubnetIDs": "subnet-00000000000000003,subnet-00000000000000004",
    "AvailabilityZones": "us-east-1a,us-east-1b",
    "SecurityGroupID": "sg-00000000000000001",
    "VpcCIDR": "10.0.0.0/16",
}
"""What a hospital's network would answer; nothing of it exists here."""


class TemplateError(Exception):
    """The template cannot be rendered; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that the stack would have; its references are tokens."""

    logical_id: str
    type: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    """The rendered template."""

    resources: tuple[Resource, ...]

    def of_type(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of these types, in the template's order."""
        return (resource for resource in self.resources if resource.type in types)

    def get(self, logical_id: str) -> Resource | None:
        """Return a resource by its logical id."""
        return next((r for r in self.resources if r.logical_id == logical_id), None)


def load(path: Path = TEMPLATE) -> dict[str, Any]:
    """Read the template.

    Raises:
        TemplateError: It is not there or not JSON.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TemplateError(f"{path.name} cannot be read ({error}): run `make template`") from error
    return document


def render(document: Mapping[str, Any], environ: Mapping[str, str]) -> Stack:
    """Return the stack for this machine.

    A variable of `environ` that the template binds to a parameter (its name stands beside a `Ref` in a
    task definition's or function's environment) sets that parameter, so it is checked as on the form.

    Raises:
        TemplateError: A parameter has no value or not an allowed one.
    """
    given = parameters_from_environment(document, environ)
    known = document.get("Parameters", {})
    values = {name: value for name, value in NETWORK_PARAMETERS.items() if name in known} | given
    missing = [n for n, p in known.items() if "Default" not in p and n not in values]
    if missing:
        raise TemplateError(f"The template's parameters {', '.join(missing)} have no local value")
    resources = document["Resources"]
    marked = {**document, "Resources": mark(resources, resources)}
    marked.pop("Outputs", None)
    marked.pop("Rules", None)  # they ask about a VPC that is not there
    marked.pop("Metadata", None)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints itself
            rendering = Template(marked)
            rendering.StackName = STACK_NAME
            rendered = rendering.render(values, region=REGION)
    except (ValueError, KeyError, TypeError) as error:
        names = ", ".join(f"{n}={v!r}" for n, v in given.items())
        raise TemplateError(f"The template refuses its parameters ({names}): {error}") from error
    return Stack(
        tuple(
            Resource(name, body["Type"], body.get("Properties") or {})
            for name, body in rendered["Resources"].items()
        )
    )


def parameters_from_environment(
    document: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters that variables of `environ` set, by the template's own bindings."""
    parameters = document.get("Parameters", {})
    found = {}
    for variable, value in _bindings(document["Resources"]):
        name = value.get("Ref") if isinstance(value, dict) else None
        if name in parameters and environ.get(variable, ""):
            found[str(name)] = environ[variable]
    return found


def _bindings(resources: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for body in resources.values():
        properties = body.get("Properties", {})
        if body["Type"] == "AWS::ECS::TaskDefinition":
            for container in properties["ContainerDefinitions"]:
                for item in container.get("Environment", ()):
                    yield item["Name"], item["Value"]
        if body["Type"] == "AWS::Lambda::Function":
            yield from properties.get("Environment", {}).get("Variables", {}).items()
