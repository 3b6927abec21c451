"""A batch's own rules: order of objects, states that never go back, attempts never given twice."""

from __future__ import annotations

from contract.states import BatchState, InstanceState
from importer.domain.batch import Batch, OwnAnswer, Wanted
from importer.domain.counts import Counts
from importer.domain.planning import (
    JobQuota,
    NextStep,
    after_omission,
    children,
    folder_of,
    plan_late,
    plan_prefix,
)
from tests.importer.builders import NOW, make_batch_id

BATCH = Batch.new(make_batch_id(), rows=2, extras=["x"], oldest_received_at=NOW)


def test_a_state_never_goes_back() -> None:
    """A later answer of lower rank changes nothing."""
    batch = BATCH.answer(0, {0: InstanceState.IMPORTED, 1: InstanceState.QUARANTINED})

    batch = batch.answer(1, {0: InstanceState.QUARANTINED, 1: InstanceState.IMPORTED})

    assert batch.states[:2] == (InstanceState.IMPORTED, InstanceState.IMPORTED)


def test_extras_keep_their_places() -> None:
    """Objects found later come after those known; one that is known is not added again."""
    batch = BATCH.add_extras(["a", "x", "a"])

    assert batch.keys(["r0", "r1"]) == ("r0", "r1", "x", "a")
    assert len(batch.states) == 4


def test_attempts_are_never_given_twice() -> None:
    """A closed part's number is not used again, because it is in a client token."""
    batch = BATCH.plan([Wanted(prefix="")], NOW).answer(0, {})

    assert batch.plan([Wanted(prefix="")], NOW).parts[0].attempt == 1


def test_done_means_every_object_terminal_and_nothing_owed() -> None:
    """SEALED, STARTED, DONE follow from objects and parts alone."""
    planned = BATCH.plan([Wanted(prefix="")], NOW)
    started = planned.start(0, "j", NOW)
    answered = started.answer(0, dict.fromkeys(range(3), InstanceState.IMPORTED))

    states = [batch.state for batch in (BATCH, planned, started, answered)]
    assert states == [BatchState.SEALED, BatchState.SEALED, BatchState.STARTED, BatchState.DONE]
    assert answered.counts == Counts(landed=3, imported=3, jobs=1)


def test_folders() -> None:
    """A job's smallest prefix is an object's folder; children are one level down."""
    keys = ["00/0001/a.dcm", "00/0002/b.dcm", "01/0070/c.dcm"]

    assert folder_of(keys[0]) == "00/0001/"
    assert children("", keys) == ["00/", "01/"]
    assert children("00/", keys) == ["00/0001/", "00/0002/"]
    assert children("00/0001/", keys) == []
    assert plan_late(keys[:1]) == [Wanted(prefix="00/0001/")]


def test_an_empty_prefix_is_never_planned() -> None:
    """No object, no job: an empty prefix would make a job scan the bucket."""
    assert plan_prefix({}, JobQuota()) == []


def test_a_prefix_is_split_until_each_part_fits() -> None:
    """By shard, and where a shard is too large by folder; a file above the limit answers for itself."""
    sizes = {"00/0001/a": 5, "00/0002/b": 5, "01/0070/c": 5, "01/0071/d": 50}

    wanted = plan_prefix(sizes, JobQuota(max_files=10, max_bytes=10))

    assert wanted == [
        Wanted(prefix="00/"),
        Wanted(prefix="01/0070/"),
        Wanted(prefix="01/0071/", own_answer=OwnAnswer.TOO_BIG_FOR_IMPORT),
    ]


def test_many_omitted_objects_are_asked_for_by_shard() -> None:
    """A job that left out more than a shard's worth is not followed by one job each."""
    keys = [f"{n // 64:02d}/{n:04d}/a" for n in range(300)]
    part = BATCH.plan([Wanted(prefix="")], NOW).parts[0]

    few = after_omission(part, keys, keys[:2])
    many = after_omission(part, keys, keys[:100])
    everything = after_omission(part, keys, keys)

    assert few == NextStep(wanted=(Wanted(prefix="00/0000/"), Wanted(prefix="00/0001/")))
    assert many == NextStep(wanted=(Wanted(prefix="00/"), Wanted(prefix="01/")))
    assert everything == NextStep(wanted=(Wanted(prefix="", tries=1),))
