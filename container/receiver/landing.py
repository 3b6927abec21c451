"""Instances into the storage and into batches, batches into manifests.

The order is the promise: the storage confirms the object, the lease still runs, the row is in the
journal, and only then `commit` returns and the caller counts and responds.
"""

# long: one lock guards storage, lease, row and manifest; their order is the promise, read in one place.

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from awscrt.checksums import crc64nvme

from contract.keys import refused_keys
from contract.manifest import Sealer
from contract.reasons import WireReason
from receiver import native
from receiver.assembly import Instance
from receiver.batch import Batch, Batches, Ticket
from receiver.drafted import DraftedInstance
from receiver.journal import Journal, open_journals
from receiver.malloc import give_back
from receiver.memory import MINIMUM_BYTES, Memory, worker_budget
from receiver.native import Files, windows_bytes
from receiver.ports import (
    Assembly,
    Counters,
    Draft,
    DraftSink,
    Identity,
    Landing,
    Log,
    Origin,
    Part,
    PartsSink,
    Received,
    StoreError,
)
from receiver.recent import Entry, RecentContents
from receiver.recording import expect_alike, make_recorder
from receiver.records import Described, encode_refusal, encode_row, object_metadata
from receiver.seal import ManifestWriter, Seal, prepare
from receiver.settings import Settings
from receiver.sinks.choose import make_sink
from receiver.uploads import PartsInFlight

_Asked = TypeVar("_Asked")

TRIM_INTERVAL_S = 2.0
"""Memory that nothing used for so long after a burst goes back to the system."""
GIVE_BACK_INTERVAL_S = 30.0
"""The C library's free pages likewise."""


def make_landing(
    settings: Settings,
    journals: Sequence[int],
    recent: RecentContents,
    counters: Counters,
    log: Log,
) -> Landing:
    """Build a worker's landing; after fork, because native clients and threads do not survive one.

    Args:
        settings: Where instances land, deadlines, batch limits.
        journals: What the parent's `make_journals` made for this worker's slot.
        recent: The task's.
        counters: Of this worker's slot.
        log: Of this worker.
    """
    budget = worker_budget(memory_mib=settings.memory_mib, workers=settings.worker_count)
    sink = make_sink(settings.landing_url)
    if isinstance(sink, DraftSink):
        budget -= windows_bytes()
    return BatchedLanding(
        sink=sink,
        memory=Memory(max(budget, MINIMUM_BYTES)),
        batches=Batches(
            age_s=settings.batch_age_s,
            idle_s=settings.batch_idle_s,
            lease_s=settings.batch_lease_s,
            slots=len(journals),
        ),
        journals=open_journals(journals),
        recent=recent,
        counters=counters,
        log=log,
        store_deadline_s=settings.store_deadline_s,
    )


