"""StartImport and RecordOutcome together: every object ends in one state, the sums are exact."""

from __future__ import annotations

import pytest

from contract.manifest import InvalidManifestError
from contract.metrics import Metric
from contract.reasons import QuarantineReason
from contract.states import BatchState
from importer.domain.counts import Counts
from importer.domain.errors import LedgerConflictError, OutputNotReadyError, ThrottledError
from importer.domain.jobs import JobOutput
from importer.domain.planning import JobQuota
from tests.importer.builders import make_batch_id, make_row
from tests.importer.fake_pipeline import FakePipeline

BATCH = make_batch_id()


def test_a_batch_is_one_job() -> None:
    """A thousand instances in one batch are imported by one job."""
    pipe = FakePipeline()
    pipe.land(BATCH, 1000)

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=1000, imported=1000, jobs=1)
    assert pipe.ledger.stored[BATCH].state is BatchState.DONE
    assert len(pipe.landing.tagged) == 1000


def test_announced_again_starts_nothing() -> None:
    """Duplicate and late announcements of a batch start no second job."""
    pipe = FakePipeline()
    pipe.land(BATCH, 3)

    for _ in range(3):
        pipe.start(BATCH)
    pipe.drain()
    pipe.start(BATCH)

    assert len(pipe.service.jobs) == 1
    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=1)


def test_crash_between_start_and_record_gives_the_same_job() -> None:
    """A run that died before recording the job id is repeated with the same token."""
    pipe = FakePipeline()
    pipe.land(BATCH, 3)
    pipe.service.throttle = 1
    with pytest.raises(ThrottledError):
        pipe.start(BATCH)
    part = pipe.ledger.stored[BATCH].startable[0]
    job_id = pipe.service.start(
        prefix=BATCH.prefix, output=f"jobs/{BATCH}/0/", name=str(BATCH), token=f"{BATCH}.0"
    )
    assert part.attempt == 0

    pipe.start(BATCH)

    assert pipe.ledger.stored[BATCH].parts[0].job_id == job_id
    assert len(pipe.service.jobs) == 1


def test_outcome_of_a_job_that_was_never_recorded_counts() -> None:
    """The output URI names the attempt, so an outcome is matched without a recorded job id."""
    pipe = FakePipeline()
    pipe.land(BATCH, 3)
    pipe.service.throttle = 1
    with pytest.raises(ThrottledError):
        pipe.start(BATCH)
    pipe.service.start(
        prefix=BATCH.prefix, output=f"jobs/{BATCH}/0/", name=str(BATCH), token=f"{BATCH}.0"
    )

    pipe.drain()

    assert pipe.ledger.stored[BATCH].state is BatchState.DONE


def test_throttled_start_is_counted_and_comes_back() -> None:
    """A throttled start raises, so that the message stays in the queue, and counts."""
    pipe = FakePipeline()
    pipe.land(BATCH, 1)
    pipe.service.throttle = 1

    with pytest.raises(ThrottledError):
        pipe.start(BATCH)

    assert pipe.telemetry.metrics[Metric.IMPORT_STARTS_THROTTLED] == 1


def test_every_kind_of_answer() -> None:
    """Imported, warned, non-primary, refused and omitted objects each end where they belong."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 10)
    pipe.service.warned = {keys[1]}
    pipe.service.non_primary = {keys[2]}
    pipe.service.refused = {keys[3]}
    pipe.service.omitted = {keys[4]}

    pipe.start(BATCH)
    pipe.drain()

    totals = pipe.ledger.totals()
    assert totals.in_flight == 0
    assert (totals.landed, totals.imported) == (10, 6)
    assert (totals.imported_with_warning, totals.imported_non_primary) == (1, 1)
    assert totals.quarantined == 2
    assert {record.key: record.reason for record in pipe.ledger.listed.values()} == {
        keys[3]: QuarantineReason.IMPORT_REFUSED,
        keys[4]: QuarantineReason.NO_ANSWER,
    }
    assert pipe.landing.records.keys() == pipe.ledger.listed.keys()
    assert pipe.landing.tagged == {keys[0], *keys[5:]}
    # Once with the whole batch, then three times alone.
    assert totals.jobs == 4


def test_an_object_without_a_row_is_imported_and_counted() -> None:
    """An ambiguous PUT that did arrive is no loss and no stranger."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.landing.land([make_row(BATCH, 2)])

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=1)


