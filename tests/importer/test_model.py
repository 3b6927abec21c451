"""Whatever is lost, repeated or reordered: the same end, and the sums are exact at every moment."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.keys import BatchId
from contract.states import BatchState, InstanceState
from importer.domain.counts import Counts
from importer.domain.errors import RetryLaterError
from importer.domain.messages import announced_batches, inquiry_of
from tests.importer.builders import make_batch_id, make_manifest, make_row
from tests.importer.fake_pipeline import FakePipeline

BATCHES = tuple(make_batch_id(random=f"{n:012x}") for n in range(3))
SIZE = 5

FATES = st.sampled_from(
    ["imported"] * 4 + ["warned", "non_primary", "refused", "omitted", "poison"]
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "announce",
                "whole_way",
                "job",
                "event",
                "event",
                "message",
                "drop_message",
                "repeat_message",
                "sweep",
                "throttle",
                "conflict",
                "late_output",
                "late_object",
                "redrive",
                "redrive_all",
                "seal",
                "wait",
            ]
        ),
        st.integers(0, 99),
    ),
    max_size=60,
)


class World:
    """The pipeline with everything around it under the test's control."""

    def __init__(self, fates: list[str], sealed: list[bool]) -> None:
        self.pipe = FakePipeline()
        self.expected: dict[str, InstanceState] = {}
        self.late = {batch: make_row(batch, SIZE) for batch in BATCHES}
        for at, batch in enumerate(BATCHES):
            rows = [make_row(batch, n) for n in range(SIZE)]
            self.pipe.landing.land(rows)
            if sealed[at]:
                self.pipe.landing.seal(make_manifest(batch, rows))
            for row, fate in zip(rows, fates[at * SIZE :], strict=False):
                self._destine(row.key, fate)

    def _destine(self, key: str, fate: str) -> None:
        state = {
            "imported": InstanceState.IMPORTED,
            "warned": InstanceState.IMPORTED_WITH_WARNING,
            "non_primary": InstanceState.IMPORTED_NON_PRIMARY,
        }.get(fate, InstanceState.QUARANTINED)
        self.expected[key] = state
        if fate != "imported":
            getattr(self.pipe.service, fate).add(key)

    def act(self, action: str, number: int) -> None:
        # The queue would bring a failed message back; here it is lost.
        with suppress(RetryLaterError):
            getattr(self, f"do_{action}")(number)
        self.check()

    def do_announce(self, number: int) -> None:
        batch = BATCHES[number % len(BATCHES)]
        if batch.manifest_key in self.pipe.landing.documents:
            self.pipe.start(batch)

    def do_whole_way(self, number: int) -> None:
        self.do_announce(number)
        for job_id in self.pipe.service.run_jobs():
            self.pipe.record(job_id)

    def do_job(self, number: int) -> None:
        running = [j.job_id for j in self.pipe.service.jobs.values() if not j.status.has_ended]
        if running:
            self.pipe.service.run_job(running[number % len(running)])

    def do_event(self, number: int) -> None:
        jobs = list(self.pipe.service.jobs)
        if jobs:
            self.pipe.record(jobs[number % len(jobs)])

    def do_message(self, number: int) -> None:
        self._message(number, keep=False)

    def do_repeat_message(self, number: int) -> None:
        self._message(number, keep=True)

    def _message(self, number: int, *, keep: bool) -> None:
        queue = self.pipe.queues.imports if number % 2 else self.pipe.queues.outcomes
        if not queue:
            return
        body = queue[number % len(queue)]
        if not keep:
            queue.remove(body)
        if number % 2:
            for batch in announced_batches(body):
                self.pipe.start(batch)
        else:
            inquiry = inquiry_of(body)
            assert inquiry is not None
            self.pipe.record_outcome.run(inquiry)

    def do_drop_message(self, number: int) -> None:
        queue = self.pipe.queues.imports if number % 2 else self.pipe.queues.outcomes
        if queue:
            queue.pop(number % len(queue))

    def do_sweep(self, _number: int) -> None:
        self.pipe.sweep()

    def do_throttle(self, number: int) -> None:
        self.pipe.service.throttle = number % 3

    def do_conflict(self, number: int) -> None:
        self.pipe.ledger.conflicts_to_come = number % 3

    def do_late_output(self, number: int) -> None:
        outputs = self.pipe.service.outputs
        if outputs:
            outputs.pop(list(outputs)[number % len(outputs)])

    def do_late_object(self, number: int) -> None:
        batch = BATCHES[number % len(BATCHES)]
        row = self.late[batch]
        if row.key not in self.expected:
            self.pipe.landing.land([row])
            self._destine(row.key, "imported")

    def do_redrive(self, number: int) -> None:
        self.pipe.command(batch=str(BATCHES[number % len(BATCHES)]))

    def do_redrive_all(self, number: int) -> None:
        self.pipe.command(all=True, limit=1 + number % 5)

    def do_seal(self, number: int) -> None:
        batch = BATCHES[number % len(BATCHES)]
        rows = [make_row(batch, n) for n in range(SIZE)]
        self.pipe.landing.seal(make_manifest(batch, rows))

    def do_wait(self, number: int) -> None:
        self.pipe.clock.now += 20 * number

    def check(self) -> None:
        """The totals are the sum of the batches' own counts, at every moment."""
        ledger = self.pipe.ledger
        counts = [batch.counts for batch in ledger.stored.values()]
        assert sum(counts, Counts()) == ledger.totals()

    def states(self) -> dict[str, InstanceState]:
        """The state of every object, by key, from the batches."""
        found: dict[str, InstanceState] = {}
        for batch in self.pipe.ledger.stored.values():
            assert batch.state is BatchState.DONE
            found.update(zip(self._keys(batch.id), batch.states, strict=True))
        return found

    def _keys(self, batch_id: BatchId) -> tuple[str, ...]:
        batch = self.pipe.ledger.stored[batch_id]
        rows = self.pipe.landing.manifest(batch_id).rows
        return batch.keys([row.key for row in rows])


@settings(max_examples=150, deadline=None)
@given(
    fates=st.lists(FATES, min_size=3 * SIZE, max_size=3 * SIZE),
    sealed=st.lists(st.booleans(), min_size=3, max_size=3),
    actions=ACTIONS,
)
def test_the_end_does_not_depend_on_the_way(
    fates: list[str], sealed: list[bool], actions: list[tuple[str, int]]
) -> None:
    """Every object ends in the state that HealthImaging gave it, and the sums count objects."""
    world = World(fates, sealed)
    for action, number in actions:
        world.act(action, number)
    world.pipe.service.throttle = world.pipe.ledger.conflicts_to_come = 0

    world.pipe.settle()

    states = list(world.expected.values())
    totals = world.pipe.ledger.totals()
    assert world.states() == world.expected
    assert totals == Counts.of(states, jobs=totals.jobs)
    assert totals.jobs == len(world.pipe.service.jobs)
    quarantined = {k for k, s in world.expected.items() if s is InstanceState.QUARANTINED}
    assert world.pipe.ledger.listed.keys() == quarantined
    assert world.pipe.landing.tagged == {
        k for k, s in world.expected.items() if s is InstanceState.IMPORTED
    }
    assert world.pipe.ledger.closed[BATCHES[0].hour].landed == len(states)
