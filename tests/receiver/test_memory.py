"""The memory budget: bounded, fair, and always enough for one instance."""

from __future__ import annotations

import contextlib
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver import memory
from receiver.memory import (
    BLOCK_BYTES,
    KEEP_BYTES,
    MINIMUM_BYTES,
    RESERVE_BYTES,
    Block,
    Claim,
    Memory,
    worker_budget,
)
from receiver.ports import StoreError
from tests.receiver.fake_storage import wait_until

RESERVE_BLOCKS = RESERVE_BYTES // BLOCK_BYTES
GIB = 1024**3


def _try_acquire(claim: Claim) -> Block | None:
    """Take a block if the claim would not have to wait for it."""
    return claim.acquire() if claim.memory._may_take(claim) else None


def test_budget_is_half_of_the_task_divided_by_workers() -> None:
    """A task of 2 GiB with two workers gives each 512 MiB."""
    assert GIB // 2 == worker_budget(memory_mib=2048, workers=2)


def test_budget_never_falls_below_what_the_reserve_needs() -> None:
    """Many workers in a small task still have the reserve and as much again."""
    assert MINIMUM_BYTES == worker_budget(memory_mib=512, workers=32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1073741824\n", GIB // 2), ("max\n", GIB), ("9223372036854771712\n", GIB)],
    ids=["limited", "v2-unlimited", "v1-unlimited"],
)
def test_budget_follows_the_cgroup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int
) -> None:
    """Without a setting the cgroup's limit counts, and 2 GiB where it sets none."""
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (tmp_path / "missing", tmp_path / "memory.max"))
    monkeypatch.setattr(memory, "_physical_bytes", lambda: 64 * GIB)

    assert expected == worker_budget(memory_mib=0, workers=1)


def test_last_block_freed_is_the_first_reused() -> None:
    """Free blocks are a stack: the hot one is taken again."""
    budget = Memory(MINIMUM_BYTES)
    claim = budget.claim()
    first, second = claim.acquire(), claim.acquire()
    claim.release([first])
    claim.release([second])

    assert second is claim.acquire()


def test_closing_returns_everything_once() -> None:
    """A claim that is closed twice gives its blocks back once."""
    budget = Memory(MINIMUM_BYTES)
    claim = budget.claim()
    for _ in range(5):
        claim.acquire()
    claim.close()
    claim.close()

    assert budget.total_blocks == budget.free_blocks


def test_reserve_is_kept_for_the_oldest() -> None:
    """A younger claim cannot take what the oldest may still need."""
    budget = Memory(MINIMUM_BYTES)
    oldest, younger = budget.claim(), budget.claim()
    taken = 0
    while _try_acquire(younger) is not None:
        taken += 1

    assert budget.total_blocks - RESERVE_BLOCKS == taken
    assert all(_try_acquire(oldest) is not None for _ in range(RESERVE_BLOCKS))
    assert _try_acquire(oldest) is None


def test_waiting_claims_are_served_by_age() -> None:
    """A block that comes free goes to the oldest waiting claim, not to the first that asked."""
    budget = Memory(MINIMUM_BYTES)
    holder = budget.claim()
    blocks = [holder.acquire() for _ in range(budget.total_blocks)]
    older, younger = budget.claim(), budget.claim()
    order: list[str] = []

    def take(name: str, claim: memory.Claim) -> None:
        claim.acquire()
        order.append(name)

    threads = []
    for name, claim in (("younger", younger), ("older", older)):
        thread = threading.Thread(target=take, args=(name, claim))
        thread.start()
        threads.append(thread)
        wait_until(lambda: len(budget._waiting) == len(threads))
    holder.release(blocks[:1])
    wait_until(lambda: len(order) == 1)

    assert ["older"] == order
    holder.close()
    for thread in threads:
        thread.join(5)


def test_trim_gives_back_what_a_burst_needed() -> None:
    """After two quiet intervals only the warm minimum is still touched."""
    budget = Memory(4 * MINIMUM_BYTES)
    claim = budget.claim()
    for _ in range(100):
        claim.acquire().view[:1] = b"x"
    claim.close()

    assert 0 == budget.trim(), "the burst was in this interval"
    assert 100 - KEEP_BYTES // BLOCK_BYTES == budget.trim()
    assert KEEP_BYTES // BLOCK_BYTES == budget.warm_blocks
    assert budget.total_blocks == budget.free_blocks


