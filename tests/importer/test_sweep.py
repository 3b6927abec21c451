"""Sweep alone finds what every lost message and event left behind."""

from __future__ import annotations

from contract.keys import next_hour
from contract.manifest import Manifest, Sealer
from contract.metrics import Metric
from contract.states import BatchState
from importer.domain.counts import Counts
from importer.domain.messages import announced_batches
from tests.importer.builders import make_batch_id, make_row
from tests.importer.fake_pipeline import FakePipeline

BATCH = make_batch_id()


def test_a_lost_announcement_is_repeated() -> None:
    """A sealed batch that nobody recorded is announced once it is overdue, not before."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)

    pipe.sweep()
    early = list(pipe.queues.imports)
    pipe.clock.now += 301
    pipe.sweep()

    assert early == []
    assert [announced_batches(body) for body in pipe.queues.imports] == [[BATCH]]


def test_a_lost_event_is_asked_for() -> None:
    """A started job without an outcome is asked after, and its outcome recorded."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.service.run_jobs()

    pipe.clock.now += 301
    pipe.sweep()
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=1)


def test_a_planned_part_that_nobody_started_is_announced() -> None:
    """A run that died between planning and starting is made up for."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.service.omitted = {keys[0]}
    pipe.start(BATCH)
    for job_id in pipe.service.run_jobs():
        pipe.record(job_id)
    pipe.queues.imports.clear()
    pipe.service.omitted.clear()

    pipe.clock.now += 301
    pipe.sweep()
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=2)


def test_an_orphaned_batch_is_adopted_after_its_lease() -> None:
    """Objects of a task that died are sealed from their metadata, not before lease and patience end."""
    pipe = FakePipeline()
    pipe.landing.land([make_row(BATCH, n) for n in range(3)])

    pipe.clock.now = BATCH.deadline + 599
    pipe.sweep()
    early = dict(pipe.landing.documents)
    pipe.clock.now = BATCH.deadline + 600
    pipe.sweep()

    manifest = Manifest.decode(pipe.landing.documents[BATCH.manifest_key])
    assert early == {}
    assert manifest.sealed_by is Sealer.SWEEP
    assert [row.sop_instance_uid for row in manifest.rows] == [
        make_row(BATCH, n).sop_instance_uid for n in range(3)
    ]
    assert pipe.telemetry.metrics[Metric.BATCHES_ADOPTED] == 1


def test_an_adopted_batch_is_imported() -> None:
    """With every message lost, Sweep's rounds alone bring an orphan home."""
    pipe = FakePipeline()
    pipe.landing.land([make_row(BATCH, n) for n in range(3)])

    pipe.settle()

    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=1)


def test_a_late_object_is_found_by_the_sum() -> None:
    """An object that landed after the job is noticed, planned and imported."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.drain()
    pipe.landing.land([make_row(BATCH, 2)])

    pipe.settle()

    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=2)


def test_an_hour_is_closed_when_everything_is_terminal() -> None:
    """The hour's proof holds its counts and the cursor moves on, only after its end and patience."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.service.refused = {keys[0]}
    pipe.start(BATCH)
    pipe.drain()

    pipe.clock.now = BATCH.deadline + 700
    pipe.sweep()
    early = dict(pipe.ledger.closed)
    pipe.clock.now += 3 * 3600
    pipe.sweep()

    assert early == {}
    assert pipe.ledger.closed[BATCH.hour] == Counts(landed=2, imported=1, quarantined=1, jobs=1)
    assert (pipe.ledger.cursor() or "") >= next_hour(BATCH.hour)


def test_a_missing_object_keeps_its_hour_open_and_is_counted() -> None:
    """What cannot be accounted for is published every run and never proved away."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.drain()
    del pipe.landing.rows[keys[0]]

    pipe.clock.now += 5 * 3600
    pipe.sweep()

    assert pipe.telemetry.values[Metric.UNACCOUNTED_INSTANCES] == 1
    assert BATCH.hour not in pipe.ledger.closed
    assert pipe.ledger.cursor() is None


def test_expired_objects_are_no_loss() -> None:
    """A day later, imported objects that lifecycle removed do not disturb the proof."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.drain()
    del pipe.landing.rows[keys[0]]

    pipe.clock.now += 30 * 3600
    pipe.sweep()

    assert pipe.telemetry.values[Metric.UNACCOUNTED_INSTANCES] == 0
    assert pipe.ledger.closed[BATCH.hour].landed == 2


def test_the_oldest_age_is_published_and_falls_to_zero() -> None:
    """The age of the oldest instance that is not imported rises until it is."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)

    pipe.clock.now += 1000
    pipe.sweep()
    waiting = pipe.telemetry.values[Metric.OLDEST_UNIMPORTED_AGE]
    pipe.drain()
    pipe.service.run_jobs()
    pipe.drain()
    pipe.sweep()

    assert waiting == 1000
    assert pipe.telemetry.values[Metric.OLDEST_UNIMPORTED_AGE] == 0
    assert pipe.ledger.stored[BATCH].state is BatchState.DONE


def test_a_run_without_time_stops_and_the_next_goes_on() -> None:
    """A run that is out of time closes nothing and breaks nothing."""
    pipe = FakePipeline()
    pipe.landing.land([make_row(BATCH, 0)])
    pipe.clock.now += 24 * 3600

    pipe.sweep(for_s=0)
    untouched = dict(pipe.landing.documents)
    pipe.sweep()

    assert untouched == {}
    assert BATCH.manifest_key in pipe.landing.documents


def test_a_proved_batch_is_not_listed_again() -> None:
    """The cost of a run follows what is new, not what is there."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.drain()
    pipe.clock.now = BATCH.deadline + 700
    pipe.sweep()

    assert pipe.ledger.stored[BATCH].proved
    pipe.landing.listed.clear()
    pipe.sweep()
    assert pipe.landing.listed == []


def test_a_backlog_is_not_announced_without_end() -> None:
    """One run sends a bounded number of announcements."""
    pipe = FakePipeline()
    for n in range(120):
        pipe.land(make_batch_id(random=f"{n:012x}"), 1)
    pipe.clock.now += 301

    pipe.sweep()

    assert len(pipe.queues.imports) == 100


def test_a_long_outage_does_not_fill_the_queue() -> None:
    """While the queue holds enough, a run sends one at the most: it might be what was lost."""
    pipe = FakePipeline()
    for n in range(120):
        pipe.land(make_batch_id(random=f"{n:012x}"), 1)
    pipe.clock.now += 301

    for _ in range(4):
        pipe.sweep()

    assert len(pipe.queues.imports) == 100 + 3
