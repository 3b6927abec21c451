"""F10 to F23, as far as they are the importer's: whatever breaks between S3 and HealthImaging, nothing is lost.

After each fault the conservation law holds: what landed is imported or quarantined, once, and nothing is in
flight. Where the fault is in an adapter's world, the real adapters meet it against an emulated AWS.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from contract.keys import BatchId
from contract.metrics import Metric
from contract.reasons import QuarantineReason
from contract.states import BatchState, InstanceState
from importer import rebuild_ledger
from importer.domain.counts import Counts
from importer.domain.errors import (
    ImportPipelineError,
    LedgerConflictError,
    OutputNotReadyError,
    ThrottledError,
)
from importer.domain.jobs import JobOutput
from importer.domain.messages import announced_batches, batch_announcement
from importer.domain.record_outcome import Inquiry
from importer.handlers import record_outcome, start_import
from tests.importer.builders import make_batch_id, make_row
from tests.importer.conftest import Aws, create_table, moto_endpoint
from tests.importer.conftest import aws as aws  # noqa: PLC0414 - a fixture, under its own name
from tests.importer.emulated_functions import Context, Functions, job_event, make_functions
from tests.importer.fake_pipeline import FakePipeline

__all__ = ["moto_endpoint"]
BATCH = make_batch_id()
DAY_S = 86_400


@pytest.fixture
def functions(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    yield from make_functions(aws, monkeypatch)


def landed(count: int = 5) -> tuple[FakePipeline, list[str]]:
    """Return a pipeline with one sealed batch that nobody has heard of, and its keys."""
    pipe = FakePipeline()
    return pipe, pipe.land(BATCH, count)


def assert_conserved(pipe: FakePipeline, keys: list[str], *, quarantined: set[str]) -> None:
    """Every landed object is in HealthImaging or in quarantine, and nothing is in flight."""
    totals = pipe.ledger.totals()
    assert totals.landed == len(keys) == totals.terminal
    assert totals.quarantined == len(quarantined)
    assert pipe.ledger.listed.keys() == quarantined
    assert pipe.service.imported == set(keys) - quarantined
    assert totals.jobs == len(pipe.service.jobs)
    assert all(batch.state is BatchState.DONE for batch in pipe.ledger.stored.values())


def recent(name: str) -> BatchId:
    """Return a batch of this hour, which Sweep comes to at once."""
    return make_batch_id(random=name * 12, now=time.time())


def test_f10_queues_are_down() -> None:
    """F10: every announcement for a day is lost; Sweep alone brings the batch home."""
    pipe, keys = landed()
    for _ in range(12):
        pipe.clock.now += 300
        pipe.sweep()
        pipe.queues.imports.clear()
        pipe.queues.outcomes.clear()
    assert pipe.service.jobs == {}

    pipe.settle()

    assert_conserved(pipe, keys, quarantined=set())


@pytest.mark.parametrize("seed", range(5))
def test_f11_messages_thrice_shuffled_and_a_day_late(seed: int) -> None:
    """F11: each message is delivered three times, in any order, some of them a day late."""
    chance = random.Random(seed)  # noqa: S311 - replayable
    pipe = FakePipeline()
    batches = [make_batch_id(random=f"{n:012x}") for n in range(4)]
    keys = [key for batch in batches for key in pipe.land(batch, 6)]
    pipe.service.refused, pipe.service.omitted = {keys[1]}, {keys[8]}
    old = [batch_announcement(batch) for batch in batches] * 3
    chance.shuffle(old)
    for body in old[:6]:
        for batch in announced_batches(body):
            pipe.start(batch)
    pipe.drain()

    pipe.clock.now += DAY_S
    for body in old[6:]:
        for batch in announced_batches(body):
            pipe.start(batch)
        ended = pipe.service.run_jobs() + list(pipe.service.jobs)
        chance.shuffle(ended)
        for job_id in ended * 3:
            pipe.record(job_id)
    pipe.drain()

    assert_conserved(pipe, keys, quarantined={keys[1], keys[8]})
    # One a batch, and three alone for the object that no answer names.
    assert len(pipe.service.jobs) == 4 + 3


def test_f12_crash_before_the_start() -> None:
    """F12: a function dies between its plan and StartDICOMImportJob; the message or Sweep starts it."""
    pipe, keys = landed()
    working = pipe.service.start

    def die(**_: str) -> str:
        raise KeyboardInterrupt

    pipe.service.start = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        pipe.start(BATCH)
    pipe.service.start = working  # type: ignore[method-assign]

    pipe.settle()

    assert_conserved(pipe, keys, quarantined=set())
    assert len(pipe.service.jobs) == 1


@pytest.mark.parametrize("comes_back", ["message", "event", "sweep"])
def test_f13_crash_after_the_start(comes_back: str) -> None:
    """F13: a function dies after StartDICOMImportJob, before its record: still one job, by its token."""
    pipe, keys = landed()
    pipe.ledger.before_commit = None
    planned = pipe.ledger.commit

    def die_on_start(before: Any, after: Any) -> Any:
        if after.jobs:
            raise KeyboardInterrupt
        return planned(before, after)

    pipe.ledger.commit = die_on_start  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        pipe.start(BATCH)
    pipe.ledger.commit = planned  # type: ignore[method-assign]
    assert len(pipe.service.jobs) == 1

    if comes_back == "message":
        pipe.start(BATCH)
    elif comes_back == "event":
        pipe.drain()
    pipe.settle()

    totals = pipe.ledger.totals()
    assert replace(totals, jobs=0) == Counts(landed=len(keys), imported=len(keys))
    assert len(pipe.service.jobs) == 1


def test_f14_starts_throttled_95_percent() -> None:
    """F14: nineteen of twenty starts are refused; every batch is started once, each refusal counted."""
    chance = random.Random(14)  # noqa: S311 - replayable
    pipe = FakePipeline()
    batches = [make_batch_id(random=f"{n:012x}") for n in range(10)]
    keys = [key for batch in batches for key in pipe.land(batch, 3)]
    calls = 0
    waiting = list(batches)
    while waiting:
        batch = waiting.pop(0)
        calls += 1
        pipe.service.throttle = int(chance.random() < 0.95)
        try:
            pipe.start(batch)
        except ThrottledError:
            waiting.append(batch)
    pipe.service.throttle = 0

    pipe.drain()

    assert_conserved(pipe, keys, quarantined=set())
    assert len(pipe.service.jobs) == 10
    assert pipe.telemetry.metrics[Metric.IMPORT_STARTS_THROTTLED] == calls - 10 > 50


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "ServiceQuotaExceededException",
        "ConflictException",
        "InternalServerException",
    ],
)
def test_f14_each_refusal_brings_the_message_back(functions: Functions, code: str) -> None:
    """F14: whichever way HealthImaging says not now, the message comes back and the job is started."""
    one = recent("1")
    functions.land(one, 2)
    functions.announce(one)
    working = functions.service.start_dicom_import_job
    error = ClientError({"Error": {"Code": code}}, "StartDICOMImportJob")

    def refuse(**_: Any) -> dict[str, Any]:
        raise error

    functions.service.start_dicom_import_job = refuse  # type: ignore[method-assign]
    answer = start_import.handler(functions.receive(functions.aws.import_queue), Context())
    functions.service.start_dicom_import_job = working  # type: ignore[method-assign]
    functions.pump()

    assert len(answer["batchItemFailures"]) == 1
    assert functions.ledger.totals() == Counts(landed=2, imported=2, jobs=1)


def test_f15_every_job_fails_then_the_cause_is_mended() -> None:
    """F15: a role, a key or the service fails every job: few attempts, all visible, one redrive."""
    pipe, keys = landed(130)
    pipe.service.poison = set(keys)
    pipe.start(BATCH)
    pipe.drain()
    before = len(pipe.service.jobs)
    assert {r.reason for r in pipe.ledger.listed.values()} == {QuarantineReason.JOB_FAILED}
    assert before == 3 + 3 * 3

    pipe.service.poison = set()
    pipe.command(batch=str(BATCH))
    pipe.drain()

    assert_conserved(pipe, keys, quarantined=set())
    assert len(pipe.service.jobs) == before + 1
    assert len(pipe.service.tokens) == before + 1


def test_f16_a_completed_job_with_failures() -> None:
    """F16: three refused, one warned, one in no list, one non-primary: each where it belongs."""
    pipe, keys = landed(12)
    pipe.service.refused = set(keys[:3])
    pipe.service.warned, pipe.service.non_primary = {keys[3]}, {keys[4]}
    pipe.service.omitted = {keys[5]}

    pipe.start(BATCH)
    pipe.drain()

    assert_conserved(pipe, keys, quarantined={*keys[:3], keys[5]})
    totals = pipe.ledger.totals()
    assert (totals.imported_with_warning, totals.imported_non_primary) == (1, 1)
    assert pipe.ledger.listed[keys[5]].reason is QuarantineReason.NO_ANSWER
    assert pipe.landing.tagged == set(keys[6:])


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: JobOutput(answers={}, scanned=None),
        lambda o: replace(o, answers=dict(list(o.answers.items())[:3])),
        lambda o: replace(o, is_cut=True),
        lambda o: replace(o, scanned=None),
    ],
    ids=["missing", "partial", "cut", "without summary"],
)
def test_f17_output_late_or_truncated(damage: Callable[[JobOutput], JobOutput]) -> None:
    """F17: nothing is terminal before the lines cover the files; then all of it is."""
    pipe, keys = landed()
    pipe.start(BATCH)
    (job_id,) = pipe.service.run_jobs()
    whole = pipe.service.outputs[job_id]
    pipe.service.outputs[job_id] = damage(whole)

    with pytest.raises(OutputNotReadyError):
        pipe.record(job_id)
    open_still = pipe.ledger.totals()
    pipe.service.outputs[job_id] = whole
    pipe.settle()

    assert open_still.terminal == 0
    assert_conserved(pipe, keys, quarantined=set())
    assert len(pipe.service.jobs) == 1


def test_f17_output_cut_in_the_bucket(functions: Functions) -> None:
    """F17: a list that ends within a line is read as cut; the rest is imported again, alone."""
    one = recent("2")
    keys = functions.land(one, 3)
    functions.announce(one)
    start_import.handler(functions.receive(functions.aws.import_queue), Context())
    s3 = functions.aws.client("s3")
    found = s3.list_objects_v2(Bucket=functions.aws.results, Prefix="jobs/")["Contents"]
    [listed] = [item["Key"] for item in found if item["Key"].endswith("success.ndjson")]
    body = s3.get_object(Bucket=functions.aws.results, Key=listed)["Body"].read()
    s3.put_object(Bucket=functions.aws.results, Key=listed, Body=body[:-20])

    functions.pump()

    totals = functions.ledger.totals()
    assert (totals.landed, totals.imported, totals.in_flight) == (3, 3, 0)
    assert totals.jobs == 2
    assert len(keys) == 3


def test_f18_every_event_is_lost() -> None:
    """F18: no event ever comes; Sweep asks after each job."""
    pipe, keys = landed()
    pipe.service.refused = {keys[0]}
    pipe.start(BATCH)
    pipe.service.run_jobs()

    pipe.settle()

    assert_conserved(pipe, keys, quarantined={keys[0]})


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_f19_events_in_any_order(order: tuple[int, ...]) -> None:
    """F19: COMPLETED before SUBMITTED, once or thrice: a job counts when it has ended, and once."""
    pipe, keys = landed()
    pipe.start(BATCH)
    (job_id,) = pipe.service.jobs

    def submitted() -> None:
        pipe.record_outcome.run(Inquiry(job_id=job_id))

    def completed() -> None:
        pipe.service.run_job(job_id)
        submitted()

    steps = (submitted, completed, completed)
    for at in order:
        steps[at]()
    pipe.drain()

    assert_conserved(pipe, keys, quarantined=set())
    assert pipe.telemetry.metrics[Metric.INSTANCES_IMPORTED] == len(keys)


@pytest.mark.parametrize("seed", range(5))
def test_f20_conditional_conflicts(seed: int) -> None:
    """F20: three of ten ledger writes lose a race; messages come back until all is recorded."""
    chance = random.Random(seed)  # noqa: S311 - replayable
    pipe, keys = landed(20)
    pipe.service.refused = {keys[3]}
    committed = pipe.ledger.commit

    def contended(before: Any, after: Any) -> Any:
        if chance.random() < 0.3:
            raise LedgerConflictError(str(after.id))
        return committed(before, after)

    pipe.ledger.commit = contended  # type: ignore[method-assign]
    for _ in range(30):
        with suppress(ImportPipelineError):
            pipe.start(BATCH)
            break
    for _ in range(30):
        with suppress(ImportPipelineError):
            pipe.drain()
    pipe.ledger.commit = committed  # type: ignore[method-assign]
    pipe.settle()

    assert_conserved(pipe, keys, quarantined={keys[3]})


def test_f20_outage_of_dynamodb(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    """F20: while DynamoDB does not answer every message fails and comes back; afterwards all is as ever."""
    one = recent("3")
    functions.land(one, 3)
    functions.announce(one)
    dynamodb = functions.aws.client("dynamodb")

    def down(operation: str, _request: Any) -> Any:
        raise EndpointConnectionError(endpoint_url=f"dynamodb {operation}")

    with monkeypatch.context() as outage:
        outage.setattr(dynamodb, "_make_api_call", down)
        answers = [
            start_import.handler(functions.receive(functions.aws.import_queue), Context()),
            record_outcome.handler({"Records": [message(job_event("0" * 8))]}, Context()),
        ]
        with pytest.raises(EndpointConnectionError):
            functions.sweep()
    functions.sweep()
    functions.pump()

    assert [len(answer["batchItemFailures"]) for answer in answers] == [1, 1]
    assert functions.ledger.totals() == Counts(landed=3, imported=3, jobs=1)


def message(body: str) -> dict[str, Any]:
    """Return a message as Lambda gives it, of a queue that knows nothing of it."""
    return {"messageId": "m", "receiptHandle": "r", "body": body, "attributes": {}}


def test_f20_the_table_is_deleted(functions: Functions) -> None:
    """F20: the ledger is lost with a batch in every condition, and rebuilt: equal sums, same quarantine."""
    done, waiting = recent("4"), recent("5")
    keys = functions.land(done, [make_row(done, n, uid=f"1.4.{n}") for n in range(4)])
    functions.service.refused = {keys[1]}
    functions.announce(done)
    functions.pump()
    functions.land(waiting, [make_row(waiting, n, uid=f"1.5.{n}") for n in range(2)])
    before = functions.ledger.totals()
    client = functions.aws.client("dynamodb")
    client.delete_table(TableName=functions.aws.table)
    create_table(client, functions.aws.table)

    assert rebuild_ledger.main([]) == 0
    rebuilt = functions.ledger.totals()
    functions.sweep()
    functions.pump()

    assert before == rebuilt == Counts(landed=4, imported=3, quarantined=1, jobs=1)
    assert functions.ledger.totals() == Counts(landed=6, imported=5, quarantined=1, jobs=2)
    assert [found.key for found in functions.ledger.quarantined(9)] == [keys[1]]


def test_f21_objects_after_the_seal_in_every_order() -> None:
    """F21: an object lands before, between or after any of plan, scan, outcome and sweep: imported once."""
    steps = ("land", "start", "job", "event", "sweep", "event")
    orders = set(permutations(steps))
    for order in orders:
        pipe, keys = landed(2)
        late = make_row(BATCH, 2)
        for step in order:
            _act(pipe, step, late)
        pipe.settle()
        assert_conserved(pipe, [*keys, late.key], quarantined=set())
    assert len(orders) == 360


def _act(pipe: FakePipeline, step: str, late: Any) -> None:
    if step == "land":
        pipe.landing.land([late])
    elif step == "start":
        pipe.start(BATCH)
    elif step == "job":
        pipe.service.run_jobs()
    elif step == "event":
        for job_id in pipe.service.jobs:
            pipe.record(job_id)
    else:
        pipe.sweep()


def test_f22_two_planners(functions: Functions) -> None:
    """F22: two planners of one batch at once: the ledger takes one, and there is one job."""
    one = recent("6")
    functions.land(one, 3)
    ledger = functions.ledger
    with suppress(LedgerConflictError):
        for _ in range(2):
            functions.announce(one)
        event = functions.receive(functions.aws.import_queue)
        while len(event["Records"]) < 2:
            event["Records"] += functions.receive(functions.aws.import_queue)["Records"]
        start_import.handler(event, Context())
    functions.pump()

    assert len(functions.service.jobs) == 1
    assert ledger.totals() == Counts(landed=3, imported=3, jobs=1)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_f22_a_rival_at_every_commit(at: int) -> None:
    """F22: whichever of a run's writes meets a rival's, the batch is started and recorded once."""
    pipe, keys = landed()
    committed = pipe.ledger.commit
    commits = 0

    def contested(before: Any, after: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits == at + 1:
            pipe.ledger.commit = committed  # type: ignore[method-assign]
            rival()
        return committed(before, after)

    def rival() -> None:
        pipe.start(BATCH)
        for job_id in pipe.service.run_jobs():
            pipe.record(job_id)

    pipe.ledger.commit = contested  # type: ignore[method-assign]
    with suppress(LedgerConflictError):
        pipe.start(BATCH)
        for job_id in pipe.service.run_jobs():
            pipe.record(job_id)
    pipe.settle()

    assert_conserved(pipe, keys, quarantined=set())
    assert len(pipe.service.jobs) == 1


def test_f23_one_poison_object_in_5000() -> None:
    """F23: one object fails every job it is in: bisected, quarantined alone, 4,999 imported."""
    pipe, keys = landed(5000)
    poison = keys[2345]
    pipe.service.poison = {poison}

    pipe.start(BATCH)
    pipe.drain(rounds=100)

    assert_conserved(pipe, keys, quarantined={poison})
    # 3 whole, 79 shards, 64 single folders, 2 more tries of the poison.
    assert len(pipe.service.jobs) == 3 + 79 + 64 + 2
    states = pipe.ledger.stored[BATCH].states
    assert states[2345] is InstanceState.QUARANTINED
