"""Answers what was asked: finds open requests, judges them, has their answers delivered, records the end.

One thread owns all state here; intake and deliveries put what they have into its inbox. Everything that
must not be forgotten is in the archive, so an engine that starts empty goes on where another ended.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contract.keys import CommitmentId, CommitmentObject, hour_of
from receiver.commitment.courier import Courier, Delivered, Errand
from receiver.commitment.decider import Decider
from receiver.commitment.documents import (
    DocumentError,
    Ending,
    Request,
    Result,
    encode_ending,
)
from receiver.commitment.figures import Figures
from receiver.commitment.judge import Judge, Progress
from receiver.commitment.link import Link
from receiver.commitment.ports import LEASE_S, Archive, Registry, UnavailableError
from receiver.logs import JsonLog, log_exception
from receiver.settings import Settings

SCAN_S = 30.0
"""How often requests are looked for that came to other tasks, or to this one before it started."""
GIVE_UP_S = 3 * 86_400.0
"""Time for an answer to be delivered."""
MARGIN_S = 86_400.0
"""How much older than all its times a request is still looked for."""
FAILED_S = 600.0
"""Pause after an error of ours."""
UNAVAILABLE_S = 10.0
"""Pause when the storage or the ledger did not answer."""
SOONEST_S, LATEST_S = 5.0, 120.0
"""Between two looks at a request that nobody can tell yet; a tenth of its age in between."""
WITH_LINK_S = 1.0
"""While a device waits on its association, a minute long."""
LINGER_S = 60.0
TICK_S = 0.2
SLOW_CLOCK_S = 3600.0
"""How far behind another task's clock may be, whose requests carry their hour."""


@dataclass(slots=True, eq=False)
class Open:
    """A request that is not answered.

    Attributes:
        id: Its id.
        next_at: Unix time (s) of the next step.
        leased_until: Unix time (s) to which we have it.
        link: To the association that waits for the answer.
        progress: Of the judgement.
        result: Once it is decided.
        underway: Its answer is being delivered.
        ending: What is left to record: the answer was taken, or nobody tries any more.
    """

    id: CommitmentId
    next_at: float = 0.0
    leased_until: float = 0.0
    link: Link | None = None
    progress: Progress = field(default_factory=lambda: Progress(0, {}))
    result: Result | None = None
    underway: bool = False
    ending: bytes | None = None


