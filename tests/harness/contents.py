"""What lies in the landing bucket, read from the emulated service's own memory: no listing, no client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from moto.s3.models import FakeDeleteMarker, s3_backends

from contract.keys import INCOMING_PREFIX
from local.s3.layer import ACCOUNT_ID, PARTITION
from tests.harness.oracle import Landed
from tests.part10 import parse


def landed(bucket: str) -> Iterator[Landed]:
    """Return every object below incoming/ of `bucket`."""
    held = s3_backends[ACCOUNT_ID][PARTITION].buckets[bucket]
    for key in list(held.keys):
        if key.startswith(INCOMING_PREFIX):
            yield _landed(key, held.keys.getlist(key))


def count(bucket: str) -> bytes:
    """Return how many there are, as text."""
    held = s3_backends[ACCOUNT_ID][PARTITION].buckets[bucket]
    return str(sum(key.startswith(INCOMING_PREFIX) for key in list(held.keys))).encode()


def report(bucket: str) -> bytes:
    """Return it as JSON, a line for each object."""
    lines = (
        json.dumps([found.key, found.uid, found.sha256, found.is_tagged, found.versions])
        for found in landed(bucket)
    )
    return "\n".join(lines).encode()


def read_report(content: bytes) -> list[Landed]:
    """Read what `report` made."""
    return [Landed(*json.loads(line)) for line in content.splitlines()]


def _landed(key: str, versions: list[Any]) -> Landed:
    latest = versions[-1]
    if isinstance(latest, FakeDeleteMarker):
        return Landed(key, "", "", is_tagged=False, versions=len(versions))
    file = parse(bytes(latest.value))
    tags = s3_backends[ACCOUNT_ID][PARTITION].tagger.get_tag_dict_for_resource(latest.arn)
    return Landed(
        key,
        file.uid(0x0003),
        hashlib.sha256(file.dataset).hexdigest(),
        is_tagged=tags.get("imported") == "true",
        versions=len(versions),
    )
