"""Redrive and release: what an operator does about images that are kept apart.

A redrive gives quarantined objects to import jobs again, as new parts of their batch: each part has an
attempt number, and so a client token, that was never given before. Two operators, a double click and a
repeated message ask once: an object that an open part answers for is left alone, and a batch is written
only as it was read. The object stays QUARANTINED until the new answer, so the sum holds at every moment.

Nothing is imported or tagged here: the parts are StartImport's and RecordOutcome's work, and Sweep brings
it to them if every message is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from contract.keys import BatchId, InstanceKey
from contract.metrics import Metric
from contract.states import InstanceState
from importer.domain.batch import Batch, OwnAnswer, Wanted
from importer.domain.commands import Action, Command, InvalidCommandError, Report
from importer.domain.errors import LedgerConflictError
from importer.domain.planning import JobQuota, folder_of, plan_redrive
from importer.domain.ports import (
    Announcements,
    Batches,
    Contents,
    Instances,
    Manifests,
    QuarantineList,
    Telemetry,
)
from importer.domain.records import Redrive

MOST_PARTS = 200
"""Open parts of one batch: HealthImaging starts one job a second, and new images come first."""
_COMMIT_TRIES = 5
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriving:
    """The function's work; everything outside is behind a port."""

    manifests: Manifests
    instances: Instances
    batches: Batches
    contents: Contents
    quarantine: QuarantineList
    announcements: Announcements
    telemetry: Telemetry
    clock: Callable[[], float]
    quota: JobQuota

    def run(self, command: Command, *, until: float) -> Report:
        """Do what an operator asks, as far as can be done until Unix time `until`.

        Returns:
            What was done; `next` in it is where to go on with a command for everything.

        Raises:
            RetryLaterError: Other writers were always faster; nothing is half done.
        """
        if command.everything:
            report = self._all(command, until)
        else:
            batch_id, keys = _target(command)
            act = self._redrive if command.action is Action.REDRIVE else self._release
            report = act(batch_id, keys, command.operator)
        self.telemetry.info(
            "operator_asked",
            action=command.action.value,
            operator=command.operator,
            batch=command.batch,
            key=command.key,
            everything=command.everything,
            **report.numbers(),
        )
        return report

    def _all(self, command: Command, until: float) -> Report:
        """Redrive batch by batch, in the order of the ledger's list."""
        report, after = Report(), command.after
        seen: set[str] = set()
        while True:
            try:
                page, following = self.quarantine.quarantined_page(_PAGE, after)
            except ValueError as error:
                raise InvalidCommandError(f'"after" is {error}') from error
            for name in dict.fromkeys(record.batch for record in page):
                if name in seen:
                    continue
                if self.clock() >= until or report.asked >= command.limit:
                    # The page again from its start: what was asked for is passed over.
                    return replace(report, next=after, is_cut=True)
                seen.add(name)
                report = report + self._redrive(BatchId.parse(name), None, command.operator)
            after = following
            if not after:
                return report

    def _redrive(self, batch_id: BatchId, only: Collection[str] | None, operator: str) -> Report:
        for _ in range(_COMMIT_TRIES):
            batch = self.batches.batch(batch_id)
            if batch is None:
                return Report(unknown=1)
            keys = self._keys(batch)
            chosen = [
                key
                for key, state in zip(keys, batch.states, strict=True)
                if state is InstanceState.QUARANTINED and (only is None or key in only)
            ]
            report = Report(
                unknown=len(set(only or ()) - set(keys)),
                not_quarantined=len(set(only or ()) & set(keys) - set(chosen)),
            )
            waiting = [key for key in chosen if not batch.is_under_way(key)]
            report = replace(report, under_way=len(chosen) - len(waiting))
            if not waiting:
                return report
            try:
                return report + self._ask(batch, waiting, operator, alone=only is not None)
            except LedgerConflictError:
                continue
        raise LedgerConflictError(str(batch_id))

    def _ask(self, batch: Batch, waiting: Sequence[str], operator: str, *, alone: bool) -> Report:
        """Plan parts for objects, note who asked, and tell StartImport."""
        skip = len(batch.id.prefix)
        folder = folder_of(waiting[0][skip:]) if alone else ""
        listing = self.manifests.objects(batch.id.prefix + folder)
        sizes = {found.key[skip:]: found.size for found in listing}
        present = {key[skip:] for key in waiting} & sizes.keys()
        wanted = plan_redrive(sizes, present, self.quota, folder)
        now = self.clock()
        room = max(0, MOST_PARTS - len(batch.parts))
        planned = batch.plan([replace(w, operator=operator) for w in wanted[:room]], now)
        new = planned.parts[len(batch.parts) :]
        if not new:
            return Report(missing=len(waiting) - len(present), left=len(present))
        committed = self.batches.commit(batch, planned)
        asked = {
            key: Redrive(now, part.attempt, operator)
            for part in new
            for key in waiting
            if key[skip:] in present and key.startswith(batch.id.prefix + part.prefix)
        }
        self.instances.keep_records(self.contents.note_redrives(batch.id, asked))
        self.announcements.announce(batch.id)
        self._ask_own(committed, [part.attempt for part in new])
        self.telemetry.count(Metric.INSTANCES_REDRIVEN, len(asked))
        return Report(
            asked=len(asked),
            parts=len(new),
            missing=len(waiting) - len(present),
            left=len(present) - len(asked),
        )

    def _release(self, batch_id: BatchId, only: Collection[str] | None, operator: str) -> Report:
        """Have the originals of a batch, or one of them, tagged for expiry if they are imported."""
        for _ in range(_COMMIT_TRIES):
            batch = self.batches.batch(batch_id)
            if batch is None:
                return Report(unknown=1)
            keys = self._keys(batch)
            named = [number for number, key in enumerate(keys) if only is None or key in only]
            chosen = sorted(set(named) - set(batch.released))
            going = [n for n in chosen if batch.states[n].rank > InstanceState.QUARANTINED.rank]
            report = Report(
                unknown=len(set(only or ()) - set(keys)),
                not_imported=len(chosen) - len(going),
                under_way=len(named) - len(chosen),
            )
            prefix = folder_of(keys[chosen[0]][len(batch_id.prefix) :]) if only and chosen else ""
            if not going or _is_being_released(batch, prefix):
                return report + Report(under_way=len(going))
            want = Wanted(prefix=prefix, own_answer=OwnAnswer.RELEASE, operator=operator)
            try:
                committed = self.batches.commit(batch, batch.plan([want], self.clock()))
            except LedgerConflictError:
                continue
            self._ask_own(committed, [committed.parts[-1].attempt])
            return replace(report, asked=len(going), parts=1)
        raise LedgerConflictError(str(batch_id))

    def _ask_own(self, batch: Batch, attempts: Iterable[int]) -> None:
        for attempt in attempts:
            part = batch.part(attempt)
            if part is not None and part.job_id in tuple(OwnAnswer):
                self.announcements.ask(batch.id, attempt=attempt, job_id=part.job_id)

    def _keys(self, batch: Batch) -> tuple[str, ...]:
        rows = self.manifests.manifest(batch.id).rows if batch.rows else ()
        return batch.keys([row.key for row in rows])


def _target(command: Command) -> tuple[BatchId, Collection[str] | None]:
    if command.key:
        return InstanceKey.parse(command.key).batch, {command.key}
    return BatchId.parse(command.batch), None


def _is_being_released(batch: Batch, prefix: str) -> bool:
    return any(
        part.job_id == OwnAnswer.RELEASE and prefix.startswith(part.prefix) for part in batch.parts
    )
