"""What an operator asks for: tried again or let go, once, whoever asks how often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.metrics import Metric
from contract.reasons import QuarantineReason
from contract.states import BatchState, InstanceState
from importer.domain.batch import client_token
from importer.domain.commands import Action, Command, InvalidCommandError, Report
from importer.domain.counts import Counts
from importer.domain.planning import JobQuota, plan_redrive
from importer.domain.redrive import MOST_PARTS
from tests.importer.builders import make_batch_id, make_row
from tests.importer.fake_pipeline import FakePipeline

BATCH = make_batch_id()


def quarantined(count: int = 10, bad: tuple[int, ...] = (3,)) -> tuple[FakePipeline, list[str]]:
    """Return a pipeline at rest in which HealthImaging has refused some objects, and all keys."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, count)
    pipe.service.refused = {keys[n] for n in bad}
    pipe.start(BATCH)
    pipe.drain()
    assert pipe.ledger.totals().quarantined == len(bad)
    return pipe, keys


def test_one_object_is_tried_again_and_imported() -> None:
    """After a redrive that succeeds the object is IMPORTED, off the list, and the sums are exact."""
    pipe, keys = quarantined()
    pipe.service.refused = set()

    report = pipe.command(key=keys[3])
    waiting = pipe.ledger.totals()
    pipe.drain()

    assert report == Report(asked=1, parts=1)
    assert waiting == Counts(landed=10, imported=9, quarantined=1, jobs=1)
    assert pipe.ledger.totals() == Counts(landed=10, imported=10, jobs=2)
    assert pipe.ledger.listed == {}
    assert keys[3] in pipe.landing.tagged
    assert pipe.ledger.stored[BATCH].state is BatchState.DONE
    assert pipe.telemetry.metrics[Metric.INSTANCES_REDRIVEN] == 1


def test_only_the_object_is_imported_again() -> None:
    """A redrive's job takes the folder of the object alone, with a token that was never used."""
    pipe, keys = quarantined()

    pipe.command(key=keys[3])
    pipe.drain()

    jobs = list(pipe.service.jobs.values())
    assert [job.input_uri.rpartition(str(BATCH))[2] for job in jobs] == ["/", "/00/0003/"]
    assert list(pipe.service.tokens) == [client_token(BATCH, 0), client_token(BATCH, 1)]


def test_refused_again_stays_with_its_history() -> None:
    """The record in ledger and bucket shows each attempt, who asked and when; the sum is unchanged."""
    pipe, keys = quarantined()

    for _ in range(2):
        pipe.clock.now += 60
        pipe.command(key=keys[3])
        pipe.drain()

    record = pipe.ledger.listed[keys[3]]
    assert record.attempts == (0, 1, 2)
    assert [(r.attempt, r.operator) for r in record.redrives] == [(1, "j.doe"), (2, "j.doe")]
    assert record.redrives[1].at - record.redrives[0].at == 60
    assert pipe.landing.records[keys[3]] == record
    assert pipe.ledger.totals() == Counts(landed=10, imported=9, quarantined=1, jobs=3)
    # Quarantine has not grown: the alarm must not say so.
    assert pipe.telemetry.metrics[Metric.INSTANCES_QUARANTINED] == 1


def test_the_record_tells_how_it_ended() -> None:
    """After a successful redrive the record stays, with its history and the state it ended in."""
    pipe, keys = quarantined()
    pipe.service.refused = set()
    pipe.service.warned = {keys[3]}

    pipe.command(key=keys[3])
    pipe.drain()

    record = pipe.landing.records[keys[3]]
    assert record.state is InstanceState.IMPORTED_WITH_WARNING
    assert record.reason is QuarantineReason.IMPORT_REFUSED
    assert record.redrives[0].operator == "j.doe"