def test_blocks_given_back_read_as_zero() -> None:
    """A trimmed block is really the system's again: its old bytes are gone."""
    budget = Memory(MINIMUM_BYTES)
    claim = budget.claim()
    blocks = [claim.acquire() for _ in range(60)]
    for block in blocks:
        block.view[:3] = b"old"
    claim.close()
    budget.trim()
    budget.trim()
    claim = budget.claim()
    seen = [bytes(claim.acquire().view[:3]) for _ in range(60)]

    assert 60 - KEEP_BYTES // BLOCK_BYTES == seen.count(b"\0\0\0")


def test_closing_the_memory_wakes_who_waits() -> None:
    """A thread that waits for memory ends with an error when the worker goes away."""
    budget = Memory(MINIMUM_BYTES)
    holder, late = budget.claim(), budget.claim()
    for _ in range(budget.total_blocks):
        holder.acquire()
    errors: list[str] = []

    def take() -> None:
        try:
            late.acquire()
        except StoreError as error:
            errors.append(error.detail)

    thread = threading.Thread(target=take)
    thread.start()
    wait_until(lambda: bool(budget._waiting))
    budget.close()
    thread.join(5)

    assert ["memory closed"] == errors


ROUTER = ("title ROUTER", "address 10.0.0.1")
CT = ("title CT", "address 10.0.0.2")
MR = ("title MR", "address 10.0.0.1")


def _fill(claim: memory.Claim) -> int:
    taken = 0
    while _try_acquire(claim) is not None:
        taken += 1
    return taken


def test_one_sender_leaves_a_quarter_to_others() -> None:
    """Whatever it has open besides the oldest instance, and then another still gets its memory."""
    budget = Memory(8 * MINIMUM_BYTES)
    budget.claim()  # the oldest, with its reserve
    room = budget.total_blocks - RESERVE_BLOCKS
    held = sum(_fill(budget.claim(ROUTER)) for _ in range(5))

    assert 3 * room // 4 <= held <= 3 * room // 4 + 1
    assert _fill(budget.claim(CT)) > room // 8


def test_sender_is_known_by_title_and_by_address() -> None:
    """Another title from the same address shares its part."""
    budget = Memory(8 * MINIMUM_BYTES)
    budget.claim()
    _fill(budget.claim(ROUTER))

    assert _fill(budget.claim(MR)) == 0


def test_waiting_claims_of_a_sated_sender_are_passed_over() -> None:
    """A younger instance of another sender gets the block that comes free."""
    budget = Memory(8 * MINIMUM_BYTES)
    budget.claim()
    holder = budget.claim(CT)
    blocks = [holder.acquire() for _ in range(2 * RESERVE_BLOCKS)]
    _fill(budget.claim(ROUTER))
    for _ in range(budget.free_blocks - RESERVE_BLOCKS):
        budget.claim(()).acquire()  # until nothing is left
    order: list[str] = []

    def take(name: str, claim: memory.Claim) -> None:
        with contextlib.suppress(StoreError):  # the memory is closed at the end
            claim.acquire()
            order.append(name)

    threads = []
    for name, claim in (("router", budget.claim(ROUTER)), ("ct", budget.claim(CT))):
        thread = threading.Thread(target=take, args=(name, claim), daemon=True)
        thread.start()
        threads.append(thread)
        wait_until(lambda: len(budget._waiting) == len(threads))
    holder.release(blocks[: len(blocks) // 2])
    threads[1].join(5)

    assert order == ["ct"]
    holder.close()
    budget.close()
    for thread in threads:
        thread.join(5)


@settings(max_examples=25, deadline=None)
@given(
    needs=st.lists(st.integers(1, RESERVE_BLOCKS), min_size=4, max_size=24),
    seed=st.integers(0, 1000),
)
def test_instances_larger_in_sum_than_the_budget_all_finish(needs: list[int], seed: int) -> None:
    """Whatever the interleaving, every instance of up to two parts gets its memory in the end."""
    budget = Memory(MINIMUM_BYTES)
    finished: list[int] = []
    start = threading.Barrier(len(needs))

    def receive(number: int, need: int) -> None:
        rng = random.Random(seed + number)  # noqa: S311 -- an interleaving
        start.wait(10)
        claim = budget.claim(rng.choice((ROUTER, CT, MR, ())))
        got = 0
        while got < need:
            claim.acquire()
            got += 1
            while got < need and rng.random() < 0.5 and _try_acquire(claim) is not None:
                got += 1
        finished.append(number)
        claim.close()

    threads = [
        threading.Thread(target=receive, args=item, daemon=True) for item in enumerate(needs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert list(range(len(needs))) == sorted(finished)
    assert budget.total_blocks == budget.free_blocks
