"""Which batches a worker has open, what goes into which, and when one is sealed: pure decisions.

Time is an argument (Unix seconds), so is every outcome; the landing holds the lock and does the I/O.
recorder.c admits and settles likewise, where one batch is open and has room; it decides nothing else.

A batch is *open* while it admits, then *closing* until its last PUT has ended, then *due*. Its lease is
in its id: nothing is admitted and nothing is acknowledged into it after that, and at that moment it is
due even with PUTs in progress, because none of them can be acknowledged any more.

Instances that are uploaded in parts need their key before their size is known, and take as long as
their sender takes. They go to bulk batches, which wait for them and hold nobody else:

- Senders that were fast so far share a batch. Each upload counts as the largest instance while it runs
  and as what it was afterwards, so the batch can never outgrow a job (two run in one at a time).
- A sender that was slow so far gets a batch of its own with a longer lease, so that an image that was
  acknowledged in seconds never waits hours for its neighbour's.
- When no journal is left, an upload joins any open bulk batch. That one may outgrow a job; the import
  then splits it. It needs a dozen senders of giants at once on one worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contract.keys import MAX_LEASE_S, BatchId, BatchKind
from contract.manifest import MAX_BYTES, MAX_INSTANCES
from receiver.native import Account

MAX_INSTANCE_BYTES = 4_000_000_000
"""Largest object that is received, file meta included. HealthImaging's limit for one P10 file is 10 GB
by its General Reference and 4 GB by its older guide: the smaller is safe in every Region, and two such
uploads still fit one import job of 10 GB."""
FAST_BYTES_PER_S = 4 * 1024 * 1024
"""From this pace on an upload shares a batch: the largest instance then takes 16 minutes."""
BULK_LEASE_S = 3600.0
"""Lease of a shared bulk batch: for the largest instance at a quarter of that pace."""
SLOW_LEASE_S = float(MAX_LEASE_S)
"""Lease of a slow upload's own batch: the largest instance at 2 Mbit/s takes 4.5 hours."""
RESERVED_FOR_NORMAL = 4
"""Batches that only instances up to one PUT may open, so that giants never stop the others."""


@dataclass(slots=True, eq=False)
class Batch(Account):
    """A batch of this worker that is not sealed.

    Attributes:
        id: Its identity; carries the lease.
        slot: Index of its journal.
        opened_at: Unix time (s).
        touched_at: When it last admitted or settled an instance.
        shared: Whether more than one upload may join (always so for a normal batch).
        admitted: Numbers given out.
        pending: Of these, not settled.
        charged_bytes: What counts against the batch's size limit.
        acked: Instances acknowledged, one row each.
        acked_bytes: Their size.
        closing: Whether it admits no more.
        sealing: Whether its rows were read for the manifest: no row may follow.
    """

    id: BatchId
    slot: int
    opened_at: float
    shared: bool = True

    @property
    def is_bulk(self) -> bool:
        """Whether it holds multipart uploads."""
        return self.id.kind is BatchKind.BULK

    def has_room(self, size: int) -> bool:
        """Return whether an instance of `size` bytes may still go in."""
        return self.admitted < MAX_INSTANCES and self.charged_bytes + size <= MAX_BYTES

    def lease_ended(self, now: float) -> bool:
        """Return whether nothing may be acknowledged into it any more."""
        return self.sealing or now >= self.id.deadline


@dataclass(slots=True)
class Ticket:
    """A place in a batch: its number and the key that goes with it; settled exactly once."""

    batch: Batch
    n: int
    key: str
    charged_bytes: int


