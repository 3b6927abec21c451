"""The usage instructions of the AWS Marketplace listing.

What they must hold stands in the seller guide under "Creating AMI and container product usage instructions" and
"Container-based product requirements".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from ci.listing.links import region_links
from importer.preflight.checks import quotas
from template_gen.deploy.role import DEFAULT_STACK_NAME
from template_gen.product import IMPORTER_ZIP, NAME, Release
from template_gen.reference import tables

TEXT = Path(__file__).with_name("usage-instructions.md")
ROLE, POLICY, FUNCTION = "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::Lambda::Function"
PURPOSES = {
    "PacsServerTaskRole": "The receiver adds images and manifests to the landing bucket, create-only.",
    "StorageCommitmentPolicy": "With storage commitment on, the receiver keeps requests in the landing bucket, and "
    "looks there and in the table for what became of the images.",
    "PacsServerExecutionRole": "Amazon ECS pulls the image and writes the receiver's log.",
    "DataAccessRole": "AWS HealthImaging reads the images of an import job and writes the job's output.",
    "ReplicationRole": "Amazon S3 copies images to the bucket of `ReplicaBucketARN`.",
    "ReplicationSourcePolicy": "Lets that role read what it copies.",
    "DataKeyPolicyWhenMakesKey": "Lets the roles that touch the data use the stack's own key, through S3 and "
    "DynamoDB only.",
    "DataKeyPolicyWhenHasExistingKey": "The same for the key of `KMSKeyARN`.",
}
"""Of every role and policy that belongs to no function; a function's role serves what the function is for."""
_QUOTAS = (
    (quotas.FARGATE_VCPUS, "vCPUs of all Fargate tasks of the account: `TaskCPU` x `AutoscaleMaxCapacity`"),
    (quotas.NETWORK_LOAD_BALANCERS, "Network Load Balancers of the Region: one more"),
    (quotas.ELASTIC_IP_ADDRESSES, "Elastic IP addresses of the Region: two more, with `ElasticIPs`"),
    (quotas.GROUPS_PER_INTERFACE, "security groups of a network interface"),
    (quotas.DATASTORES, "HealthImaging data stores of the account: one more, without `ExistingDatastoreID`"),
)  # fmt: skip


class ListingError(Exception):
    """The instructions would leave out something; the message says what."""


def usage_instructions(release: Release, document: Mapping[str, Any]) -> str:
    """Return the instructions for a release whose template is `document`.

    Raises:
        ListingError: A role or policy has no purpose here.
    """
    made = tables(document, "en")
    links = list(region_links(release))
    return Template(TEXT.read_text(encoding="utf-8")).substitute(
        name=NAME,
        version=release.version,
        stack=DEFAULT_STACK_NAME,
        image=release.image,
        repository=release.repository,
        bucket=release.asset_bucket_prefix,
        key=release.asset_key_prefix + IMPORTER_ZIP,
        template_url=links[0].template_url,
        links=_table(
            ("Region", "product", "deploy role"),
            (
                (f"{one.name}, `{one.region}`", f"[launch]({one.product})", f"[make]({one.deploy_role})")
                for one in links
            ),
        ),
        outputs=made["outputs"].strip(),
        alarms=made["alarms"].strip(),
        roles=_table(
            ("role or policy", "who uses it", "purpose", "what it allows"),
            _roles(document["Resources"]),
        ),
        quotas=_table(
            ("service", "code", "what it limits, and what the stack needs"),
            ((f"`{quota.service}`", f"`{quota.code}`", what) for quota, what in _QUOTAS),
        ),
    )  # fmt: skip


def _roles(resources: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    functions = {
        body["Properties"]["Role"]["Fn::GetAtt"][0]: body["Properties"]["Description"]
        for body in resources.values()
        if body["Type"] == FUNCTION
    }
    for title, body in resources.items():
        if body["Type"] not in (ROLE, POLICY):
            continue
        purpose = functions.get(title) or PURPOSES.get(title)
        if purpose is None:
            raise ListingError(f"{title} has no purpose in ci/listing/usage.py")
        trusted = sorted(_named(body["Properties"].get("AssumeRolePolicyDocument", {}), "Service"))
        allowed = sorted(
            set(_named(body["Properties"].get("Policies", body["Properties"]), "Action"))
        )
        yield (
            f"`{title}`",
            ", ".join(trusted) or "the roles that it names",
            purpose,
            ", ".join(allowed) or "see its managed policies",
        )  # fmt: skip


def _named(document: Any, key: str) -> Iterator[str]:
    """Yield every string under `key`, however deep: a policy may stand in an Fn::If."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            if name == key:
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _named(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _named(value, key)


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
