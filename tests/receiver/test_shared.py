from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.reasons import WireReason
from receiver.shared import LATENCY_BOUNDS_S, SharedCells, SlotCounters


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
    cells.set_associations(1, 1)

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
    SlotCounters(cells, 0).add_stored(1, seconds)

    assert [n for n, count in enumerate(cells.latency()) if count] == [bucket]
