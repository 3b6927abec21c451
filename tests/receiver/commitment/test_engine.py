"""The engine on a real archive, with a clock and a courier of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from contract.keys import CommitmentId, CommitmentObject, transaction_key
from contract.metrics import Metric
from receiver.commitment.action import Reference
from receiver.commitment.courier import Delivered, Errand
from receiver.commitment.directory import DirectoryArchive
from receiver.commitment.documents import Ending, FailureReason, Request, Result
from receiver.commitment.engine import GIVE_UP_S, Engine
from receiver.commitment.figures import Figures
from receiver.commitment.ports import Known, UnavailableError
from receiver.logs import JsonLog
from receiver.settings import Settings
from tests.builders import CT_IMAGE, new_uid
from tests.deadline import wait_until
from tests.receiver.commitment.test_judge import IMPORTED, FakeRegistry
from tests.receiver.fake_storage import FakeClock


@dataclass
class FakeCourier:
    """Takes errands; each is taken by its device unless `refuses`."""

    refuses: bool = False
    errands: list[Errand] = field(default_factory=list)

    def send(self, errand: Errand, now: float) -> None:
        """Deliver at once."""
        self.errands.append(errand)
        errand.done(Delivered(errand.request.id, not self.refuses, retry_at=now + 1))

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Ledger(FakeRegistry):
    """A registry whose leases are ours, and that may not answer."""

    silent: bool = False

    def lease(self, commitment: CommitmentId, now: float) -> float:
        """Give every lease."""
        del commitment, now
        if self.silent:
            raise UnavailableError("UpdateItem: ThrottlingException")
        return 0.0

    def release(self, commitment: CommitmentId) -> None:
        """Take it back."""


class Desk:
    """An engine and what is around it."""

    def __init__(self, root: Path) -> None:
        self.archive = DirectoryArchive(root)
        self.registry = Ledger()
        self.courier = FakeCourier()
        self.clock = FakeClock()
        self.figures = Figures()
        self._output = root / "log"
        self._documents: list[dict[str, Any]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run an engine that starts empty."""
        with self._output.open("a") as output:
            log = JsonLog("INFO", fd=output.fileno())
            engine = Engine(
                self.archive,
                self.registry,
                self.courier,  # type: ignore[arg-type]  # the two methods that are used
                settings=Settings(landing_url="s3://landing"),
                figures=self.figures,
                log=log,
                clock=self.clock,
            )
            thread = threading.Thread(target=engine.run)
            thread.start()
            try:
                yield
            finally:
                engine.stop()
                thread.join(30)
                log.close()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log events of a name."""
        lines = self._output.read_text().splitlines() if self._output.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def counted(self, metric: Metric) -> int:
        """Return what was counted, in metrics that were written and in what is left."""
        self.figures.report("hospital", self._documents.append, 0.0)
        written = [*self.events("metrics"), *self._documents]
        return sum(int(document[metric.value]) for document in written)

    def keep(self, *uids: str) -> Request:
        """Keep a request."""
        request = Request(
            id=CommitmentId.new(self.clock()),
            transaction_uid=new_uid(),
            calling_ae_title="CT1",
            called_ae_title="STORESCP",
            peer="10.0.0.1",
            association_id="a",
            requested_at=self.clock(),
            references=tuple(Reference(CT_IMAGE, uid) for uid in uids),
        )
        assert self.archive.write(request.id.key(CommitmentObject.REQUEST), request.encode())
        return request

    def ending(self, request: Request) -> dict[str, Any] | None:
        """Return how a request ended."""
        body = self.archive.read(request.id.key(CommitmentObject.DELIVERED))
        return None if body is None else dict(json.loads(body))

    def ends(self, request: Request) -> dict[str, Any]:
        """Wait for the end of a request."""
        return wait_until(lambda: self.ending(request), "the request has ended")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Lend a desk whose engine does not run yet."""
    return Desk(tmp_path)