def test_an_object_that_arrives_after_planning_is_in_the_job() -> None:
    """The job's own lines name what landed between listing and scan."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.landing.land([make_row(BATCH, 2)])

    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=1)


def test_an_object_that_arrives_after_the_job_is_imported_alone() -> None:
    """A late object gets a job of its own folder when the batch is announced again."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    pipe.drain()
    pipe.landing.land([make_row(BATCH, 2)])

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=2)
    assert list(pipe.service.jobs.values())[1].input_uri.endswith("/00/0002/")


def test_a_missing_object_stays_in_flight_and_is_said() -> None:
    """An acknowledged object that is not there is never counted as anything but in flight."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 3)
    del pipe.landing.rows[keys[1]]

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals().in_flight == 1
    assert pipe.telemetry.metrics[Metric.UNACCOUNTED_INSTANCES] >= 1
    assert "landed_objects_missing" in pipe.telemetry.names()


def test_poison_is_found_by_bisection() -> None:
    """One object that fails every job is quarantined; the other 299 are imported."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 300)
    pipe.service.poison = {keys[150]}

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals().in_flight == 0
    assert pipe.ledger.totals().imported == 299
    assert {r.key: r.reason for r in pipe.ledger.listed.values()} == {
        keys[150]: QuarantineReason.JOB_FAILED
    }
    # 3 whole, 5 shards, 64 single folders, 2 more tries of the poison.
    assert pipe.telemetry.metrics[Metric.IMPORT_JOBS_FAILED] == 3 + 1 + 3
    assert len(pipe.service.jobs) == 3 + 5 + 64 + 2


def test_a_service_that_fails_everything_is_not_bisected_to_the_end() -> None:
    """With a broken role every shard fails: few jobs, everything visible in quarantine."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 300)
    pipe.service.poison = set(keys)

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=300, quarantined=300, jobs=3 + 5 * 3)


def test_a_shard_that_fails_first_waits_for_the_proof() -> None:
    """Poison in the first shard is singled out once another shard has come through."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 130)
    pipe.service.poison = {keys[0]}

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals().imported == 129
    assert pipe.ledger.listed.keys() == {keys[0]}


def test_a_batch_above_the_job_quota_is_split() -> None:
    """Shards are imported by jobs of their own when the batch does not fit one."""
    pipe = FakePipeline(quota=JobQuota(max_files=100))
    pipe.land(BATCH, 130)

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=130, imported=130, jobs=3)


def test_an_object_above_the_service_limit_is_quarantined() -> None:
    """One file that no job can take does not keep the others back."""
    pipe = FakePipeline(quota=JobQuota(max_bytes=1001))
    keys = pipe.land(BATCH, 3)

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=3, imported=2, quarantined=1, jobs=2)
    assert pipe.ledger.listed[keys[2]].reason is QuarantineReason.TOO_BIG_FOR_IMPORT


def test_output_that_lags_is_waited_for() -> None:
    """A COMPLETED job without its output raises until the grace has passed, then it is asked again."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    (job_id,) = pipe.service.run_jobs()
    output = pipe.service.outputs.pop(job_id)

    with pytest.raises(OutputNotReadyError):
        pipe.record(job_id)
    pipe.service.outputs[job_id] = JobOutput(
        answers=dict(list(output.answers.items())[:1]), scanned=2
    )
    with pytest.raises(OutputNotReadyError):
        pipe.record(job_id)
    pipe.service.outputs[job_id] = output
    pipe.record(job_id)

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=1)


def test_output_that_never_comes_is_tried_again() -> None:
    """After the grace the objects without an answer are imported again."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    (job_id,) = pipe.service.run_jobs()
    pipe.service.outputs.pop(job_id)
    pipe.clock.now += 901

    pipe.record(job_id)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=2)


def test_the_same_outcome_twice_counts_once() -> None:
    """A duplicated event changes nothing."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    (job_id,) = pipe.service.run_jobs()

    for _ in range(3):
        pipe.record(job_id)

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=1)
    assert pipe.telemetry.metrics[Metric.INSTANCES_IMPORTED] == 2


def test_a_commit_that_lost_a_race_is_repeated() -> None:
    """Two outcomes of one batch at once are both recorded."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.start(BATCH)
    (job_id,) = pipe.service.run_jobs()
    pipe.ledger.conflicts_to_come = 2

    pipe.record(job_id)

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=1)