def test_a_double_click_asks_once() -> None:
    """What is under way is not asked for again."""
    pipe, keys = quarantined()

    first, second = pipe.command(key=keys[3]), pipe.command(batch=str(BATCH))
    pipe.drain()

    assert first.asked == 1
    assert second == Report(under_way=1)
    assert len(pipe.service.jobs) == 2


def test_two_operators_at_once_ask_once() -> None:
    """Of two commands at the same moment one writes the batch, the other finds it under way."""
    pipe, keys = quarantined()
    reports: list[Report] = []
    pipe.ledger.before_commit = lambda: reports.append(pipe.command(key=keys[3]))

    reports.append(pipe.command(batch=str(BATCH)))
    pipe.drain()

    assert sorted(report.asked for report in reports) == [0, 1]
    assert len(pipe.service.jobs) == 2


def test_a_lost_message_is_brought_by_sweep() -> None:
    """A redrive whose announcement is lost is started by Sweep's."""
    pipe, keys = quarantined()
    pipe.service.refused = set()
    pipe.command(key=keys[3])
    pipe.queues.imports.clear()

    pipe.settle()

    assert pipe.ledger.totals() == Counts(landed=10, imported=10, jobs=2)


def test_a_batch_that_failed_whole_is_one_job_again() -> None:
    """A redrive covers what is quarantined by as few jobs as can be."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 300)
    pipe.service.poison = set(keys)
    pipe.start(BATCH)
    pipe.drain()
    pipe.service.poison = set()
    before = len(pipe.service.jobs)

    report = pipe.command(batch=str(BATCH))
    pipe.drain()

    assert report == Report(asked=300, parts=1)
    assert pipe.ledger.totals() == Counts(landed=300, imported=300, jobs=before + 1)


def test_a_redrive_that_fails_comes_to_rest() -> None:
    """An operator's job that FAILs is retried as any other, for the operator, and then given up."""
    pipe, keys = quarantined()
    pipe.service.poison = {keys[3]}

    pipe.command(key=keys[3])
    pipe.drain()

    record = pipe.ledger.listed[keys[3]]
    assert record.reason is QuarantineReason.JOB_FAILED
    assert {redrive.operator for redrive in record.redrives} == {"j.doe"}
    assert pipe.ledger.totals() == Counts(landed=10, imported=9, quarantined=1, jobs=4)


def test_everything_is_redriven_page_by_page() -> None:
    """A command for everything is bounded, says where it stopped, and goes on there."""
    pipe = FakePipeline()
    batches = [make_batch_id(random=f"{n:012x}") for n in range(30)]
    for batch in batches:
        keys = pipe.land(
            batch, [make_row(batch, n, uid=f"1.{batch.random[-2:]}.{n}") for n in range(5)]
        )
        pipe.service.refused |= set(keys[:2])
        pipe.start(batch)
        pipe.drain()
    pipe.service.refused = set()

    reports = [pipe.command(all=True, limit=20)]
    while reports[-1].is_cut:
        reports.append(pipe.command(all=True, limit=20, after=reports[-1].next))
    pipe.drain(rounds=200)

    assert sum(report.asked for report in reports) == 60
    assert max(report.asked for report in reports) <= 21
    assert len(reports) > 2
    assert pipe.ledger.totals() == Counts(landed=150, imported=150, jobs=30 + 60)


def test_without_time_nothing_is_begun() -> None:
    """A run that is out of time says that there is more."""
    pipe, _ = quarantined()

    report = pipe.command(all=True, for_s=0)

    assert report == Report(is_cut=True)


def test_many_single_objects_leave_room_for_new_images() -> None:
    """At most so many parts of a batch are open at once; the rest is said and can be asked for later."""
    pipe, _ = quarantined(count=640, bad=tuple(range(0, 640, 2)))

    report = pipe.command(batch=str(BATCH))

    assert (report.asked, report.left) == (MOST_PARTS, 320 - MOST_PARTS)


