"""What CloudFormation does to make, change and remove each resource of a template, as AWS's registry says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from template_gen.deploy.unused import UNUSED
from template_gen.product import REGIONS

CUSTOM = "Custom::"
HANDLERS = ("create", "read", "update", "delete")
PASS_ROLE = "iam:PassRole"  # noqa: S105 - an action's name
LINK_ROLE = "iam:CreateServiceLinkedRole"


@cache
def registered(kind: str) -> frozenset[str]:
    """Return every action that the registry names for a type, used features or not.

    Raises:
        KeyError: The schema names none.
    """
    if kind.startswith(CUSTOM):
        return frozenset({"lambda:InvokeFunction"})
    # Takes seconds to import, and only the deploy policy needs it.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - see above

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGIONS[0], kind).schema
    handlers = schema["handlers"]
    return frozenset(
        action for name in HANDLERS for action in handlers.get(name, {}).get("permissions", ())
    )


def needed(resources: Mapping[str, Any]) -> list[str]:
    """Return the actions that a template's resources need, without those of unused features, sorted."""
    kinds = {body["Type"] for body in resources.values()}
    patterns = [pattern for one in UNUSED for pattern in one.patterns]
    found = {action for kind in kinds for action in registered(kind)}
    return sorted(action for action in found if not _matches(action, patterns))


def by_service(actions: Iterable[str]) -> dict[str, list[str]]:
    """Return the actions by service prefix."""
    found: dict[str, list[str]] = {}
    for action in actions:
        found.setdefault(action.partition(":")[0], []).append(action)
    return found


def passed_to(resources: Mapping[str, Any]) -> list[str]:
    """Return the services that roles of the stack are handed to, as their trust policies say."""
    return sorted(
        {
            statement["Principal"]["Service"]
            for statement in _trusts(resources)
            if "Service" in statement["Principal"]
        }
    )


def _trusts(resources: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for body in resources.values():
        if body["Type"] == "AWS::IAM::Role":
            yield from body["Properties"]["AssumeRolePolicyDocument"]["Statement"]


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)