def test_what_was_decided_is_not_judged_again(desk: Desk) -> None:
    """The result that stands is sent, even when more has become known since."""
    request = desk.keep("1.1")
    result = Result(desk.clock(), {0: FailureReason.NO_SUCH_OBJECT_INSTANCE})
    desk.archive.write(request.id.key(CommitmentObject.RESULT), result.encode())
    desk.registry.records["1.1"] = [Known(CT_IMAGE, IMPORTED)]

    with desk.running():
        assert desk.ends(request)["ending"] == Ending.DELIVERED

    assert [errand.result for errand in desk.courier.errands] == [result]


def test_a_request_that_cannot_be_read_costs_nobody_else_theirs(desk: Desk) -> None:
    """Neither broken documents nor a bug stop the engine; each is one event."""
    broken = CommitmentId.new(desk.clock())
    desk.archive.write(broken.key(CommitmentObject.REQUEST), b"{")
    poisoned = desk.keep("1.1")
    key = transaction_key(poisoned.calling_ae_title, poisoned.transaction_uid)
    desk.archive.write(key, b"{}")
    strange = desk.keep("1.2")
    desk.registry.records["1.2"] = None  # type: ignore[assignment]  # what no registry returns
    good = desk.keep("1.3")
    desk.registry.records["1.3"] = [Known(CT_IMAGE, IMPORTED)]

    with desk.running():
        desk.ends(good)
        wait_until(lambda: len(desk.courier.errands), "the good one is answered")

    assert {event["commitment"] for event in desk.events("commitment_unreadable")} == {
        str(broken),
        str(poisoned.id),
    }
    assert desk.ending(strange) is None or desk.events("commitment_failed")
    assert [errand.request.id for errand in desk.courier.errands] == [good.id]


def test_silence_of_the_ledger_is_waited_out(desk: Desk) -> None:
    """Nothing is answered, nothing is forgotten."""
    request = desk.keep("1.1")
    desk.registry.records["1.1"] = [Known(CT_IMAGE, IMPORTED)]
    desk.registry.silent = True

    with desk.running():
        wait_until(lambda: desk.events("commitment_delayed"), "the engine has asked")
        assert desk.courier.errands == []
        desk.registry.silent = False
        desk.clock.now += 60
        desk.ends(request)

    assert desk.counted(Metric.COMMITMENTS_ANSWERED) == 1


def test_an_answer_that_nobody_takes_is_given_up_after_three_days(desk: Desk) -> None:
    """Until then it is tried again; then it is on record, counted and logged."""
    request = desk.keep("1.1")
    desk.registry.records["1.1"] = [Known(CT_IMAGE, IMPORTED)]
    desk.courier.refuses = True

    with desk.running():
        wait_until(lambda: len(desk.courier.errands) == 1, "the first try")
        desk.clock.now += 3600
        wait_until(lambda: len(desk.courier.errands) == 2, "another try")
        assert desk.ending(request) is None
        desk.clock.now += GIVE_UP_S
        assert desk.ends(request)["ending"] == Ending.GIVEN_UP

    assert desk.counted(Metric.COMMITMENTS_UNDELIVERED) == 1
    assert desk.events("commitment_given_up")[0]["calling_ae_title"] == "CT1"


def test_the_past_is_looked_through_once(desk: Desk) -> None:
    """What ended is not answered again by an engine that starts; what did not is, days later too."""
    ended, open_one = desk.keep("1.1"), desk.keep("1.2")
    desk.registry.records["1.1"] = [Known(CT_IMAGE, IMPORTED)]
    with desk.running():
        desk.ends(ended)
    desk.courier.errands.clear()
    desk.clock.now += 86_400

    desk.registry.records["1.2"] = [Known(CT_IMAGE, IMPORTED)]
    with desk.running():
        desk.ends(open_one)

    assert [errand.request.id for errand in desk.courier.errands] == [open_one.id]
