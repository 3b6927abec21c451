"""`python -m tests.template_gen.policies`: write what each role may do as the golden files (`make golden`).

A file for each role: who may take it, and its statements in stacks with few and with many options. A change of
a file is a change of what a customer grants, to be reviewed as such.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.template_gen.choices import RECEIVER_TLS, everything_but
from tests.template_gen.rendering import of_type, render

FOLDER = Path(__file__).with_name("golden") / "policies"
REGION = "eu-west-1"
"""Not the image's, so that the difference shows."""
ROLE = "AWS::IAM::Role"
MINIMAL = "minimal"


def stacks() -> dict[str, dict[str, Any]]:
    """Return the resources of stacks that between them have every statement."""
    zones = {"AvailabilityZones": f"{REGION}a,{REGION}b"}

    def stack(*left_out: str) -> dict[str, Any]:
        return render(REGION, **zones, **everything_but(REGION, *left_out))

    return {
        MINIMAL: render(REGION, **zones),
        "existing key, no copies": stack("CreateKMSKey", "ReplicaBucketARN", *RECEIVER_TLS),
        "own key and data store": stack(
            "KMSKeyARN", "ReplicaBucketARN", "ExistingDatastoreID", *RECEIVER_TLS
        ),
        "copies, no key": stack("KMSKeyARN", "CreateKMSKey", "TLSCertificateARN"),
    }


def policies() -> dict[str, str]:
    """Return the text of each role's file by its logical ID."""
    found: dict[str, dict[str, Any]] = {}
    for name, resources in stacks().items():
        for role, properties in of_type(resources, ROLE).items():
            trust = properties["AssumeRolePolicyDocument"]["Statement"]
            granted = {"trust": trust, "statements": list(statements_of(role, resources))}
            if role not in found:
                found[role] = {name: granted}
            elif other := _compared(granted, next(iter(found[role].values()))):
                found[role][name] = other
    return {
        role: json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        for role, document in found.items()
    }


def _compared(granted: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """Return what a stack has besides the first one, and what it lacks; nothing if they are the same."""
    found = {}
    for part, mine in granted.items():
        for title, more, less in (("besides", mine, first[part]), ("without", first[part], mine)):
            if different := [statement for statement in more if statement not in less]:
                found[f"{part} {title}"] = different
    return found


def statements_of(role: str, resources: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a role's statements: its own policies', then those of policies that name it."""
    # cloud-radar leaves an empty text where a list has AWS::NoValue.
    for policy in filter(None, resources[role]["Properties"]["Policies"]):
        yield from policy["PolicyDocument"]["Statement"]
    for policy in of_type(resources, "AWS::IAM::Policy").values():
        if role in policy["Roles"]:
            yield from policy["PolicyDocument"]["Statement"]


def main() -> int:
    """Write the files; remove those whose role is gone."""
    made = policies()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.json"):
        if path.stem not in made:
            path.unlink()
    for role, text in made.items():
        (FOLDER / f"{role}.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
