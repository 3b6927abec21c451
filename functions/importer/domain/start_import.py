"""StartImport: one import job for every part of a sealed batch that has none.

Any number of runs for the same batch, at once or one after another, start each part once:

1. The batch is recorded before anything is started; of two planners one writes, the other reads.
2. A part's attempt number makes its client token, so a run that died between StartDICOMImportJob and
   its record repeats the call and gets the same job.
3. A new attempt exists only after the one before is known to have failed (RecordOutcome plans it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contract.keys import BatchId, hour_start
from contract.manifest import InvalidManifestError, Manifest
from contract.metrics import Metric
from contract.states import InstanceState
from importer.domain.batch import Batch, OwnAnswer, Part, Wanted, client_token
from importer.domain.errors import LedgerConflictError, ThrottledError
from importer.domain.jobs import output_prefix
from importer.domain.planning import JobQuota, plan_late, plan_prefix
from importer.domain.ports import (
    Announcements,
    Batches,
    Contents,
    ImportService,
    Manifests,
    Telemetry,
)
from importer.domain.records import ContentId

_SAMPLE = 100
"""Contents looked up first: a batch of new images is recognised by one read of the ledger."""
_LATE_ALONE = 50
"""Late objects up to this number are imported each alone, more of them by shard or whole batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartImport:
    """The function's work; everything outside is behind a port."""

    manifests: Manifests
    batches: Batches
    contents: Contents
    service: ImportService
    announcements: Announcements
    telemetry: Telemetry
    clock: Callable[[], float]
    quota: JobQuota
    unreadable_after: int

    def run(self, batch_id: BatchId, *, deliveries: int) -> None:
        """Start what is to be started of a batch.

        Args:
            batch_id: The batch that was announced.
            deliveries: How often this message was delivered, this time included.

        Raises:
            RetryLaterError: Throttled, or another planner was faster; the message must come back.
            InvalidManifestError: The manifest cannot be read.
        """
        batch = self.batches.batch(batch_id)
        if batch is None:
            batch = self._record(batch_id, deliveries)
        elif not batch.startable:
            batch = self._look_again(batch)
        for part in batch.startable:
            batch = self._start(batch, part)

    def _record(self, batch_id: BatchId, deliveries: int) -> Batch:
        listing = self._listing(batch_id)
        try:
            manifest = self.manifests.manifest(batch_id)
        except InvalidManifestError:
            if deliveries >= self.unreadable_after:
                self._quarantine_unreadable(batch_id, listing)
            raise
        named = {row.key for row in manifest.rows}
        extras = sorted(listing.keys() - named)
        self._report_missing(batch_id, sorted(named - listing.keys()))
        batch = Batch.new(
            batch_id,
            rows=len(manifest.rows),
            extras=extras,
            oldest_received_at=_oldest(manifest),
        )
        wanted = self._wanted(manifest, listing, extras)
        batch = self._planned(None, batch, wanted)
        self.telemetry.info(
            "batch_planned",
            batch=str(batch_id),
            landed=batch.counts.landed,
            extras=len(extras),
            parts=len(batch.parts),
        )
        return batch

    def _look_again(self, batch: Batch) -> Batch:
        """Plan what has appeared, or been left without a part, since the batch was recorded."""
        listing = self._listing(batch.id)
        # Raises again for a manifest that could not be read; after an upgrade that can read it, the
        # same message (redriven from the dead-letter queue) imports the batch.
        manifest = self.manifests.manifest(batch.id)
        rows = manifest.rows[: batch.rows]
        found = batch.add_extras(sorted(listing.keys() - {row.key for row in rows}))
        skip = len(batch.id.prefix)
        covered = tuple(batch.id.prefix + part.prefix for part in batch.parts if part.is_import)
        redriven = batch.rows == 0 and len(manifest.rows) > 0
        loose = [
            key
            for key, state in zip(found.keys([row.key for row in rows]), found.states, strict=True)
            if (redriven and state is InstanceState.QUARANTINED) or not state.is_terminal
            if not key.startswith(covered or ("\n",))
        ]
        self._report_missing(batch.id, [key for key in loose if key not in listing])
        present = [key for key in loose if key in listing]
        if not present:
            return batch
        self.telemetry.info("late_objects", batch=str(batch.id), count=len(present))
        late = {key[skip:]: listing[key] for key in present}
        whole = redriven or len(present) > _LATE_ALONE
        wanted = plan_prefix(late, self.quota) if whole else plan_late(late)
        return self._planned(batch, found, wanted)

    def _wanted(
        self, manifest: Manifest, listing: Mapping[str, int], extras: list[str]
    ) -> list[Wanted]:
        if listing and not extras and self._is_known(manifest):
            return [Wanted(prefix="", own_answer=OwnAnswer.KNOWN)]
        skip = len(manifest.batch.prefix)
        return plan_prefix({key[skip:]: size for key, size in listing.items()}, self.quota)

    def _is_known(self, manifest: Manifest) -> bool:
        contents = [ContentId.of(row) for row in manifest.rows]
        for some in (contents[:_SAMPLE], contents[_SAMPLE:]):
            known = self.contents.known(some)
            if any(
                content not in known or known[content].state.rank <= InstanceState.QUARANTINED.rank
                for content in some
            ):
                return False
        return True

    def _planned(self, before: Batch | None, batch: Batch, wanted: list[Wanted]) -> Batch:
        batch = self.batches.commit(before, batch.plan(wanted, self.clock()))
        for part in batch.parts:
            if part.job_id in tuple(OwnAnswer):
                self.announcements.ask(batch.id, attempt=part.attempt, job_id=part.job_id)
        return batch

    def _quarantine_unreadable(self, batch_id: BatchId, listing: Mapping[str, int]) -> None:
        self.telemetry.error("manifest_unreadable", batch=str(batch_id), landed=len(listing))
        batch = Batch.new(
            batch_id,
            rows=0,
            extras=sorted(listing),
            oldest_received_at=hour_start(batch_id.hour),
        )
        answer = OwnAnswer.UNREADABLE_MANIFEST
        self._planned(None, batch, [Wanted(prefix="", own_answer=answer)] if listing else [])

    def _start(self, batch: Batch, part: Part) -> Batch:
        prefix = batch.id.prefix + part.prefix
        if next(self.manifests.objects(prefix), None) is None:
            # An empty prefix makes a job scan the whole bucket: close the part instead, loudly.
            self._report_missing(batch.id, [prefix])
            return self.batches.commit(batch, batch.answer(part.attempt, {}))
        try:
            job_id = self.service.start(
                prefix=prefix,
                output=output_prefix(batch.id, part.attempt),
                name=str(batch.id),
                token=client_token(batch.id, part.attempt),
            )
        except ThrottledError:
            self.telemetry.count(Metric.IMPORT_STARTS_THROTTLED)
            raise
        try:
            started = self.batches.commit(batch, batch.start(part.attempt, job_id, self.clock()))
        except LedgerConflictError:
            current = self.batches.batch(batch.id)
            twin = current.part(part.attempt) if current else None
            if current is None or (twin is not None and not twin.is_started):
                raise
            return current
        self.telemetry.count(Metric.IMPORT_JOBS_STARTED)
        self.telemetry.info(
            "import_job_started", batch=str(batch.id), job=job_id, attempt=part.attempt
        )
        return started

    def _listing(self, batch_id: BatchId) -> dict[str, int]:
        return {found.key: found.size for found in self.manifests.objects(batch_id.prefix)}

    def _report_missing(self, batch_id: BatchId, keys: list[str]) -> None:
        """Say that acknowledged objects are not where they landed; they stay in flight, for ever seen."""
        if keys:
            self.telemetry.count(Metric.UNACCOUNTED_INSTANCES, len(keys))
            self.telemetry.error(
                "landed_objects_missing", batch=str(batch_id), count=len(keys), keys=keys[:10]
            )


def _oldest(manifest: Manifest) -> float:
    """Unix time (s) of the oldest acknowledgement, or of the batch's hour."""
    times = [row.received_at for row in manifest.rows if row.received_at > 0]
    return min(times, default=hour_start(manifest.batch.hour))
