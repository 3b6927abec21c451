"""What the processes of one task share: a cell of counts per worker slot, and who has which place.

The memory is one anonymous mapping made before the first fork. Each slot's cell is written by the
process in that slot alone and read by everybody, so nothing but the limit's check (`admission`) needs a
lock that processes share. Counts stay when a worker dies (its replacement goes on counting); its associations do
not, the parent zeroes them. The parent has a slot of its own, after the workers'.
"""

from __future__ import annotations

import bisect
import mmap
import os
import threading
from collections.abc import Callable

from contract.reasons import WireReason
from receiver import native
from receiver.settings import Settings

COUNTERS = (
    "acked",
    "bytes_stored",
    "duplicates_answered",
    "failed_stores",
    "refused_instances",
    "associations_accepted",
    "associations_rejected",
    "associations_aborted",
    "batches_sealed",
    "tls_handshakes_failed",
    "worker_restarts",
    "log_lines_dropped",
)
"""What is counted; totals since the task started."""

_REASON_PREFIX = "reason:"
REASON_COUNTERS = tuple(f"{_REASON_PREFIX}{reason.value}" for reason in WireReason)
"""How often each reason was given, whatever the answer was (RJ, A-ABORT, a status, a cut)."""

LATENCY_BOUNDS_S = tuple(round(0.001 * 1.25**step, 6) for step in range(50))
"""Upper bounds of the latency buckets, 1 ms to 56 s, each 25 % above the one before; one more is open.

A bucket's middle is at most 12 % off: good enough for a p99, and 51 values fit one EMF member (100).
"""

_NAMES = {name: index for index, name in enumerate(COUNTERS + REASON_COUNTERS)}
_WORD = 8
_LINE_WORDS = 8
"""A cache line, so that the counts of one core never evict another's."""
_ASSOCIATIONS = 0
_COUNTS = _LINE_WORDS
_LATENCY = _COUNTS + len(_NAMES)
_BUCKETS = len(LATENCY_BOUNDS_S) + 1
_ACKED = _COUNTS + _NAMES["acked"]
_BYTES_STORED = _COUNTS + _NAMES["bytes_stored"]
_CELL_WORDS = -(-(_LATENCY + _BUCKETS) // _LINE_WORDS) * _LINE_WORDS

PLACES: int = Settings.specs()["maximum_associations"].maximum or 0
"""Associations that a slot can have at most."""
SENDER_KINDS = 2
"""Columns of `Origin.senders`."""
WAITERS = 64
"""Senders of a kind for whom a place can be kept at once."""


def reason_counter(reason: WireReason) -> str:
    """Return the name under which `reason` is counted."""
    return f"{_REASON_PREFIX}{reason.value}"


class SharedCells:
    """The mapping. Make it before the first fork; every process reads all of it."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.parent_slot = workers
        self._memories: list[mmap.mmap] = []
        # Aligned words: each read and write is one instruction, so a reader never sees half a number.
        self.words = self._map((workers + 1) * _CELL_WORDS)
        self.senders = self._map(workers * SENDER_KINDS * PLACES)
        """For each slot and kind a column: the sender of each open association."""
        self.waiters = self._map(SENDER_KINDS * 2 * WAITERS)
        """For each kind two columns: senders that wait, and until when (monotonic ms)."""
        self.lock_fd = os.memfd_create("association-limit")

    def close(self) -> None:
        """Give the memory back; for tests, a process just exits."""
        for view in (self.words, self.senders, self.waiters):
            view.release()
        for memory in self._memories:
            memory.close()
        os.close(self.lock_fd)

    def _map(self, words: int) -> memoryview:
        memory = mmap.mmap(-1, words * _WORD)
        self._memories.append(memory)
        return memoryview(memory).cast("Q")

    def base(self, slot: int) -> int:
        """Return the index of the slot's first word."""
        return slot * _CELL_WORDS

    def associations(self, slot: int) -> int:
        """Return the associations open in the slot's process."""
        return self.words[self.base(slot) + _ASSOCIATIONS]

    def open_associations(self) -> int:
        """Return the associations open in the whole task."""
        return sum(self.associations(slot) for slot in range(self.workers))

    def set_associations(self, slot: int, count: int) -> None:
        """Say how many rows of the slot's sender columns are associations."""
        self.words[self.base(slot) + _ASSOCIATIONS] = count

    def forget_associations(self, slot: int) -> None:
        """Zero the associations of a slot whose process is dead (reaped: it can write no more)."""
        self.set_associations(slot, 0)

    def totals(self) -> dict[str, int]:
        """Return every count, summed over all slots."""
        return {name: self._sum(_COUNTS + index) for name, index in _NAMES.items()}

    def reasons(self) -> dict[str, int]:
        """Return how often each reason was given, those that were."""
        totals = self.totals()
        return {r.value: n for r in WireReason if (n := totals[reason_counter(r)])}

    def latency(self) -> list[int]:
        """Return the number of stores in each latency bucket."""
        return [self._sum(_LATENCY + n) for n in range(_BUCKETS)]

    def _sum(self, offset: int) -> int:
        return sum(self.words[self.base(slot) + offset] for slot in range(self.workers + 1))


class SlotCounters:
    """The counts of one slot, written by this process only; `ports.Counters`."""

    def __init__(self, cells: SharedCells, slot: int) -> None:
        self._words = cells.words
        self._base = cells.base(slot)
        self._lock = threading.Lock()
        base = self._base
        # Each instance is counted before its response.
        self.add_stored: Callable[[int, float], None] = (
            native.StoredCounts(
                self._words,
                base + _ACKED,
                base + _BYTES_STORED,
                base + _LATENCY,
                LATENCY_BOUNDS_S,
            ).add
            if native.IS_NATIVE
            else self._add_stored
        )
        """Count an instance that may be acknowledged."""

    def add(self, name: str, value: int = 1) -> None:
        """Add to the count of `name`.

        Raises:
            KeyError: No counter has this name.
        """
        index = self._base + _COUNTS + _NAMES[name]
        with self._lock:
            self._words[index] += value

    def add_reason(self, reason: WireReason) -> None:
        """Count that `reason` was given."""
        self.add(reason_counter(reason))

    def _add_stored(self, size: int, latency_s: float) -> None:
        base = self._base
        bucket = base + _LATENCY + bisect.bisect_left(LATENCY_BOUNDS_S, latency_s)
        words = self._words
        with self._lock:
            words[base + _ACKED] += 1
            words[base + _BYTES_STORED] += size
            words[bucket] += 1
