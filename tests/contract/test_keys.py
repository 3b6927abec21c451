from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.keys import (
    BATCHES_PREFIX,
    INCOMING_PREFIX,
    QUARANTINE_PREFIX,
    REFUSED_PREFIX,
    SHARD_INSTANCES,
    BatchId,
    BatchKind,
    InstanceKey,
    InvalidKeyError,
    batch_of_manifest_key,
    hour_of,
    hour_start,
    next_hour,
    refused_keys,
)
from contract.manifest import MAX_INSTANCES

times = st.floats(min_value=1_700_000_000, max_value=4_000_000_000)
kinds = st.sampled_from(BatchKind)


@st.composite
def batches(draw: st.DrawFn) -> BatchId:
    return BatchId.new(now=draw(times), lease_s=draw(st.floats(5, 700)), kind=draw(kinds))


@given(batches())
def test_batch_id_roundtrip(batch: BatchId) -> None:
    """A batch id says the same after it was text, and so does its manifest's key."""
    assert batch == BatchId.parse(str(batch)) == batch_of_manifest_key(batch.manifest_key)


@given(batches(), st.integers(0, 5_000))
def test_instance_key_roundtrip(batch: BatchId, n: int) -> None:
    """A landing key gives back its batch, shard and number."""
    key = batch.instance_key(n)

    assert InstanceKey(batch, n // SHARD_INSTANCES, n) == InstanceKey.parse(key)
    assert key.startswith(batch.prefix)


@given(batches(), st.integers(0, MAX_INSTANCES - 1))
def test_every_folder_below_a_batch_can_be_a_jobs_prefix(batch: BatchId, n: int) -> None:
    """Each key lies in a folder of its own, in a shard folder, in the batch's: all end with a slash."""
    folders = batch.instance_key(n)[len(batch.prefix) :].split("/")

    assert 3 == len(folders)
    assert batch.prefix.endswith("/")
    assert [f"{n // SHARD_INSTANCES:02d}", f"{n:04d}"] == folders[:2]


@given(batches())
def test_a_whole_batch_stays_below_the_folder_quota(batch: BatchId) -> None:
    """A full batch has fewer than the 10,000 folders that a job takes."""
    shards = (MAX_INSTANCES - 1) // SHARD_INSTANCES + 1

    assert MAX_INSTANCES + shards + 1 < 10_000
    assert batch.instance_key(MAX_INSTANCES - 1).count("/") == 5


@given(batches())
def test_keys_are_never_used_twice(batch: BatchId) -> None:
    """The same number asked for again gives another key."""
    assert batch.instance_key(0) != batch.instance_key(0)


@given(batches(), batches())
def test_no_batch_lies_within_another(one: BatchId, other: BatchId) -> None:
    """A job on one batch's prefix never sees another batch's objects."""
    assert one == other or not one.instance_key(0).startswith(other.prefix)


@given(times)
def test_a_batchs_lease_outlasts_its_opening(now: float) -> None:
    """The deadline is the opening plus the lease; batches of an hour are listed by their hour."""
    batch = BatchId.new(now=now, lease_s=120)

    assert int(now + 120) == batch.deadline
    assert batch.manifest_key.startswith(f"{BATCHES_PREFIX}{hour_of(now)}")


@given(times)
def test_hours_follow_each_other(now: float) -> None:
    """An hour starts at or before its moments and ends where the next one starts."""
    hour = hour_of(now)

    assert hour_start(hour) <= now < hour_start(next_hour(hour))
    assert hour_start(next_hour(hour)) - hour_start(hour) == 3600


@given(times)
def test_refused_instances_are_out_of_every_jobs_sight(now: float) -> None:
    """Bytes and record of a refused instance share a stem outside of incoming/."""
    instance, record = refused_keys(now)

    assert instance.removesuffix(".dcm") == record.removesuffix(".json")
    assert instance.startswith(REFUSED_PREFIX)
    assert len({INCOMING_PREFIX, BATCHES_PREFIX, REFUSED_PREFIX, QUARANTINE_PREFIX}) == 4


@pytest.mark.parametrize(
    "key",
    [
        "",
        "incoming/",
        "incoming/20260101T00/x/00/0000/0123456789abcdef.dcm",
        "refused/20260101T00/0123456789abcdef.dcm",
        "incoming/20260101T00/20260101T00-1767225720-n-0123456789ab/00/0000/../x.dcm",
        "incoming/20260101T00/20260101T00-1767225720-n-0123456789ab/00/0000/0123456789abcdef.dcm\n",
    ],
)
def test_foreign_key_is_refused(key: str) -> None:
    """What is not exactly of the layout is no instance key."""
    with pytest.raises(InvalidKeyError):
        InstanceKey.parse(key)


@given(st.text())
def test_any_text_is_a_batch_id_or_the_one_error(text: str) -> None:
    """Parsing never raises anything but InvalidKeyError, and never accepts what it would not write."""
    try:
        batch = BatchId.parse(text)
    except InvalidKeyError:
        return
    assert str(batch) == text
