from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from contract.reasons import WireReason
from receiver.shared import (
    LATENCY_BOUNDS_S,
    SharedAssociationLimit,
    SharedCells,
    SlotCounters,
)

_RACE = """
import os, sys, threading
from receiver.shared import SharedAssociationLimit, SharedCells

SLOTS, THREADS, TRIES, LIMIT = 4, 4, 500, 37
cells = SharedCells(SLOTS)
worst = os.memfd_create("worst")

def contend(limit):
    for _ in range(TRIES):
        if limit.try_enter():
            if cells.open_associations() > LIMIT:
                os.write(worst, b"x")
            limit.leave()

def fill(limit):
    while limit.try_enter():
        pass

children = []
for slot in range(SLOTS):
    pid = os.fork()
    if not pid:
        limit = SharedAssociationLimit(cells, slot, LIMIT)
        for work in (contend, fill):
            threads = [threading.Thread(target=work, args=(limit,)) for _ in range(THREADS)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        os._exit(0)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
print(codes == [0] * SLOTS, os.fstat(worst).st_size, cells.open_associations() == LIMIT)
"""


@pytest.fixture
def cells() -> Iterator[SharedCells]:
    cells = SharedCells(2)
    yield cells
    cells.close()


def test_counts_are_summed_over_all_slots(cells: SharedCells) -> None:
    """A total is what all workers and the parent counted."""
    SlotCounters(cells, 0).add("acked", 2)
    SlotCounters(cells, 1).add("acked", 3)
    SlotCounters(cells, cells.parent_slot).add("worker_restarts")

    assert (cells.totals()["acked"], cells.totals()["worker_restarts"]) == (5, 1)


def test_counts_outlive_the_process_that_counted(cells: SharedCells) -> None:
    """A replacement in the same slot goes on counting; only the associations are forgotten."""
    SlotCounters(cells, 1).add("bytes_stored", 10)
    assert SharedAssociationLimit(cells, 1, 5).try_enter()

    cells.forget_associations(1)
    SlotCounters(cells, 1).add("bytes_stored", 10)

    assert cells.totals()["bytes_stored"] == 20
    assert cells.open_associations() == 0


def test_unknown_counter_is_a_bug(cells: SharedCells) -> None:
    """A name that no metric reads is refused."""
    with pytest.raises(KeyError):
        SlotCounters(cells, 0).add("ackd")


def test_reasons_are_counted_by_their_code(cells: SharedCells) -> None:
    """Only the reasons that were given are listed."""
    SlotCounters(cells, 0).add_reason(WireReason.LIMIT)
    SlotCounters(cells, 1).add_reason(WireReason.LIMIT)

    assert cells.reasons() == {"limit": 2}


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.001, 0), (0.0011, 1), (1e9, len(LATENCY_BOUNDS_S))],
    ids=["zero", "on the bound", "above it", "above all"],
)
def test_latency_falls_into_the_bucket_whose_bound_it_does_not_exceed(
    cells: SharedCells, seconds: float, bucket: int
) -> None:
    """Bounds are inclusive; the last bucket takes the rest."""
    SlotCounters(cells, 0).observe_latency(seconds)

    assert [n for n, count in enumerate(cells.latency()) if count] == [bucket]


def test_limit_gives_back_what_was_left(cells: SharedCells) -> None:
    """A place that was left can be entered by another worker."""
    first, second = (SharedAssociationLimit(cells, slot, 1) for slot in (0, 1))
    assert first.try_enter()
    assert not second.try_enter()

    first.leave()

    assert second.try_enter()


def test_limit_is_exact_under_racing_processes_and_threads() -> None:
    """Sixteen threads of four processes never hold more than the limit, and do reach it."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RACE],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (run.stdout.strip(), run.stderr) == ("True 0 True", "")
