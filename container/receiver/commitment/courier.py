"""Brings answers to those who asked: on their own association while it is open, else on a new one.

Answers for one device go together on one association; a device that cannot be reached is left alone for
a while, twice as long each time, and no other device waits for it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from contract.keys import CommitmentId
from receiver.commitment.delivery import Outcome, Report, deliver
from receiver.commitment.documents import Request, Result
from receiver.commitment.link import Frame, Link, LinkClosedError
from receiver.commitment.report import encode_report, make_report
from receiver.logs import JsonLog, log_exception
from receiver.peers import Peer
from receiver.responses import SEND_S
from receiver.settings import Settings

THREADS = 8
LONGEST_PAUSE_S = 3600.0
MOST_AT_ONCE = 50
"""Answers on one association."""
AGAIN_S = 0.1
"""When the association that waited has ended, a new one is opened at once."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of an answer.

    Attributes:
        id: The request.
        is_taken: Whether the requester has it.
        status: Of its N-EVENT-REPORT-RSP, if there was one.
        retry_at: Unix time (s) of the next try, if it was not taken.
    """

    id: CommitmentId
    is_taken: bool
    status: int | None = None
    retry_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Errand:
    """An answer to be brought.

    Attributes:
        request: What was asked.
        result: What is answered.
        link: To the association that waits, if it still does.
        done: Hears of the end, from another thread.
    """

    request: Request
    result: Result
    link: Link | None
    done: Callable[[Delivered], None]


@dataclass(slots=True)
class _Door:
    """One device: what waits for it, and when it may be tried."""

    waiting: list[Errand] = field(default_factory=list)
    is_busy: bool = False
    failures: int = 0
    closed_until: float = 0.0


class Courier:
    """Delivers on threads of its own.

    Args:
        settings: The receiver's.
        log: Events.
        clock: Unix time (s).
    """

    def __init__(
        self, settings: Settings, log: JsonLog, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._log = log
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="courier")
        self._lock = threading.Lock()
        self._doors: dict[tuple[str, str], _Door] = {}

    def send(self, errand: Errand, now: float) -> None:
        """Have an answer delivered, or say at once when to come again."""
        if errand.link is not None:
            self._threads.submit(self._report_on_link, errand, errand.link)
            return
        request = errand.request
        key = (request.calling_ae_title, request.called_ae_title)
        with self._lock:
            door = self._doors.setdefault(key, _Door())
            if now < door.closed_until:
                errand.done(Delivered(request.id, is_taken=False, retry_at=door.closed_until))
                return
            door.waiting.append(errand)
            if door.is_busy:
                return
            door.is_busy = True
        self._threads.submit(self._serve, door, *key)

    def close(self) -> None:
        """Start no more deliveries."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _report_on_link(self, errand: Errand, link: Link) -> None:
        status = None
        try:
            status = self._send_on_link(errand, link)
        except LinkClosedError:
            pass
        except Exception as error:  # noqa: BLE001 - on a thread of its own nobody else would see it
            self._log_failure(errand, error)
        outcome = Outcome(status)
        if status is not None:  # else it has ended, as most do at once, and a new one is opened
            self._log_delivery(errand.request, outcome, "same")
        retry_at = self._clock() + AGAIN_S
        errand.done(
            Delivered(errand.request.id, outcome.is_taken, status=status, retry_at=retry_at)
        )

    def _send_on_link(self, errand: Errand, link: Link) -> int:
        event_type, information = make_report(errand.request, errand.result)
        content = encode_report(information, implicit=link.implicit)
        link.wait(SEND_S + self._settings.dimse_timeout_s + 5.0)
        link.send(Frame.EVENT, bytes((event_type,)) + content)
        return int.from_bytes(link.expect(Frame.OUTCOME), "big")

    def _serve(self, door: _Door, calling: str, called: str) -> None:
        while True:
            with self._lock:
                errands, door.waiting = door.waiting[:MOST_AT_ONCE], door.waiting[MOST_AT_ONCE:]
                door.is_busy = bool(errands)
            if not errands:
                return
            try:
                outcomes = self._bring(errands, self._settings.commitment_peer(calling), called)
            except Exception as error:  # noqa: BLE001 - on a thread of its own nobody else would see it
                self._log_failure(errands[0], error)
                outcomes = [Outcome(detail=type(error).__name__)] * len(errands)
            with self._lock:
                reached = any(outcome.status is not None for outcome in outcomes)
                taken = all(outcome.is_taken for outcome in outcomes)
                door.failures = 0 if taken else door.failures + 1
                door.closed_until = self._clock() + (0.0 if taken else self._pause_s(door.failures))
                if not reached:
                    errands += door.waiting
                    outcomes += [outcomes[-1]] * len(door.waiting)
                    door.waiting = []
            for errand, outcome in zip(errands, outcomes, strict=True):
                self._log_delivery(errand.request, outcome, "new")
                errand.done(
                    Delivered(
                        errand.request.id,
                        outcome.is_taken,
                        status=outcome.status,
                        retry_at=door.closed_until,
                    )
                )

    def _bring(self, errands: list[Errand], peer: Peer | None, called: str) -> list[Outcome]:
        if peer is None:  # it was taken out of the settings after it had asked
            return [Outcome(detail="no address in COMMITMENT_PEERS")] * len(errands)
        reports = [Report(*make_report(errand.request, errand.result)) for errand in errands]
        return deliver(peer, called, reports, response_s=float(self._settings.dimse_timeout_s))

    def _pause_s(self, failures: int) -> float:
        pause = min(
            self._settings.commitment_retry_s * 2.0 ** min(failures - 1, 12), LONGEST_PAUSE_S
        )
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - no secret

    def _log_failure(self, errand: Errand, error: Exception) -> None:
        log_exception(self._log, "commitment_failed", error, commitment=str(errand.request.id))

    def _log_delivery(self, request: Request, outcome: Outcome, association: str) -> None:
        write = self._log.info if outcome.is_taken else self._log.warning
        write(
            "commitment_delivered" if outcome.is_taken else "commitment_not_delivered",
            commitment=str(request.id),
            calling_ae_title=request.calling_ae_title,
            association=association,
            status="" if outcome.status is None else f"{outcome.status:04X}",
            detail=outcome.detail,
        )
