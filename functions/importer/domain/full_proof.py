"""The daily proof of everything: closed hours too are compared with the bucket, batch by batch.

Sweep closes an hour once and then leaves it alone; a redrive, a release, a late stranger or a loss in a
closed hour is seen here. A round goes from the oldest sealed batch to the newest settled hour, as far as
each run's time lasts, and the next one begins a day after the last began. What landed and is not known is
announced; what is known and gone is counted, unless it was one that may expire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from contract.keys import BatchId, hour_of, hour_start, next_hour
from contract.metrics import Metric
from contract.states import BatchState, InstanceState
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.ports import (
    Adoption,
    Announcements,
    Archive,
    FullProofs,
    Manifests,
    Progress,
    Telemetry,
)
from importer.domain.proof_round import ProofRound

EVERY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FullProof:
    """The work; everything outside is behind a port.

    `settled_after_s` is the age of an hour's end from which nothing can land in it any more: younger hours
    are Sweep's own.
    """

    landing: Adoption
    archive: Archive
    manifests: Manifests
    progress: Progress
    proofs: FullProofs
    announcements: Announcements
    telemetry: Telemetry
    clock: Callable[[], float]
    settled_after_s: float

    def run(self, *, until: float) -> None:
        """Go on with the round, or begin one if a day has passed, until Unix time `until`."""
        now = self.clock()
        proof = self.proofs.full_proof() or ProofRound()
        if not proof.hour and now - proof.began_at >= EVERY_S:
            oldest = next(self.archive.sealed(), None)
            proof = replace(proof, began_at=now, hour=oldest.hour if oldest else hour_of(now))
        while proof.hour and self.clock() < until:
            if now < hour_start(next_hour(proof.hour)) + self.settled_after_s:
                proof = proof.ended()
                self.telemetry.info("full_proof_done", unaccounted=proof.unaccounted)
            else:
                found = self._prove(proof.hour, now)
                proof = replace(proof, hour=next_hour(proof.hour), found=proof.found + found)
            self.proofs.keep_full_proof(proof)
        self.telemetry.count(Metric.UNACCOUNTED_INSTANCES, max(proof.unaccounted, proof.found))
        since = proof.proved_at or proof.began_at
        self.telemetry.count(Metric.FULL_PROOF_AGE, round(max(0.0, now - since), 3))

    def _prove(self, hour: str, now: float) -> int:
        """Compare an hour's batches with the bucket; return how many objects nobody can account for."""
        recorded = {str(batch.id): batch for batch in self.progress.batches_of(hour)}
        folders = set(self.landing.landed_batches(hour))
        sealed = {str(batch_id): batch_id for batch_id, _ in self.landing.sealed_batches(hour)}
        for name in sealed.keys() - recorded.keys():
            self.announcements.announce(sealed[name])
        unaccounted = 0
        for name in folders - recorded.keys() - sealed.keys():
            self.telemetry.error("unsealed_folder", hour=hour, folder=name)
            unaccounted += 1
        done = {name: b for name, b in recorded.items() if b.state is BatchState.DONE}
        for name, batch in done.items():
            unaccounted += self._compare(batch, now, is_there=name in folders)
        if len(done) == len(recorded):
            self._close_again(hour, done)
        return unaccounted

    def _close_again(self, hour: str, done: Mapping[str, Batch]) -> None:
        """Bring a closed hour's counts up to date: a redrive may have changed them."""
        closed = self.progress.closed_hour(hour)
        counts = sum((batch.counts for batch in done.values()), Counts())
        if closed is not None and closed != counts:
            self.progress.close_hour(hour, counts)

    def _compare(self, batch: Batch, now: float, *, is_there: bool) -> int:
        listed = set(self._listing(batch.id)) if is_there else set()
        if len(listed) == len(batch.states):
            return 0
        has_aged = now >= hour_start(batch.id.hour) + EVERY_S
        may_go = {n for n in range(len(batch.states)) if has_aged and _may_go(batch, n)}
        if not listed and len(may_go) == len(batch.states):
            return 0
        rows = self.manifests.manifest(batch.id).rows if batch.rows else ()
        keys = batch.keys([row.key for row in rows])
        if listed - set(keys):
            # StartImport plans what the ledger does not know.
            self.announcements.announce(batch.id)
        missing = [key for n, key in enumerate(keys) if key not in listed and n not in may_go]
        if missing:
            self.telemetry.error(
                "landed_objects_missing",
                batch=str(batch.id),
                count=len(missing),
                keys=missing[:10],
            )
        return len(missing)

    def _listing(self, batch_id: BatchId) -> Iterator[str]:
        return (found.key for found in self.manifests.objects(batch_id.prefix))


def _may_go(batch: Batch, number: int) -> bool:
    """Whether lifecycle may have removed an object: a day after it was tagged at the earliest."""
    return batch.states[number] is InstanceState.IMPORTED or number in batch.released
