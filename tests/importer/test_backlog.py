"""HealthImaging is down for a day while 100,000 instances land: nothing times out, all is imported afterwards.

A simulation: the product's own decisions (StartImport, RecordOutcome, Sweep, the waits between deliveries)
against the documented quotas and against costs of each call that are higher than usual, with the function
timeouts, the queue settings and the alarm as the template has them. Time is simulated; nothing sleeps.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from contract.keys import BatchId, InstanceKey
from contract.manifest import Manifest, Row
from contract.metrics import Metric
from importer.domain.errors import RetryLaterError, ThrottledError
from importer.domain.jobs import JobStatus
from importer.domain.messages import announced_batches, inquiry_of, wait_before_retry_s
from importer.domain.ports import LandedObject
from importer.domain.record_outcome import Inquiry
from local.healthimaging.quotas import Quotas, Throttle
from tests.importer.builders import make_batch_id, make_manifest, make_row
from tests.importer.fake_aws import (
    FakeClock,
    FakeHealthImaging,
    FakeLanding,
    FakeQueues,
    FakeTelemetry,
)
from tests.importer.fake_pipeline import FakePipeline

pytestmark = pytest.mark.slow

TEMPLATE = Path(__file__).resolve().parents[2] / "dist" / "storescp.template.json"
DAY_S, FIVE_MINUTES_S = 86_400, 300
INSTANCES, BATCHES = 100_000, 100
SIZES = [INSTANCES // BATCHES + (n < INSTANCES % BATCHES) for n in range(BATCHES)]
"""What one worker seals by count and bytes, a batch of a thousand every quarter of an hour."""
OUTAGE_S = (600.0, 600.0 + DAY_S)
CONCURRENCY = 2
"""MaximumConcurrency of the event source mappings, with one message an invocation."""
RESERVE_S = 15.0
"""Left by Sweep's handler."""
JOB_S, JOB_S_PER_FILE = 60.0, 0.05
LISTING_S, GET_S, ROW_S, CALL_S, STORE_S = 0.1, 0.1, 0.02, 0.3, 0.02
"""A page of 1,000 keys, an object, a ledger row, a call of HealthImaging, a row or tag that is written."""


@cache
def resources() -> dict[str, Any]:
    """Return the committed template's resources."""
    found: dict[str, Any] = json.loads(TEMPLATE.read_text(encoding="utf-8"))["Resources"]
    return found


def timeout_of(function: str) -> float:
    return float(resources()[function]["Properties"]["Timeout"])


@dataclass
class SlowLanding(FakeLanding):
    """The bucket, found by batch as a listing is by prefix; each call costs simulated time."""

    clock: FakeClock = field(default_factory=FakeClock)
    by_batch: dict[str, dict[str, Row]] = field(default_factory=dict)
    by_hour: dict[str, dict[BatchId, float]] = field(default_factory=dict)

    def land(self, rows: Sequence[Row]) -> None:
        super().land(rows)
        for row in rows:
            batch = InstanceKey.parse(row.key).batch
            self.by_batch.setdefault(batch.prefix, {})[row.key] = row

    def seal(self, manifest: Manifest) -> bool:
        self.by_hour.setdefault(manifest.batch.hour, {})[manifest.batch] = manifest.sealed_at
        return super().seal(manifest)

    def manifest(self, batch_id: BatchId) -> Manifest:
        self.clock.now += GET_S
        return super().manifest(batch_id)

    def objects(self, prefix: str) -> Iterator[LandedObject]:
        self.clock.now += LISTING_S
        # In the order of their keys, because they were landed so.
        for key, row in self.by_batch["/".join(prefix.split("/")[:3]) + "/"].items():
            if key.startswith(prefix):
                yield LandedObject(key, row.size)

    def mark_imported(self, keys: Sequence[str]) -> None:
        self.clock.now += STORE_S * len(keys)
        super().mark_imported(keys)

    def first_hour(self) -> str | None:
        return min(self.by_hour, default=None)

    def landed_batches(self, hour: str) -> Iterator[str]:
        self.clock.now += LISTING_S
        yield from [str(batch) for batch in self.by_hour.get(hour, {})]

    def sealed_batches(self, hour: str) -> Iterator[tuple[BatchId, float]]:
        self.clock.now += LISTING_S
        yield from self.by_hour.get(hour, {}).items()