def test_two_outcomes_of_one_job_at_once_plan_once() -> None:
    """Of two runs for the same event one commits; the other adds no part of its own."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 3)
    pipe.service.omitted = {keys[0]}
    pipe.start(BATCH)
    (job_id,) = pipe.service.run_jobs()
    pipe.ledger.before_commit = lambda: pipe.record(job_id)

    pipe.record(job_id)

    assert len(pipe.ledger.stored[BATCH].parts) == 1
    assert pipe.ledger.totals() == Counts(landed=3, imported=2, jobs=1)


def test_two_planners_at_once_start_one_job() -> None:
    """Of two planners of a new batch one records it; the other's message comes back and finds it."""
    pipe = FakePipeline()
    pipe.land(BATCH, 3)
    pipe.ledger.before_commit = lambda: pipe.start(BATCH)

    with pytest.raises(LedgerConflictError):
        pipe.start(BATCH)
    pipe.start(BATCH)

    assert len(pipe.service.jobs) == 1
    assert pipe.ledger.totals() == Counts(landed=3, jobs=1)


def test_two_starters_at_once_record_one_job() -> None:
    """Two runs that start the same part get the same job and record it once."""
    pipe = FakePipeline()
    pipe.land(BATCH, 3)
    pipe.service.throttle = 1
    with pytest.raises(ThrottledError):
        pipe.start(BATCH)
    pipe.ledger.before_commit = lambda: pipe.start(BATCH)

    pipe.start(BATCH)

    assert len(pipe.service.jobs) == 1
    assert pipe.ledger.totals() == Counts(landed=3, jobs=1)


def test_the_same_bytes_again_start_no_job() -> None:
    """A batch of which everything is imported already is done without HealthImaging."""
    pipe = FakePipeline()
    first, second = make_batch_id(random="1" * 12), make_batch_id(random="2" * 12)
    uids = [f"1.2.3.4.{n}" for n in range(150)]
    pipe.land(first, [make_row(first, n, uid=uid) for n, uid in enumerate(uids)])
    pipe.start(first)
    pipe.drain()
    pipe.land(second, [make_row(second, n, uid=uid) for n, uid in enumerate(uids)])

    pipe.start(second)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=300, imported=300, jobs=1)
    assert pipe.telemetry.metrics[Metric.DUPLICATE_INSTANCES] == 150
    assert len(pipe.landing.tagged) == 300


def test_other_bytes_with_the_same_uid_are_kept_and_said() -> None:
    """Conflicting content is imported, flagged and never marked for expiry."""
    pipe = FakePipeline()
    first, second = make_batch_id(random="1" * 12), make_batch_id(random="2" * 12)
    pipe.land(first, [make_row(first, 0, uid="1.2.3")])
    pipe.start(first)
    pipe.drain()
    keys = pipe.land(second, [make_row(second, 0, uid="1.2.3", crc="other")])

    pipe.start(second)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=2)
    assert pipe.telemetry.metrics[Metric.CONFLICTING_INSTANCES] == 1
    assert keys[0] not in pipe.landing.tagged


def test_an_unreadable_manifest_quarantines_what_landed() -> None:
    """After some deliveries the batch's objects are visible in quarantine; the message still fails."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    pipe.landing.documents[BATCH.manifest_key] = b"{"

    for deliveries in (1, 2, 3, 4):
        with pytest.raises(InvalidManifestError):
            pipe.start(BATCH, deliveries)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=2, quarantined=2)
    assert {r.reason for r in pipe.ledger.listed.values()} == {QuarantineReason.UNREADABLE_MANIFEST}


def test_a_manifest_that_can_be_read_later_imports_its_quarantined_batch() -> None:
    """After an upgrade the redriven message imports what an older version could not read."""
    pipe = FakePipeline()
    pipe.land(BATCH, 2)
    good = pipe.landing.documents[BATCH.manifest_key]
    pipe.landing.documents[BATCH.manifest_key] = b"{"
    with pytest.raises(InvalidManifestError):
        pipe.start(BATCH, 3)
    pipe.drain()
    pipe.landing.documents[BATCH.manifest_key] = good

    pipe.start(BATCH)
    pipe.drain()

    assert pipe.ledger.totals() == Counts(landed=2, imported=2, jobs=1)
    assert pipe.ledger.listed == {}