def test_what_is_not_quarantined_is_said() -> None:
    """Imported objects, strangers and objects that are gone are told apart, and nothing is started."""
    pipe, keys = quarantined()
    other = make_batch_id(random="f" * 12)
    del pipe.landing.rows[keys[3]]

    assert pipe.command(key=keys[0]) == Report(not_quarantined=1)
    assert pipe.command(key=make_row(BATCH, 99).key) == Report(unknown=1)
    assert pipe.command(batch=str(other)) == Report(unknown=1)
    assert pipe.command(key=keys[3]) == Report(missing=1)
    assert len(pipe.service.jobs) == 1


def test_a_batch_without_a_readable_manifest_can_be_redriven() -> None:
    """What was quarantined because nobody could read its manifest is imported by its folders."""
    pipe = FakePipeline()
    pipe.land(BATCH, 3)
    pipe.landing.documents[BATCH.manifest_key] = b"{"
    with pytest.raises(ValueError, match="not a manifest"):
        pipe.start(BATCH, 3)
    pipe.drain()

    report = pipe.command(batch=str(BATCH))
    pipe.drain()

    assert report == Report(asked=3, parts=1)
    assert pipe.ledger.totals() == Counts(landed=3, imported=3, jobs=1)


def test_what_is_too_big_is_answered_without_a_job() -> None:
    """A redrive of what no job can take ends where it was."""
    pipe = FakePipeline(quota=JobQuota(max_bytes=1001))
    keys = pipe.land(BATCH, 3)
    pipe.start(BATCH)
    pipe.drain()

    report = pipe.command(key=keys[2])
    pipe.drain()

    assert report.asked == 1
    assert pipe.ledger.totals() == Counts(landed=3, imported=2, quarantined=1, jobs=2)
    assert pipe.ledger.stored[BATCH].state is BatchState.DONE


def test_release_lets_warned_and_apart_originals_expire() -> None:
    """A batch's release tags whatever is imported of it, never what is quarantined, and says who."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 6)
    pipe.service.warned, pipe.service.non_primary = {keys[1]}, {keys[2]}
    pipe.service.refused = {keys[3]}
    pipe.start(BATCH)
    pipe.drain()
    before = set(pipe.landing.tagged)

    report = pipe.command("release", batch=str(BATCH))
    totals = pipe.ledger.totals()
    pipe.drain()

    assert report == Report(asked=5, parts=1, not_imported=1)
    assert before == {keys[0], keys[4], keys[5]}
    assert pipe.landing.tagged == set(keys) - {keys[3]}
    assert pipe.ledger.totals() == totals
    assert pipe.ledger.stored[BATCH].released == (0, 1, 2, 4, 5)
    assert pipe.ledger.stored[BATCH].state is BatchState.DONE
    assert [(r.operator, r.numbers) for r in pipe.landing.releases] == [("j.doe", (0, 1, 2, 4, 5))]
    assert pipe.ledger.releases == pipe.landing.releases
    assert pipe.telemetry.metrics[Metric.INSTANCES_RELEASED] == 5


def test_release_of_one_conflicting_original() -> None:
    """An original that differs from another of its UID stays until it is released by its key."""
    pipe = FakePipeline()
    first, second = make_batch_id(random="1" * 12), make_batch_id(random="2" * 12)
    pipe.land(first, [make_row(first, 0, uid="1.2.3")])
    keys = pipe.land(second, [make_row(second, 0, uid="1.2.3", crc="other"), make_row(second, 1)])
    for batch in (first, second):
        pipe.start(batch)
        pipe.drain()
    assert keys[0] not in pipe.landing.tagged

    pipe.command("release", key=keys[0])
    pipe.drain()

    assert keys[0] in pipe.landing.tagged
    assert pipe.ledger.stored[second].released == (0,)


def test_release_is_done_once() -> None:
    """A release that is asked for twice, under way or done, is one release."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.service.warned = {keys[1]}
    pipe.start(BATCH)
    pipe.drain()

    pipe.command("release", key=keys[1])
    again = pipe.command("release", key=keys[1])
    pipe.drain()
    done = pipe.command("release", key=keys[1])

    assert again == done == Report(under_way=1)
    assert len(pipe.landing.releases) == 1


