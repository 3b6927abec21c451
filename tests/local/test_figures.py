from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from contract.keys import BatchId
from local.landed import LandedCount
from local.status import Status
from tests.local.conftest import client

LEDGER = {
    "imported": 3,
    "importedWithWarning": 1,
    "importedNonPrimary": 0,
    "quarantined": 1,
    "importJobs": 2,
}
COUNTERS = {"acked": 7, "associations_rejected": 4, "failed_stores": 5}


@pytest.fixture
def s3(aws_url: str) -> Iterator[Any]:
    made = client("s3", aws_url)
    yield made
    made.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"landing-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


def test_what_landed_is_counted_in_the_bucket(s3: Any, bucket: str) -> None:
    """Objects of every batch and hour count, manifests and refused ones do not."""
    count = LandedCount(s3, bucket)
    for now in (0.0, 7200.0):
        batch = BatchId.new(now=now, lease_s=60)
        for n in range(3):
            s3.put_object(Bucket=bucket, Key=batch.instance_key(n), Body=b"")
        s3.put_object(Bucket=bucket, Key=batch.manifest_key, Body=b"")

    assert count.count(now=0.0) == 6


def test_a_batch_with_a_lease_still_grows(s3: Any, bucket: str) -> None:
    """An object that lands later in an open batch is counted the next time."""
    count = LandedCount(s3, bucket)
    batch = BatchId.new(now=1000.0, lease_s=60)
    for n in range(2):
        s3.put_object(Bucket=bucket, Key=batch.instance_key(n), Body=b"")
        assert count.count(now=1010.0) == n + 1


def test_figures_come_from_receiver_ledger_and_bucket() -> None:
    """What is in flight is what landed less what is terminal."""
    status = Status(lambda: {"counters": COUNTERS}, lambda: LEDGER, lambda _: 8)

    assert status.figures() == {
        "acked": 7,
        "landed": 8,
        "imported": 3,
        "importedWithWarning": 1,
        "importedNonPrimary": 0,
        "quarantined": 1,
        "inFlight": 3,
        "importJobs": 2,
        "rejectedAssociations": 4,
        "failedStores": 5,
    }


def test_a_receiver_that_is_gone_has_acknowledged_what_it_said_last() -> None:
    """While it drains or restarts the figures stay."""

    def gone() -> dict[str, Any]:
        raise ConnectionRefusedError

    assert Status(gone, lambda: LEDGER, lambda _: 8).figures()["acked"] == 0