@dataclass
class LimitedHealthImaging(FakeHealthImaging):
    """Down for a day, then within its quotas, each job taking its time."""

    is_down: Callable[[], bool] = bool
    quotas: Quotas = field(default_factory=Quotas)
    accepted_at: list[float] = field(default_factory=list)
    new: list[tuple[float, str]] = field(default_factory=list)
    """Jobs that were started and nobody was told of: when they end, and which."""
    running: int = 0

    def __post_init__(self) -> None:
        self._throttle = Throttle(self.quotas.rates, self.clock)

    def start(self, *, prefix: str, output: str, name: str, token: str) -> str:
        self.clock.now += CALL_S
        if self.is_down():
            raise ThrottledError("ServiceUnavailableException")
        if not self._throttle.admit("StartDICOMImportJob"):
            raise ThrottledError("ThrottlingException")
        if self.running >= self.quotas.concurrent_jobs:
            raise ThrottledError("ServiceQuotaExceededException")
        known = token in self.tokens
        job_id = super().start(prefix=prefix, output=output, name=name, token=token)
        if not known:
            self.running += 1
            self.accepted_at.append(self.clock.now)
            size = sum(1 for _ in self.landing.objects(prefix))
            self.new.append((self.clock.now + JOB_S + size * JOB_S_PER_FILE, job_id))
        return job_id


@dataclass
class SpeakingTelemetry(FakeTelemetry):
    """Remembers each metric's values with their times."""

    clock: FakeClock = field(default_factory=FakeClock)
    points: dict[Metric, list[tuple[float, float]]] = field(default_factory=dict)

    def count(self, metric: Metric, value: float = 1) -> None:
        super().count(metric, value)
        self.points.setdefault(metric, []).append((self.clock.now, value))

    def info(self, event: str, **fields: object) -> None:
        """Nobody reads a day's log here."""

    warning = error = info


class Function:
    """A function that takes one message an invocation, two at once, in the order in which they come.

    Attributes:
        longest_s: The longest invocation.
        deliveries: The most that one message needed.
        waiting: Messages that are not served yet, those that come back later included.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.longest_s = 0.0
        self.deliveries = 0
        self.waiting = 0
        self._simulation = simulation
        self._ready: deque[tuple[Callable[[], None], int]] = deque()
        self._free = CONCURRENCY

    def send(self, when: float, work: Callable[[], None]) -> None:
        """A message is there at `when`."""
        self.waiting += 1
        self._simulation.at(when, lambda at: self._arrive(at, work, 1))

    def _arrive(self, when: float, work: Callable[[], None], deliveries: int) -> None:
        self._ready.append((work, deliveries))
        self._serve(when)

    def _serve(self, when: float) -> None:
        while self._free and self._ready:
            work, deliveries = self._ready.popleft()
            self._free -= 1
            self.deliveries = max(self.deliveries, deliveries)
            failed = False
            self._simulation.pipe.clock.now = when
            try:
                work()
            except RetryLaterError:
                failed = True
            ended = self._simulation.pipe.clock.now
            self.longest_s = max(self.longest_s, ended - when)
            self._simulation.collect(ended)
            self._simulation.at(ended, self._finish)
            if failed:
                back = ended + wait_before_retry_s(deliveries, self._simulation.random.random())
                self._simulation.at(
                    back,
                    lambda at, work=work, n=deliveries + 1: self._arrive(at, work, n),  # type: ignore[misc]
                )
            else:
                self.waiting -= 1

    def _finish(self, when: float) -> None:
        self._free += 1
        self._serve(when)


class Simulation:
    """The product's functions, the queues between them and the schedule, in order of simulated time."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.began = clock.now
        self.random = random.Random(0)  # noqa: S311 - jitter
        landing = SlowLanding(clock=clock)
        self.telemetry = SpeakingTelemetry(clock=clock)
        self.pipe = FakePipeline(
            clock=clock, landing=landing, queues=CountedQueues(simulation=self)
        )
        self.pipe.telemetry = self.telemetry
        self.service = LimitedHealthImaging(landing, clock, is_down=self._is_down)
        self.pipe.service = self.service
        self.start_import, self.record_outcome = Function(self), Function(self)
        self.longest_sweep_s = 0.0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = 0

    def at(self, when: float, act: Callable[[float], None]) -> None:
        """Do something at a simulated time."""
        self._order += 1
        heapq.heappush(self._events, (when, self._order, act))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            when, _, act = heapq.heappop(self._events)
            act(when)

    def seal(self, when: float, number: int) -> None:
        """A batch was sealed; S3 tells the queue."""
        self.pipe.clock.now = when
        batch = make_batch_id(random=f"{number:012x}", now=when)
        rows = [make_row(batch, n, uid=f"2.25.{number}.{n}") for n in range(SIZES[number])]
        rows = [replace(row, received_at=when - 30) for row in rows]
        self.pipe.landing.land(rows)
        self.pipe.landing.seal(replace(make_manifest(batch, rows), sealed_at=when))
        self.pipe.queues.announce(batch)
        self.collect(when)

    def sweep(self, when: float) -> None:
        """EventBridge's schedule: every five minutes."""
        self.pipe.clock.now = when
        self.pipe.sweep(for_s=timeout_of("Sweep") - RESERVE_S)
        self.longest_sweep_s = max(self.longest_sweep_s, self.pipe.clock.now - when)
        self.collect(self.pipe.clock.now)
        self.at(when + FIVE_MINUTES_S, self.sweep)

    def collect(self, when: float) -> None:
        """Bring what was sent to the functions; let jobs that were started tell when they have ended."""
        queues = self.pipe.queues
        for body in queues.imports:
            self.start_import.send(when, partial(self._start, announced_batches(body)))
        for body in queues.outcomes:
            self.record_outcome.send(when, lambda body=body: self._record(inquiry_of(body)))  # type: ignore[misc]
        queues.imports, queues.outcomes = [], []
        for ends_at, job_id in self.service.new:
            self.at(ends_at, lambda at, job_id=job_id: self._end(at, job_id))  # type: ignore[misc]
        self.service.new = []

    def _is_down(self) -> bool:
        return OUTAGE_S[0] <= self.pipe.clock.now - self.began < OUTAGE_S[1]

    def _end(self, when: float, job_id: str) -> None:
        self.pipe.clock.now = when
        self.service.running -= 1
        self.service.run_job(job_id)
        self.record_outcome.send(when, lambda: self._record(Inquiry(job_id=job_id)))

    def _start(self, batches: list[BatchId]) -> None:
        self.pipe.clock.now += 2 * ROW_S
        for batch in batches:
            self.pipe.start(batch)

    def _record(self, inquiry: Inquiry | None) -> None:
        assert inquiry is not None
        job = self.service.job(inquiry.job_id)
        if job is not None and job.status is JobStatus.COMPLETED:
            self.pipe.clock.now += STORE_S * len(self.service.outputs[inquiry.job_id].answers)
        self.pipe.clock.now += CALL_S + 2 * ROW_S
        self.pipe.record_outcome.run(inquiry)


