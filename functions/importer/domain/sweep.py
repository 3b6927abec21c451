"""Sweep: what was lost is found again, from S3 and the ledger alone.

It needs no message and no event: sealed batches that nobody recorded are announced again, jobs without
an outcome asked after, batches of tasks that are gone sealed, and each hour is proved: everything that
landed in it is in the ledger and terminal. It never imports or records anything itself; every step may
run at once with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from contract.keys import BatchId, InvalidKeyError, hour_of, hour_start, next_hour
from contract.manifest import Manifest, Sealer
from contract.metrics import Metric
from contract.states import BatchState
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.errors import LedgerConflictError
from importer.domain.ports import (
    Adoption,
    Announcements,
    Batches,
    Instances,
    Manifests,
    Progress,
    Telemetry,
)

_MOST_WAITING = 100
"""Announcements in the queue up to which more are sent: while the import is down, and for days, a backlog must
not fill the queue with copies of itself."""
_LEAST_ANNOUNCED = 1
"""In one run all the same: what the queue holds may be other messages, and none of what was lost."""
_EXPIRY_AT_EARLIEST_S = 86_400
"""The lifecycle rule counts whole days: before, nothing that was imported can be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPolicy:
    """When something is overdue, in seconds; see `environment.SweepSettings`."""

    reannounce_after_s: float
    poll_after_s: float
    adopt_after_s: float
    close_after_s: float