class Engine:
    """Answers requests until told to stop.

    Args:
        archive: Requests and answers.
        registry: What is known, and leases.
        courier: Delivers.
        settings: The receiver's.
        figures: Counted here.
        log: Events.
        clock: Unix time (s).
    """

    def __init__(
        self,
        archive: Archive,
        registry: Registry,
        courier: Courier,
        *,
        settings: Settings,
        figures: Figures,
        log: JsonLog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._archive = archive
        self._registry = registry
        self._courier = courier
        self._settings = settings
        self._decider = Decider(archive, Judge(registry, settings), log)
        self._figures = figures
        self._log = log
        self._clock = clock
        self._open: dict[CommitmentId, Open] = {}
        self._inbox: queue.SimpleQueue[tuple[Request, Link] | Delivered | None] = (
            queue.SimpleQueue()
        )
        self._next_scan = 0.0
        self._next_report = clock() + settings.metrics_interval_s
        horizon_s = settings.commitment_timeout_s + settings.commitment_unknown_after_s
        self._from_hour = hour_of(clock() - horizon_s - GIVE_UP_S - MARGIN_S)

    def accept(self, request: Request, link: Link) -> None:
        """Take over a request that was kept; from any thread."""
        self._inbox.put((request, link))

    def delivered(self, outcome: Delivered) -> None:
        """Hear what became of an answer; from any thread."""
        self._inbox.put(outcome)

    def stop(self) -> None:
        """Make `run` return; from any thread."""
        self._inbox.put(None)

    def run(self) -> None:
        """Answer requests until `stop`, then give back what is held."""
        running = True
        while running:
            running = self._hear()
            now = self._clock()
            if now >= self._next_scan:
                self._next_scan = now + SCAN_S
                self._attempt(self._scan)
            for request in sorted(self._open.values(), key=lambda o: o.next_at):
                if request.next_at > now:
                    break
                self._step(request)
            if now >= self._next_report:
                self._next_report = now + self._settings.metrics_interval_s
                self._figures.report(self._settings.stack_name, self._log.document, now)
        for request in self._open.values():
            if request.leased_until:
                self._registry.release(request.id)

    def _hear(self) -> bool:
        try:
            said = self._inbox.get(timeout=TICK_S)
            while True:
                if said is None:
                    return False
                if isinstance(said, Delivered):
                    self._take_outcome(said)
                else:
                    request, link = said
                    self._figures.requested += 1
                    self._open[request.id] = Open(request.id, link=link)
                said = self._inbox.get_nowait()
        except queue.Empty:
            return True

    def _attempt(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except UnavailableError as error:
            self._log.warning("commitment_delayed", detail=str(error))
            return False
        return True

    # What is open

    def _scan(self) -> None:
        found: dict[CommitmentId, set[CommitmentObject]] = {}
        for commitment, what in self._archive.commitments(self._from_hour):
            found.setdefault(commitment, set()).add(what)
        ended = {c for c, objects in found.items() if CommitmentObject.DELIVERED in objects}
        for commitment in found.keys() - ended - self._open.keys():
            self._open[commitment] = Open(commitment)
        for commitment in ended & self._open.keys():
            if not self._open[commitment].underway:
                self._forget(self._open[commitment])
        newest = hour_of(self._clock() - SLOW_CLOCK_S)
        self._from_hour = min((*(c.hour for c in self._open), newest))
        self._figures.open = len(self._open)

    def _forget(self, request: Open) -> None:
        if request.link is not None:
            request.link.close()
        self._open.pop(request.id, None)

    # One request

    def _step(self, request: Open) -> None:
        try:
            if not self._attempt(lambda: self._advance(request)):
                request.next_at = self._clock() + UNAVAILABLE_S
        except Exception as error:  # noqa: BLE001 - a bug about one request must not cost all others theirs
            log_exception(self._log, "commitment_failed", error, commitment=str(request.id))
            request.next_at = self._clock() + FAILED_S

    def _advance(self, request: Open) -> None:
        now = self._clock()
        if request.link is not None and not request.underway and not request.link.is_open:
            request.link.close()
            request.link = None
        if not self._hold(request, now):
            return
        if request.ending is not None:
            self._archive.write(request.id.key(CommitmentObject.DELIVERED), request.ending)
            self._forget(request)
            return
        if request.underway:
            request.next_at = now + LEASE_S / 4
            return
        try:
            document = self._read(request)
            if document is not None:
                self._answer(request, document, now)
        except DocumentError as error:
            self._log.error("commitment_unreadable", commitment=str(request.id), detail=str(error))
            request.next_at = now + GIVE_UP_S

    def _hold(self, request: Open, now: float) -> bool:
        """Have the lease; else come back when it ends."""
        if request.leased_until - now > LEASE_S / 2:
            return True
        taken_until = self._registry.lease(request.id, now)
        if not taken_until:
            request.leased_until = now + LEASE_S
            return True
        request.leased_until = 0.0
        # Not all tasks at the same moment.
        request.next_at = taken_until + random.uniform(0.5, 5.0)  # noqa: S311 - no secret
        return False

    def _read(self, request: Open) -> Request | None:
        if self._archive.read(request.id.key(CommitmentObject.DELIVERED)) is not None:
            self._forget(request)
            return None
        body = self._archive.read(request.id.key(CommitmentObject.REQUEST))
        if body is None:
            raise DocumentError("no request")
        return Request.decode(body)

    def _answer(self, request: Open, document: Request, now: float) -> None:
        if request.result is None:
            request.result = self._decider.decide(document, request.progress, now)
        if request.result is None:
            request.next_at = now + self._pause(request, now - document.requested_at)
        elif now - request.result.decided_at > GIVE_UP_S:
            self._figures.undelivered += 1
            self._end(request, Ending.GIVEN_UP)
            self._log.error(
                "commitment_given_up",
                commitment=str(request.id),
                calling_ae_title=document.calling_ae_title,
            )
        else:
            request.underway = True
            request.next_at = now + LEASE_S / 4
            self._courier.send(Errand(document, request.result, request.link, self.delivered), now)

    def _pause(self, request: Open, age_s: float) -> float:
        if request.link is not None and age_s < LINGER_S:
            return WITH_LINK_S
        left = [
            limit - age_s
            for limit in (
                self._settings.commitment_unknown_after_s,
                self._settings.commitment_timeout_s,
            )
            if limit > age_s
        ]
        return min(max(age_s / 10, SOONEST_S), LATEST_S, *left)

    # Its end

    def _take_outcome(self, outcome: Delivered) -> None:
        request = self._open.get(outcome.id)
        if request is None:
            return
        request.underway = False
        if request.link is not None:
            request.link.close()
            request.link = None
        if outcome.is_taken:
            self._figures.answered += 1
            self._end(request, Ending.DELIVERED, status=outcome.status)
        else:
            request.next_at = outcome.retry_at

    def _end(self, request: Open, ending: Ending, **fields: object) -> None:
        request.ending = encode_ending(ending, self._clock(), **fields)
        request.next_at = 0.0