@dataclass
class CountedQueues(FakeQueues):
    """Knows what waits in the simulation."""

    simulation: Simulation | None = None

    def waiting(self) -> int:
        assert self.simulation is not None
        return self.simulation.start_import.waiting + len(self.imports)


def states(
    metric: Metric, points: list[tuple[float, float]], alarm: str, until: float
) -> list[bool]:
    """Evaluate an alarm of the template, period by period: whether it is in ALARM."""
    settings = resources()[alarm]["Properties"]
    assert settings["MetricName"] == metric.value
    assert settings["EvaluationPeriods"] == 1
    assert settings["Statistic"] == "Maximum"
    assert settings["ComparisonOperator"] == "GreaterThanThreshold"
    assert settings["TreatMissingData"] == "notBreaching"
    period = settings["Period"]
    start = points[0][0]
    found = [False] * (int((max(until, points[-1][0]) - start) // period) + 1)
    for at, value in points:
        found[int((at - start) // period)] |= value > settings["Threshold"]
    return found


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_day_without_healthimaging_is_made_up_for() -> None:
    """100,000 landed meanwhile: imported within two hours after, no function late, the alarm comes and goes."""
    simulation = Simulation()
    for number in range(BATCHES):
        when = simulation.began + OUTAGE_S[0] + number * DAY_S / BATCHES
        simulation.at(when, lambda at, number=number: simulation.seal(at, number))  # type: ignore[misc]
    simulation.at(simulation.began, simulation.sweep)
    back = simulation.began + OUTAGE_S[1]

    simulation.run(back)
    before = simulation.pipe.ledger.totals()
    simulation.run(back + 2 * 3600)

    after = simulation.pipe.ledger.totals()
    ended = max(job.ended_at for job in simulation.service.jobs.values())
    accepted = simulation.service.accepted_at
    points = simulation.telemetry.points
    oldest = states(
        Metric.OLDEST_UNIMPORTED_AGE,
        points[Metric.OLDEST_UNIMPORTED_AGE],
        "OldestUnimportedAlarm",
        back + 2 * 3600,
    )
    changes = [b for a, b in itertools.pairwise(oldest) if a != b]
    max_receives = resources()["ImportQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    assert before.imported == 0
    assert after.landed == INSTANCES
    assert (after.imported, after.in_flight) == (INSTANCES, 0)
    # Each batch is one job, whatever was delivered how often; within 1 start/s with a burst of 2.
    assert after.jobs == BATCHES == len(accepted)
    assert all(b - a >= 1 - 1e-6 for a, b in zip(accepted, accepted[2:], strict=False))
    assert ended - back < DAY_S / 5, "slower than five times the arrival"
    assert simulation.start_import.longest_s < timeout_of("StartImport")
    assert simulation.record_outcome.longest_s < timeout_of("RecordOutcome")
    assert simulation.longest_sweep_s < timeout_of("Sweep")
    for function in (simulation.start_import, simulation.record_outcome):
        assert function.deliveries < max_receives, "messages reach the dead-letter queue"
    assert changes == [True, False]
    assert {value for _, value in points[Metric.UNACCOUNTED_INSTANCES]} == {0}