def test_a_release_whose_message_is_lost_is_brought_by_sweep() -> None:
    """Sweep asks after a release as after any job."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.service.warned = {keys[1]}
    pipe.start(BATCH)
    pipe.drain()
    pipe.command("release", key=keys[1])
    pipe.queues.outcomes.clear()

    pipe.settle()

    assert keys[1] in pipe.landing.tagged


def test_a_release_while_a_rival_writes_is_repeated() -> None:
    """A commit that lost a race is made again on what the rival left."""
    pipe = FakePipeline()
    keys = pipe.land(BATCH, 2)
    pipe.service.warned = {keys[1]}
    pipe.start(BATCH)
    pipe.drain()
    pipe.ledger.conflicts_to_come = 1
    pipe.command("release", key=keys[1])
    pipe.ledger.conflicts_to_come = 1
    pipe.drain()

    assert pipe.ledger.stored[BATCH].released == (1,)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "action"),
        ({"action": "delete"}, "action"),
        ({"action": "redrive", "operator": "a"}, "name one of"),
        ({"action": "redrive", "operator": "a", "all": True, "batch": str(BATCH)}, "name one of"),
        ({"action": "release", "operator": "a", "all": True}, "not everything"),
        ({"action": "redrive", "all": True}, "operator"),
        ({"action": "redrive", "operator": "a\nb", "all": True}, "operator"),
        ({"action": "redrive", "operator": "x" * 129, "all": True}, "operator"),
        ({"action": "redrive", "operator": "a", "batch": "../x"}, "not a batch id"),
        ({"action": "redrive", "operator": "a", "key": "refused/x.dcm"}, "landed instance"),
        ({"action": "redrive", "operator": "a", "all": True, "limit": 0}, "limit"),
        ({"action": "redrive", "operator": "a", "all": True, "limit": True}, "limit"),
    ],
)
def test_what_is_no_command_is_refused(event: dict[str, object], message: str) -> None:
    """An event that does not say clearly what to do, to what and who asks changes nothing."""
    with pytest.raises(InvalidCommandError, match=message):
        Command.parse(event)


def test_the_operator_may_stand_in_the_widgets_form() -> None:
    """A button of the dashboard sends the form's field."""
    command = Command.parse(
        {
            "action": "redrive",
            "batch": str(BATCH),
            "widgetContext": {"forms": {"all": {"operator": "j.doe"}}},
        }
    )

    assert command == Command(action=Action.REDRIVE, operator="j.doe", batch=str(BATCH))


def test_a_cover_touches_nothing_else() -> None:
    """The prefixes of a redrive hold exactly the chosen objects, in jobs within the quota."""
    sizes = {f"{n // 4:02d}/{n:04d}/x.dcm": 10 for n in range(16)}
    chosen = [key for n, key in enumerate(sizes) if n < 8 or n == 13]

    wanted = [w.prefix for w in plan_redrive(sizes, chosen, JobQuota())]
    tight = [w.prefix for w in plan_redrive(sizes, chosen, JobQuota(max_bytes=20))]

    assert wanted == ["00/", "01/", "03/0013/"]
    assert tight == [f"{n // 4:02d}/{n:04d}/" for n in (*range(8), 13)]
    assert [w.prefix for w in plan_redrive(sizes, list(sizes), JobQuota())] == [""]


def test_reports_add_up() -> None:
    """Numbers are added; where to go on is the caller's."""
    assert Report(asked=1, left=2) + Report(asked=2, missing=1) == Report(
        asked=3, left=2, missing=1
    )
    assert replace(Report(), next="x", is_cut=True).document()["complete"] is False
