"""Once a day everything is compared with the bucket, hours that were closed long ago too."""

from __future__ import annotations

import pytest

from contract.metrics import Metric
from importer.adapters.ledger import Ledger
from importer.domain.counts import Counts
from importer.domain.proof_round import ProofRound
from tests.importer.builders import NOW, make_batch_id, make_row
from tests.importer.conftest import Aws
from tests.importer.fake_pipeline import FakePipeline

BATCH = make_batch_id()
DAY_S = 86_400


@pytest.fixture
def closed() -> tuple[FakePipeline, list[str]]:
    """Return a pipeline whose one hour is closed, two days later, and the keys in it."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 4)
    pipe.service.warned, pipe.service.refused = {keys[1]}, {keys[2]}
    pipe.start(BATCH)
    pipe.drain()
    pipe.settle()
    pipe.clock.now += 2 * DAY_S
    assert BATCH.hour in pipe.ledger.closed
    return pipe, keys


def unaccounted(pipe: FakePipeline) -> float:
    return pipe.telemetry.values[Metric.UNACCOUNTED_INSTANCES]


def test_what_is_whole_is_proved(closed: tuple[FakePipeline, list[str]]) -> None:
    """Nothing is missing: the round ends, its age is that of its beginning, nothing is announced."""
    pipe, _ = closed

    pipe.prove_fully()

    assert pipe.ledger.proof == ProofRound(began_at=pipe.clock.now, proved_at=pipe.clock.now)
    assert (unaccounted(pipe), pipe.telemetry.values[Metric.FULL_PROOF_AGE]) == (0, 0)
    assert pipe.queues.imports == []


@pytest.mark.parametrize(("number", "missing"), [(0, 0), (1, 1), (2, 1)])
def test_only_what_may_expire_may_be_gone(
    closed: tuple[FakePipeline, list[str]], number: int, missing: int
) -> None:
    """A plain import may have expired; a warned or quarantined original that is gone is a loss."""
    pipe, keys = closed
    del pipe.landing.rows[keys[number]]

    pipe.prove_fully()

    assert unaccounted(pipe) == missing
    assert ("landed_objects_missing" in pipe.telemetry.names()) == bool(missing)


def test_a_released_original_may_be_gone(closed: tuple[FakePipeline, list[str]]) -> None:
    """What an operator has let go is no loss."""
    pipe, keys = closed
    pipe.command("release", key=keys[1])
    pipe.drain()
    del pipe.landing.rows[keys[1]]

    pipe.prove_fully()

    assert unaccounted(pipe) == 0


def test_a_loss_stands_until_the_next_round(closed: tuple[FakePipeline, list[str]]) -> None:
    """Every run publishes what the last whole round found."""
    pipe, keys = closed
    row = pipe.landing.rows.pop(keys[2])
    pipe.prove_fully()

    pipe.clock.now += 300
    pipe.prove_fully()
    standing = unaccounted(pipe)
    pipe.landing.land([row])
    pipe.clock.now += DAY_S
    pipe.prove_fully()

    assert standing == 1
    assert unaccounted(pipe) == 0


def test_a_stranger_in_a_closed_hour_is_imported(closed: tuple[FakePipeline, list[str]]) -> None:
    """An object that the ledger does not know is planned and imported, whenever it came."""
    pipe, _ = closed
    pipe.landing.land([make_row(BATCH, 9)])

    pipe.prove_fully()
    pipe.drain()

    assert pipe.ledger.totals().landed == 5
    assert pipe.ledger.totals().in_flight == 0


def test_a_batch_that_the_ledger_lost_is_announced(closed: tuple[FakePipeline, list[str]]) -> None:
    """A sealed batch of a closed hour without a record is started as if it were new."""
    pipe, _ = closed
    lost = make_batch_id(random="f" * 12)
    pipe.land(lost, [make_row(lost, 0)])

    pipe.prove_fully()
    pipe.drain()

    assert pipe.ledger.stored[lost].counts.imported == 1


def test_a_folder_that_nobody_sealed_is_said(closed: tuple[FakePipeline, list[str]]) -> None:
    """Objects of a batch without a manifest in a closed hour are counted."""
    pipe, _ = closed
    pipe.landing.land([make_row(make_batch_id(random="e" * 12), 0)])

    pipe.prove_fully()

    assert unaccounted(pipe) == 1
    assert "unsealed_folder" in pipe.telemetry.names()


def test_a_closed_hours_figures_follow_a_redrive(closed: tuple[FakePipeline, list[str]]) -> None:
    """After a redrive the closed hour says what is."""
    pipe, keys = closed
    pipe.service.refused = set()
    pipe.command(key=keys[2])
    pipe.drain()

    pipe.prove_fully()

    assert pipe.ledger.closed[BATCH.hour] == Counts(
        landed=4, imported=3, imported_with_warning=1, jobs=2
    )


def test_a_run_without_time_goes_on_later(closed: tuple[FakePipeline, list[str]]) -> None:
    """A round that is cut goes on at the hour where it stopped."""
    pipe, _ = closed
    began = pipe.clock.now

    pipe.prove_fully(for_s=0)
    nothing = pipe.ledger.proof
    pipe.ledger.proof = ProofRound(began_at=began, hour=BATCH.hour, found=3)
    pipe.clock.now += 300
    pipe.prove_fully()

    assert nothing is None
    assert pipe.ledger.proof == ProofRound(began_at=began, proved_at=began, unaccounted=3)
    assert pipe.telemetry.values[Metric.FULL_PROOF_AGE] == 300


def test_the_ledger_remembers_the_round(aws: Aws) -> None:
    """How far the proof has come survives the table."""
    ledger = Ledger(aws.client("dynamodb"), aws.table, lambda: NOW)
    proof = ProofRound(began_at=NOW, hour=BATCH.hour, found=1, proved_at=NOW - 1, unaccounted=2)

    before = ledger.full_proof()
    ledger.keep_full_proof(proof)

    assert before is None
    assert ledger.full_proof() == proof
