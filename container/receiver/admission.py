"""Who may open another association: MaximumAssociations of the task, and each sender's part of it.

A router may rightly use every place, so by default nothing is set aside. Only when the task is full and
somebody with less than an equal share is refused, the next place that comes free is kept for him: those
who have their equal share or more get none until he is back, or two minutes have passed. So a modality
that opens associations without end cannot keep the others out, and the whole task is there for whoever
is alone. A sender is counted twice, by calling AE title and by address, so that neither a device that
changes its title nor one behind several addresses gets more.
"""

from __future__ import annotations

import fcntl
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from contract.reasons import WireReason
from receiver.ports import Origin
from receiver.shared import PLACES, SENDER_KINDS, WAITERS, SharedCells

KEPT_S = 120.0
"""For so long a place is kept for a sender that was refused: modalities try again after a minute or two."""

_REASONS = (WireReason.AET_LIMIT, WireReason.ADDRESS_LIMIT)


class SharedAssociationLimit:
    """The limits over all processes of the task, exact; `ports.AssociationLimit`.

    Each open association is a row in its slot's columns of senders. Rows are read and changed under a
    POSIX record lock, which the kernel releases when a holder dies; such a lock belongs to the process,
    so that threads need a lock of their own. A dead worker's rows end with its count, which the parent
    zeroes.
    """

    def __init__(
        self,
        cells: SharedCells,
        slot: int,
        maximum: int,
        *,
        per_ae_title: int = 0,
        per_address: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Limit the task `cells` belong to, for the process in `slot`.

        Args:
            cells: Of the task.
            slot: Of this process.
            maximum: Associations of the whole task, 1 to PLACES.
            per_ae_title: Of one calling AE title; 0 for no fixed number.
            per_address: Of one address; 0 for no fixed number.
            clock: Monotonic seconds, the same in all processes.
        """
        self._cells = cells
        self._slot = slot
        self._maximum = maximum
        self._fixed = (per_ae_title, per_address)
        self._clock = clock
        self._lock = threading.Lock()

    def try_enter(self, origin: Origin) -> WireReason | None:
        """Reserve a place; return why there is none."""
        keys = _keys(origin)
        with self._locked():
            reason = self._refusal(keys)
            if reason is None:
                row = self._cells.associations(self._slot)
                for kind, key in enumerate(keys):
                    self._cells.senders[self._column(self._slot, kind) + row] = key
                self._cells.set_associations(self._slot, row + 1)
            return reason

    def leave(self, origin: Origin) -> None:
        """Give the place back."""
        keys = _keys(origin)
        senders = self._cells.senders
        with self._locked():
            last = self._cells.associations(self._slot) - 1
            titles, addresses = (self._column(self._slot, kind) for kind in range(SENDER_KINDS))
            # Any row of the same sender will do: the last one takes its place.
            row = next(
                row
                for row in range(last, -1, -1)
                if (senders[titles + row], senders[addresses + row]) == keys
            )
            for start in (titles, addresses):
                senders[start + row] = senders[start + last]
            self._cells.set_associations(self._slot, last)

    def _refusal(self, keys: Sequence[int]) -> WireReason | None:
        columns = [self._open(kind) for kind in range(SENDER_KINDS)]
        counts = [column.count(key) for column, key in zip(columns, keys, strict=True)]
        for reason, count, fixed in zip(_REASONS, counts, self._fixed, strict=True):
            if fixed and count >= fixed:
                return reason
        free = self._maximum - len(columns[0])
        now_ms = int(self._clock() * 1000)
        for kind, (key, column, count) in enumerate(zip(keys, columns, counts, strict=True)):
            waiting = self._waiting(kind, now_ms)
            share = max(self._maximum // len({key, *column, *waiting}), 1)
            if count >= share:
                if free and len(waiting - {key}) >= free:
                    return _REASONS[kind]
            elif not free:
                self._wait(kind, key, now_ms)
        if free <= 0:
            return WireReason.LIMIT
        for kind, key in enumerate(keys):
            self._end_wait(kind, key)
        return None

    def _open(self, kind: int) -> list[int]:
        """Return the sender of every open association of the task."""
        found: list[int] = []
        for slot in range(self._cells.workers):
            start = self._column(slot, kind)
            found += self._cells.senders[start : start + self._cells.associations(slot)].tolist()
        return found

    def _waiting(self, kind: int, now_ms: int) -> set[int]:
        keys, ends = self._waiters(kind)
        return {key for key, end in zip(keys.tolist(), ends.tolist(), strict=True) if end > now_ms}

    def _wait(self, kind: int, key: int, now_ms: int) -> None:
        """Keep a place; where too many wait, for him instead of the one that waits longest."""
        keys, ends = self._waiters(kind)
        known = keys.tolist()
        n = known.index(key) if key in known else min(range(WAITERS), key=ends.__getitem__)
        keys[n], ends[n] = key, now_ms + int(KEPT_S * 1000)

    def _end_wait(self, kind: int, key: int) -> None:
        keys, ends = self._waiters(kind)
        known = keys.tolist()
        if key in known:
            n = known.index(key)
            keys[n] = ends[n] = 0

    def _waiters(self, kind: int) -> tuple[memoryview, memoryview]:
        start = kind * 2 * WAITERS
        waiters = self._cells.waiters
        return waiters[start : start + WAITERS], waiters[start + WAITERS : start + 2 * WAITERS]

    def _column(self, slot: int, kind: int) -> int:
        return (slot * SENDER_KINDS + kind) * PLACES

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            fcntl.lockf(self._cells.lock_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._cells.lock_fd, fcntl.LOCK_UN)


def _keys(origin: Origin) -> tuple[int, ...]:
    """Return the two senders as words; never 0, which is nobody."""
    return tuple(
        int.from_bytes(hashlib.blake2b(sender.encode(), digest_size=8).digest()) or 1
        for sender in origin.senders
    )
