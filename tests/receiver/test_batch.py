"""Batching decisions, by an argument clock."""

from __future__ import annotations

import pytest

from contract.keys import BatchKind, InstanceKey
from contract.manifest import MAX_BYTES, MAX_INSTANCES
from receiver.batch import (
    BULK_LEASE_S,
    FAST_BYTES_PER_S,
    MAX_INSTANCE_BYTES,
    SLOW_LEASE_S,
    Batches,
    Ticket,
)

T0 = 1_800_000_000.0


@pytest.fixture
def batches() -> Batches:
    return Batches(age_s=60, idle_s=10, lease_s=120, slots=16)


def _admit(batches: Batches, size: int = 1000, now: float = T0) -> Ticket:
    ticket = batches.admit(size, now)
    assert ticket is not None
    return ticket


def _store(batches: Batches, size: int = 1000, now: float = T0) -> Ticket:
    ticket = _admit(batches, size, now)
    batches.settle(ticket, now, size=size, acked=True)
    return ticket


def _upload(batches: Batches, pace: float = FAST_BYTES_PER_S, now: float = T0) -> Ticket:
    ticket = batches.admit_upload(pace, now)
    assert ticket is not None
    return ticket


def test_instances_of_a_moment_share_a_batch(batches: Batches) -> None:
    """Numbers count up in one batch, and the key carries batch and number."""
    first, second = _store(batches), _store(batches)

    assert first.batch is second.batch
    assert (0, 1) == (first.n, second.n)
    parsed = InstanceKey.parse(second.key)
    assert (second.batch.id, 1) == (parsed.batch, parsed.n)


def test_the_lease_is_in_the_id(batches: Batches) -> None:
    """Whoever reads the id knows when nothing can be acknowledged any more."""
    assert T0 + 120 == _admit(batches).batch.id.deadline


@pytest.mark.parametrize(
    ("now", "is_due"), [(9.9, False), (10.0, True)], ids=["still warm", "idle"]
)
def test_an_idle_batch_is_due(batches: Batches, now: float, is_due: bool) -> None:  # noqa: FBT001 - a parametrized claim
    """Idleness counts from the last instance."""
    batch = _store(batches).batch

    assert ([batch] if is_due else []) == batches.due(T0 + now)


def test_a_busy_batch_is_due_at_its_age(batches: Batches) -> None:
    """Instances that keep coming do not keep it open."""
    batch = _store(batches).batch
    for second in range(0, 60, 5):
        assert batch is _store(batches, now=T0 + second).batch
    assert batch is not _store(batches, now=T0 + 60).batch
    assert [batch] == batches.due(T0 + 60)


def test_count_closes_a_batch(batches: Batches) -> None:
    """The 4,001st instance opens the next one, and the full one is due at once."""
    full = _store(batches).batch
    for _ in range(MAX_INSTANCES - 1):
        assert full is _store(batches).batch
    next_batch = _store(batches).batch

    assert next_batch is not full
    assert [full] == batches.due(T0)


def test_bytes_close_a_batch(batches: Batches) -> None:
    """A batch never holds more than a job takes."""
    big = 3_000_000_000
    first, second, third = (_store(batches, big).batch for _ in range(3))

    assert first is second
    assert third is not first
    assert first.charged_bytes <= MAX_BYTES


def test_a_closing_batch_waits_for_its_puts(batches: Batches) -> None:
    """It is due when the last one has ended, however it ended."""
    ticket = _admit(batches)
    assert [] == batches.due(T0 + 61)
    batches.settle(ticket, T0 + 62, size=1000, acked=False)

    assert [ticket.batch] == batches.due(T0 + 62)


def test_at_its_lease_a_batch_waits_no_more(batches: Batches) -> None:
    """A PUT that hangs beyond the lease cannot be acknowledged, so nothing waits for it."""
    ticket = _admit(batches)

    assert [ticket.batch] == batches.due(T0 + 120)
    assert ticket.batch.lease_ended(T0 + 120)


def test_a_put_in_progress_keeps_a_batch_from_idleness(batches: Batches) -> None:
    """A slow store is no idleness: the next instance joins."""
    ticket = _admit(batches)

    assert ticket.batch is _admit(batches, now=T0 + 30).batch


def test_without_a_free_journal_nothing_is_admitted(batches: Batches) -> None:
    """When every journal waits for its manifest, the answer is no, not a batch without a journal."""
    for _ in range(16):
        _store(batches).batch.closing = True

    assert batches.admit(1000, T0) is None
    batches.forget(batches.live[0])
    assert batches.admit(1000, T0) is not None


def test_fast_uploads_share_while_the_largest_would_fit(batches: Batches) -> None:
    """Two in progress at once; ended ones count as what they were."""
    first, second, third = _upload(batches), _upload(batches), _upload(batches)
    assert first.batch is second.batch
    assert third.batch is not first.batch
    assert 2 * MAX_INSTANCE_BYTES <= MAX_BYTES
    batches.settle(first, T0, size=50_000_000, acked=True)
    batches.settle(second, T0, size=50_000_000, acked=True)

    assert first.batch is _upload(batches).batch
    assert BatchKind.BULK is first.batch.id.kind
    assert T0 + BULK_LEASE_S == first.batch.id.deadline


def test_a_slow_upload_is_alone_with_a_long_lease(batches: Batches) -> None:
    """It holds nobody else, and nobody joins it."""
    slow = _upload(batches, pace=250_000)
    fast = _upload(batches)

    assert slow.batch is not fast.batch
    assert T0 + SLOW_LEASE_S == slow.batch.id.deadline
    batches.settle(slow, T0 + 9000, size=10, acked=True)
    assert slow.batch in batches.due(T0 + 9000)


def test_small_instances_never_wait_for_an_upload(batches: Batches) -> None:
    """Bulk and normal are different batches."""
    upload = _upload(batches)
    small = _store(batches)

    assert upload.batch is not small.batch
    assert [small.batch] == batches.due(T0 + 60)


def test_giants_leave_journals_for_the_others(batches: Batches) -> None:
    """A hundred senders of giants all get a place, and small instances still open batches."""
    tickets = [_upload(batches) for _ in range(60)] + [_upload(batches, 1.0) for _ in range(40)]

    assert 12 == len({id(ticket.batch) for ticket in tickets})
    for _ in range(4):
        _store(batches).batch.closing = True


def test_a_failed_instance_goes_on_counting(batches: Batches) -> None:
    """Its object may lie there all the same, so a job's size includes it."""
    ticket = _admit(batches, 1000)
    batches.settle(ticket, T0, size=1000, acked=False)

    assert (1000, 0, 0) == (
        ticket.batch.charged_bytes,
        ticket.batch.acked,
        ticket.batch.acked_bytes,
    )


def test_closing_makes_everything_due(batches: Batches) -> None:
    """At shutdown nothing waits for age."""
    batch = _store(batches).batch
    batches.close()

    assert [batch] == batches.due(T0)
    batches.forget(batch)
    assert [] == batches.live