class BatchedLanding:
    """The product's `ports.Landing`; all methods are thread-safe."""

    def __init__(
        self,
        *,
        sink: PartsSink | DraftSink,
        memory: Memory,
        batches: Batches,
        journals: list[Journal],
        recent: RecentContents,
        counters: Counters,
        log: Log,
        store_deadline_s: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over the slot; batches that a predecessor left there keep their journals.

        Args:
            sink: Where objects go.
            memory: The worker's budget.
            batches: Decides; guarded by this object's lock.
            journals: One for each slot of `batches`.
            recent: What the task stored a moment ago.
            counters: Of this worker's slot.
            log: Of this worker.
            store_deadline_s: Time for all attempts to store one instance, or one part.
            clock: Unix time (s): of leases, which other machines compare.
            monotonic: Of deadlines and pauses.
        """
        self._sink = sink
        self._drafts = sink if isinstance(sink, DraftSink) else None
        self._parts = None if isinstance(sink, DraftSink) else sink
        self._memory = memory
        self._batches = batches
        self._journals = journals
        self._recent = recent
        self._log = log
        self._store_deadline_s = store_deadline_s
        self._clock = clock
        self._monotonic = monotonic
        self._writer = ManifestWriter(sink, counters, log, monotonic)
        self._lock = threading.Lock()
        self._files: Files | None = None
        if isinstance(sink, DraftSink) and native.IS_NATIVE:
            has_its_clocks = clock is time.time and monotonic is time.monotonic
            recorder = (
                make_recorder(self._lock, batches, recent, counters) if has_its_clocks else None
            )
            self._files = Files(sink.root, native.Windows(native.WINDOWS), recorder)
        self._seals: list[Seal] = []
        self._sealing = False
        self._closed = False
        self._trim_at = monotonic() + TRIM_INTERVAL_S
        self._give_back_at = monotonic() + GIVE_BACK_INTERVAL_S
        self._left = [slot for slot, journal in enumerate(journals) if not journal.is_empty]
        batches.taken.update(self._left)

    def begin(self, identity: Identity, origin: Origin) -> Assembly:
        """Start an instance."""
        if self._drafts is not None:
            return self._draft_instance(self._drafts.draft(), identity, origin)
        claim = self._memory.claim(origin.senders)
        try:
            return Instance(self, claim, identity, origin)
        except BaseException:
            claim.close()
            raise

    @property
    def files(self) -> Files | None:
        """What the part in C needs to receive instances here."""
        return self._files

    def resume(self, identity: Identity, origin: Origin, part: Part) -> Assembly:
        """Take over the part of an instance that has come."""
        if self._drafts is None:
            raise AssertionError
        draft = self._drafts.adopt(part.fd, part.size)
        return self._draft_instance(draft, identity, origin, part)

    def _draft_instance(
        self, draft: Draft, identity: Identity, origin: Origin, part: Part | None = None
    ) -> Assembly:
        claim = self._memory.claim(origin.senders)
        try:
            return DraftedInstance(self, claim, draft, identity, origin, part=part)
        except BaseException:
            claim.close()
            draft.discard()
            raise

    def tick(self) -> None:
        """Start what is due on a thread of its own; at most one such thread runs."""
        if self._prepare_seals():
            try:
                threading.Thread(target=self._run_seals, name="sealer", daemon=True).start()
            except BaseException:  # no thread to be had: the next tick tries again
                self._sealing = False
                raise
        if self._monotonic() >= self._trim_at:
            self._trim_at = self._monotonic() + TRIM_INTERVAL_S
            self._memory.trim()
        if self._monotonic() >= self._give_back_at:
            self._give_back_at = self._monotonic() + GIVE_BACK_INTERVAL_S
            give_back()

    def seal_due(self) -> None:
        """Do on this thread what `tick` does on another."""
        if self._prepare_seals():
            self._run_seals()

    def recover(self) -> None:
        """Seal what the predecessor left; what fails is tried again by `tick`."""
        # Only what was there before this worker admitted anything: it serves already, and a batch of its
        # own, sealed here, would miss what is acknowledged into it afterwards.
        for slot in self._left:
            found = self._journals[slot].read()
            if found is None or not found.rows:
                self._free(slot)
                continue
            self._log.warning(
                "batch_recovered", batch=str(found.batch), count=len(found.rows), torn=found.torn
            )
            seal = prepare(
                found.batch,
                slot,
                b"".join(row + b"\n" for row in found.rows),
                found.total_bytes,
                sealed_by=Sealer.REPLACEMENT,
                now=self._clock(),
                done=lambda slot=slot: self._free(slot),  # type: ignore[misc]
            )
            with self._lock:
                self._seals.append(seal)
        self.seal_due()

    def close(self, timeout_s: float) -> bool:
        """Seal everything; nothing is admitted any more."""
        give_up_at = self._monotonic() + timeout_s
        with self._lock:
            self._closed = True
            self._batches.close()
        pause = threading.Event()
        while not (done := self._all_sealed()) and self._monotonic() < give_up_at:
            self.tick()
            pause.wait(0.02)
        self._memory.close()
        return done

    # What an Instance needs.

    def store(self, instance: Instance, body: Sequence[memoryview]) -> bool:
        """Make a complete instance durable and record it; see `Assembly.commit`."""
        entry = self._entry(instance)
        if self._recent.holds(entry):
            return False
        size, crc = instance.size, instance.crc64nvme
        ticket = self._admit(self._batches.admit, size)
        try:
            self._sink.put(
                ticket.key,
                body,
                size=size,
                crc64nvme=crc,
                metadata=object_metadata(instance, now=self._clock()),
                deadline=self._monotonic() + self._store_deadline_s,
            )
            self._record(ticket, instance)
        except BaseException:
            # It may lie there all the same, so its size goes on counting.
            self._settle(ticket, size)
            raise
        self._recent.add(entry)
        return True

    def store_draft(self, instance: Described, draft: Draft) -> bool:
        """Name a complete draft, durably, and record it; see `Assembly.commit`."""
        entry = self._entry(instance)
        if self._recent.holds(entry):
            return False
        size = instance.size
        ticket = self._admit(self._batches.admit, size)
        try:
            draft.publish(ticket.key, size=size)
            self._record(ticket, instance)
        except BaseException:
            self._settle(ticket, size)
            raise
        self._recent.add(entry)
        return True

    def store_file(self, instance: Received, fd: int) -> bool:
        """Name a complete file without a name, durably, and record it."""
        if self._drafts is None or self._files is None:  # without `files` nobody has one
            raise AssertionError
        size = instance.size
        entry = self._recent.entry(instance.identity.sop_instance_uid, size, instance.crc64nvme)
        if self._recent.holds(entry):
            return False
        ticket = self._admit(self._batches.admit, size)
        try:
            directory = self._drafts.publish(fd, ticket.key)
            self._record(ticket, instance)
        except BaseException:
            self._settle(ticket, size)
            raise
        self._recent.add(entry)
        if self._files.recorder is not None:
            batch = ticket.batch
            closes_at = self._batches.closes_at(batch)
            journal = self._journals[batch.slot]
            expect_alike(self._files.recorder, ticket, directory, journal, closes_at)
        return True

    def start_upload(self, instance: Instance, bytes_per_s: float) -> PartsInFlight:
        """Start a multipart upload in a bulk batch.

        Raises:
            StoreError: It could not be started.
        """
        if self._parts is None:  # such a sink's instances are drafts
            raise AssertionError
        ticket = self._admit(self._batches.admit_upload, bytes_per_s)
        try:
            upload = self._parts.start_upload(
                ticket.key,
                object_metadata(instance, now=self._clock()),
                self._monotonic() + self._store_deadline_s,
            )
        except BaseException:
            self._settle(ticket, 0)
            raise
        return PartsInFlight(
            upload,
            ticket,
            instance.claim,
            part_deadline_s=self._store_deadline_s,
            may_start=lambda: not ticket.batch.lease_ended(self._clock()),
            given_up=lambda: self._settle(ticket, instance.size),
        )

    def finish_upload(self, instance: Instance, upload: PartsInFlight) -> bool:
        """Complete an upload and record it; on failure, or if it is known already, the caller abandons it.

        Raises:
            StoreError: Not durable, or not surely.
        """
        entry = self._entry(instance)
        if self._recent.holds(entry):
            return False
        deadline = self._monotonic() + self._store_deadline_s
        upload.wait()
        if upload.ticket.batch.lease_ended(self._clock()):
            raise StoreError(WireReason.LEASE_ENDED, str(upload.ticket.batch.id))
        upload.upload.complete(instance.size, instance.crc64nvme, deadline)
        self._record(upload.ticket, instance)
        self._recent.add(entry)
        return True

    def keep_refused(
        self, instance: Instance, body: Sequence[memoryview], reason: WireReason, detail: str
    ) -> None:
        """Store what was received (nothing if an upload had started) and why it was refused."""

        def save(key: str, deadline: float) -> None:
            self._put(key, body, instance.size, instance.crc64nvme, deadline)

        self._keep_refused(instance, save if body else None, reason, detail)

    def keep_refused_draft(
        self, instance: Described, draft: Draft, reason: WireReason, detail: str
    ) -> None:
        """Name what was received and store why it was refused."""
        size = instance.size
        self._keep_refused(
            instance, lambda key, _deadline: draft.publish(key, size=size), reason, detail
        )

    def _keep_refused(
        self,
        instance: Described,
        save: Callable[[str, float], None] | None,
        reason: WireReason,
        detail: str,
    ) -> None:
        now = self._clock()
        deadline = self._monotonic() + self._store_deadline_s
        object_key, record_key = refused_keys(now)
        key = "" if save is None else object_key
        record = encode_refusal(instance, key=key, reason=reason, detail=detail, now=now)
        try:
            if save is not None:
                save(object_key, deadline)
            self._put(record_key, [memoryview(record)], len(record), crc64nvme(record), deadline)
        except StoreError as error:
            self._log.warning(
                "refused_not_kept",
                association_id=instance.origin.association_id,
                sop_instance_uid=instance.identity.sop_instance_uid,
                detail=error.detail,
            )

    # Under the lock: a few decisions and one write to a memory file, nothing that waits.

    def _admit(self, choose: Callable[[_Asked, float], Ticket | None], asked: _Asked) -> Ticket:
        with self._lock:
            if self._closed:
                raise StoreError(WireReason.DRAINING, "landing closed")
            ticket = choose(asked, self._clock())
            if ticket is None:
                raise StoreError(WireReason.STORAGE_FAILED, "every batch waits for its manifest")
            batch = ticket.batch
            if ticket.n == 0:
                try:
                    self._journals[batch.slot].open(batch.id)
                except BaseException:
                    # Whatever it was: a row that came first would be taken for the journal's head.
                    batch.closing = True
                    self._reset(batch.slot, batch)
                    raise
        if ticket.n == 0:
            self._log.debug("batch_opened", batch=str(batch.id))
        return ticket

    def _record(self, ticket: Ticket, instance: Described) -> None:
        now = self._clock()
        row = encode_row(instance, key=ticket.key, now=now)
        batch = ticket.batch
        with self._lock:
            if batch.lease_ended(self._clock()):
                raise StoreError(WireReason.LEASE_ENDED, str(batch.id))
            self._journals[batch.slot].append(row)
            self._batches.settle(ticket, now, size=instance.size, acked=True)

    def _entry(self, instance: Described) -> Entry:
        return self._recent.entry(
            instance.identity.sop_instance_uid, instance.size, instance.crc64nvme
        )

    def _settle(self, ticket: Ticket, size: int) -> None:
        with self._lock:
            self._batches.settle(ticket, self._clock(), size=size, acked=False)

    def _free(self, slot: int, batch: Batch | None = None) -> None:
        with self._lock:
            self._reset(slot, batch)

    def _reset(self, slot: int, batch: Batch | None) -> None:
        self._journals[slot].reset()
        if batch is None:
            self._batches.taken.discard(slot)
        else:
            self._batches.forget(batch)

    def _prepare_seals(self) -> bool:
        """Fix the manifests that are due; return whether the caller shall run the seals."""
        with self._lock:
            due = self._batches.due(self._clock())
            for batch in due:
                batch.sealing = True
        try:
            seals = [self._prepare_seal(batch) for batch in due if batch.acked]
        except BaseException:  # no memory for it: they are due again
            with self._lock:
                for batch in due:
                    batch.sealing = False
            raise
        with self._lock:
            self._seals.extend(seals)  # first: what was acknowledged does not depend on the rest
            for batch in due:
                if not batch.acked:
                    self._reset(batch.slot, batch)
            if self._sealing or not self._ready_seals():
                return False
            self._sealing = True
            return True

    def _prepare_seal(self, batch: Batch) -> Seal:
        # No lock: since `sealing` was set no row can follow.
        return prepare(
            batch.id,
            batch.slot,
            self._journals[batch.slot].rows(),
            batch.acked_bytes,
            sealed_by=Sealer.WORKER,
            now=self._clock(),
            done=lambda: self._free(batch.slot, batch),
        )

    def _ready_seals(self) -> list[Seal]:
        now = self._monotonic()
        return [seal for seal in self._seals if seal.next_at <= now]

    def _run_seals(self) -> None:
        try:
            while ready := self._next_seals():
                for seal in ready:
                    if self._writer.attempt(seal):
                        with self._lock:
                            self._seals.remove(seal)
                        seal.done()
        finally:
            self._sealing = False

    def _next_seals(self) -> list[Seal]:
        with self._lock:
            return self._ready_seals()

    def _all_sealed(self) -> bool:
        with self._lock:
            return not self._seals and not self._batches.live

    def _put(
        self, key: str, body: Sequence[memoryview], size: int, crc: int, deadline: float
    ) -> None:
        self._sink.put(key, body, size=size, crc64nvme=crc, metadata={}, deadline=deadline)