@dataclass(slots=True)
class _Run:
    """What one run has found so far."""

    now: float
    announced: int = 0
    most_announced: int | None = None
    """Known when the first is to be sent."""
    asked: int = 0
    adopted: int = 0
    unaccounted: int = 0
    oldest_age_s: float = 0.0
    names: set[str] = field(default_factory=set)

    def see(self, since: float) -> None:
        """Take note that something is not imported since `since`."""
        self.oldest_age_s = max(self.oldest_age_s, self.now - since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The function's work; everything outside is behind a port."""

    landing: Adoption
    manifests: Manifests
    instances: Instances
    batches: Batches
    progress: Progress
    announcements: Announcements
    telemetry: Telemetry
    clock: Callable[[], float]
    policy: SweepPolicy

    def run(self, *, until: float) -> None:
        """Do what can be done until Unix time `until`; the next run goes on where this one stopped."""
        run = _Run(self.clock())
        half = run.now + (until - run.now) / 2
        for batch_id in self.progress.open_batches():
            if self.clock() >= half:
                break
            self._push(run, batch_id)
        self._prove(run, until)
        self.telemetry.count(Metric.UNACCOUNTED_INSTANCES, run.unaccounted)
        self.telemetry.count(Metric.OLDEST_UNIMPORTED_AGE, round(run.oldest_age_s, 3))
        if run.adopted:
            self.telemetry.count(Metric.BATCHES_ADOPTED, run.adopted)
        self.telemetry.info(
            "swept",
            announced=run.announced,
            asked=run.asked,
            adopted=run.adopted,
            unaccounted=run.unaccounted,
            oldest_age_s=round(run.oldest_age_s, 3),
        )

    def _push(self, run: _Run, batch_id: BatchId) -> None:
        """Ask after an open batch's jobs, and have started what is not."""
        batch = self.batches.batch(batch_id)
        if batch is None or batch.state is BatchState.DONE:
            return
        run.see(batch.oldest_received_at)
        for part in batch.parts:
            if part.is_started and run.now - part.started_at >= self.policy.poll_after_s:
                self.announcements.ask(batch_id, attempt=part.attempt, job_id=part.job_id)
                run.asked += 1
        waiting = [part.planned_at for part in batch.startable]
        # A batch that is open without parts has objects which nobody works on: late, or missing.
        if not batch.parts or (
            waiting and run.now - min(waiting) >= self.policy.reannounce_after_s
        ):
            self._announce(run, batch_id)

    def _prove(self, run: _Run, until: float) -> None:
        """Go through the hours from the first open one, close those that are proved."""
        current = hour_of(run.now)
        hour = self.progress.cursor() or self.landing.first_hour() or current
        all_closed = True
        while hour <= current and self.clock() < until:
            closed = self.progress.closed_hour(hour) is not None or self._prove_hour(
                run, hour, until
            )
            all_closed = all_closed and closed
            hour = next_hour(hour)
            if all_closed:
                self.progress.move_cursor(hour)

    def _prove_hour(self, run: _Run, hour: str, until: float) -> bool:
        """Prove an hour's batches; True if that closed it."""
        # The ledger is read before the bucket: what it holds is then in the listing too.
        recorded = {batch.id: batch for batch in self.progress.batches_of(hour)}
        sealed = dict(self.landing.sealed_batches(hour))
        complete = all(batch.state is BatchState.DONE for batch in recorded.values())
        for name in self.landing.landed_batches(hour):
            if self.clock() >= until:
                return False
            run.names.add(name)
            complete &= self._prove_batch(run, name, recorded, sealed)
        for batch_id, sealed_at in sealed.items():
            if batch_id not in recorded and str(batch_id) not in run.names:
                complete = False
                self._announce_overdue(run, batch_id, sealed_at)
        if not complete or run.now < hour_start(next_hour(hour)) + self.policy.close_after_s:
            return False
        counts = sum((batch.counts for batch in recorded.values()), Counts())
        self.progress.close_hour(hour, counts)
        self.telemetry.info("hour_closed", hour=hour, landed=counts.landed, jobs=counts.jobs)
        return True

    def _prove_batch(
        self,
        run: _Run,
        name: str,
        recorded: Mapping[BatchId, Batch],
        sealed: Mapping[BatchId, float],
    ) -> bool:
        """Compare one batch's folder with the ledger; True if nothing of it is open."""
        try:
            batch_id = BatchId.parse(name)
        except InvalidKeyError:
            self.telemetry.error("foreign_folder", folder=name)
            run.unaccounted += 1
            return False
        batch = recorded.get(batch_id)
        if batch is None:
            if batch_id in sealed:
                self._announce_overdue(run, batch_id, sealed[batch_id])
            elif run.now >= batch_id.deadline + self.policy.adopt_after_s:
                self._adopt(run, batch_id)
            return False
        if batch.proved:
            return True
        if batch.state is not BatchState.DONE or not self._is_quiet(run, batch_id):
            return False
        return self._count(run, batch)

    def _is_quiet(self, run: _Run, batch_id: BatchId) -> bool:
        """Whether no PUT into the batch can be on its way any more."""
        return run.now >= batch_id.deadline + self.policy.adopt_after_s

    def _count(self, run: _Run, batch: Batch) -> bool:
        """Count a finished batch's objects; mark it as proved if the ledger knows exactly those."""
        listed = sum(1 for _ in self.manifests.objects(batch.id.prefix))
        gone = batch.counts.landed - listed
        expired = (
            0 < gone <= batch.counts.imported + len(batch.released)
            and run.now >= hour_start(batch.id.hour) + _EXPIRY_AT_EARLIEST_S
        )
        if gone and not expired:
            run.unaccounted += abs(gone)
            self.telemetry.error("sum_differs", batch=str(batch.id), missing=gone)
            # Objects that the ledger does not know of are planned by StartImport.
            self._announce(run, batch.id)
            return False
        try:
            self.batches.commit(batch, replace(batch, proved=True))
        except LedgerConflictError:
            return False
        return True

    def _adopt(self, run: _Run, batch_id: BatchId) -> None:
        """Seal a batch whose task is gone, from its objects and their metadata."""
        keys = [found.key for found in self.manifests.objects(batch_id.prefix)]
        rows = self.instances.describe(keys)
        manifest = Manifest(
            batch=batch_id,
            sealed_at=run.now,
            sealed_by=Sealer.SWEEP,
            rows=tuple(rows[key] for key in keys if key in rows),
        )
        run.see(min((row.received_at for row in manifest.rows), default=run.now))
        # Somebody else's manifest is as good: StartImport adds what it does not name.
        if rows and self.landing.seal(manifest):
            run.adopted += 1
            self.telemetry.warning("batch_adopted", batch=str(batch_id), landed=len(rows))

    def _announce_overdue(self, run: _Run, batch_id: BatchId, sealed_at: float) -> None:
        run.see(sealed_at)
        if run.now - sealed_at >= self.policy.reannounce_after_s:
            self._announce(run, batch_id)

    def _announce(self, run: _Run, batch_id: BatchId) -> None:
        if run.most_announced is None:
            room = _MOST_WAITING - self.announcements.waiting()
            run.most_announced = max(room, _LEAST_ANNOUNCED)
        if run.announced < run.most_announced:
            run.announced += 1
            self.announcements.announce(batch_id)