@dataclass(slots=True)
class Batches:
    """The unsealed batches of a worker.

    Attributes:
        age_s: An open batch closes at this age.
        idle_s: An open batch closes when nothing happened in it for so long.
        lease_s: Lease of a normal batch; above `age_s` by the time that PUTs may take.
        slots: Journals there are.
        new_id: Makes batch ids; tests replace it.
    """

    age_s: float
    idle_s: float
    lease_s: float
    slots: int
    new_id: Callable[..., BatchId] = BatchId.new
    live: list[Batch] = field(default_factory=list)
    """Open, closing and being sealed; each holds its slot until `forget`."""
    taken: set[int] = field(default_factory=set)
    """Slots in use: those of `live` and those that wait for their recovery."""

    def closes_at(self, batch: Batch) -> float:
        """Return until when a batch admits by its age and lease (Unix time, s)."""
        return min(batch.id.deadline, batch.opened_at + self.age_s)

    def admit(self, size: int, now: float) -> Ticket | None:
        """Give a complete instance of `size` bytes its place; None if no journal is free.

        A ticket with number 0 is the first of its batch: the caller records the batch first.
        """
        for batch in self.live:
            if batch.id.kind is BatchKind.NORMAL and self._admits(batch, now):
                if batch.charged_bytes + size <= MAX_BYTES:
                    return self._ticket(batch, size, now)
                batch.closing = True
        opened = self._open(BatchKind.NORMAL, self.lease_s, now, keep_free=0)
        return None if opened is None else self._ticket(opened, size, now)

    def admit_upload(self, bytes_per_s: float, now: float) -> Ticket | None:
        """Give an upload that starts its place; None if no journal is free and no bulk batch open.

        Args:
            bytes_per_s: How fast its first bytes came.
            now: Unix time (s).
        """
        fast = bytes_per_s >= FAST_BYTES_PER_S
        bulk = [batch for batch in self.live if batch.is_bulk and self._admits(batch, now)]
        if fast:
            for batch in bulk:
                if batch.has_room(MAX_INSTANCE_BYTES):
                    return self._ticket(batch, MAX_INSTANCE_BYTES, now)
        keep_free = min(RESERVED_FOR_NORMAL, self.slots // 2)
        lease_s = BULK_LEASE_S if fast else SLOW_LEASE_S
        batch_or_none = self._open(
            BatchKind.BULK, lease_s, now, keep_free=keep_free if fast else 2 * keep_free
        )
        if batch_or_none is None:
            bulk = [batch for batch in bulk if batch.admitted < MAX_INSTANCES]
            if not bulk:
                return None
            batch_or_none = min(bulk, key=lambda batch: batch.charged_bytes)
        elif not fast:
            batch_or_none.shared = False
        ticket = self._ticket(batch_or_none, MAX_INSTANCE_BYTES, now)
        batch_or_none.closing = batch_or_none.closing or not batch_or_none.shared
        return ticket

    def settle(self, ticket: Ticket, now: float, *, size: int, acked: bool) -> None:
        """End a place: `size` bytes lie under its key, or may lie there (0: surely nothing)."""
        batch = ticket.batch
        batch.pending -= 1
        batch.touched_at = now
        batch.charged_bytes += size - ticket.charged_bytes
        if acked:
            batch.acked += 1
            batch.acked_bytes += size

    def due(self, now: float) -> list[Batch]:
        """Close what has to close; return what can be sealed now and is not being sealed."""
        return [batch for batch in self.live if not batch.sealing and self._is_due(batch, now)]

    def close(self) -> None:
        """Admit nothing more into any batch: seal all, as soon as their PUTs have ended."""
        for batch in self.live:
            batch.closing = True

    def forget(self, batch: Batch) -> None:
        """Drop a batch that is sealed, or that acknowledged nothing; its slot is free again."""
        self.live.remove(batch)
        self.taken.discard(batch.slot)

    def _is_due(self, batch: Batch, now: float) -> bool:
        if not self._admits(batch, now):
            batch.closing = True
        return batch.closing and (batch.pending == 0 or batch.lease_ended(now))

    def _admits(self, batch: Batch, now: float) -> bool:
        # One that is being sealed is closing.
        if batch.closing or now >= self.closes_at(batch):
            return False
        if batch.admitted >= MAX_INSTANCES:
            return False
        return batch.pending > 0 or now - batch.touched_at < self.idle_s

    def _open(self, kind: BatchKind, lease_s: float, now: float, *, keep_free: int) -> Batch | None:
        free = [slot for slot in range(self.slots) if slot not in self.taken]
        if len(free) <= keep_free:
            return None
        batch_id = self.new_id(now=now, lease_s=lease_s, kind=kind)
        batch = Batch(id=batch_id, slot=free[0], opened_at=now)
        batch.touched_at = now
        self.live.append(batch)
        self.taken.add(batch.slot)
        return batch

    def _ticket(self, batch: Batch, size: int, now: float) -> Ticket:
        n = batch.admitted
        # Before anything is counted: a place that nobody got would never be settled.
        ticket = Ticket(batch, n, batch.id.instance_key(n), size)
        batch.admitted += 1
        batch.pending += 1
        batch.charged_bytes += size
        batch.touched_at = now
        return ticket
