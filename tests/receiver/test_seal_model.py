"""The seal protocol as a state machine: workers that die anywhere, PUTs without an answer, Sweep.

The code under test is the landing's own (batches, journals, seals) with a storage and a clock that the
model moves. Death is an exception that no code of ours may catch on its way: it strikes before or after
any effect on the storage, and what the process held is then gone, except the parent's memory files.

What must hold, whatever happened:

- Every acknowledged instance is an object in the storage.
- It is in exactly one manifest, or it lies in no manifest and Sweep finds it when its batch's lease and
  the margin are over.
- Nothing is acknowledged after the lease of its batch.
- A manifest, once there, never changes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contract.keys import BatchId, InstanceKey
from contract.manifest import Manifest, Row, Sealer
from contract.reasons import WireReason
from receiver.batch import Batches
from receiver.journal import make_journals, open_journals
from receiver.landing import BatchedLanding
from receiver.memory import MINIMUM_BYTES, Memory
from receiver.ports import StoreError
from receiver.recent import RecentContents
from tests.receiver.fake_storage import (
    IDENTITY,
    ORIGIN,
    FakeClock,
    FakeCounters,
    FakeLog,
    FakeSink,
    receive,
)

pytestmark = pytest.mark.slow

SWEEP_MARGIN_S = 600
GIANT = bytes(16_800_000)
SLOTS = 3
WORKERS = 2


class Killed(BaseException):
    """The worker's process ended here."""


class Worker:
    """A slot of the task: the parent's memory files and the process that serves it now."""

    def __init__(self, sink: FakeSink, clock: FakeClock, recent: RecentContents) -> None:
        self._sink = sink
        self._recent = recent
        self._clock = clock
        self.fds = make_journals(SLOTS)
        self.start()

    def start(self) -> None:
        """Begin with nothing but the memory files."""
        self.landing = BatchedLanding(
            sink=self._sink,
            memory=Memory(MINIMUM_BYTES),
            batches=Batches(age_s=60, idle_s=10, lease_s=120, slots=SLOTS),
            journals=open_journals(self.fds),
            recent=self._recent,
            counters=FakeCounters(),
            log=FakeLog(),
            store_deadline_s=25,
            clock=self._clock,
            monotonic=self._clock,
        )


def _answers(*kinds: str) -> st.SearchStrategy[str]:
    return st.sampled_from(kinds)


# Most end well: else there is nothing to lose.
PUT_ENDS = _answers(
    "stored",
    "stored",
    "stored",
    "stored",
    "refused",
    "lost answer",
    "late",
    "killed before",
    "killed after",
)
AGAIN = st.sampled_from([False, False, True])
SEAL_ENDS = _answers("stored", "refused", "lost answer", "killed before", "killed after")


class SealProtocol(RuleBasedStateMachine):
    """Two workers of one task, one storage, Sweep."""

    @initialize()
    def begin(self) -> None:
        """Start the task."""
        self.clock = FakeClock()
        self.sink = FakeSink()
        recent = RecentContents(sets=4, clock=self.clock)
        self.workers = [Worker(self.sink, self.clock, recent) for _ in range(WORKERS)]
        self.sent = 0
        self.contents: set[bytes] = set()
        self.acked: set[str] = set()
        self.manifests: dict[str, bytes] = {}

    @rule(worker=st.integers(0, WORKERS - 1), end=PUT_ENDS, again=AGAIN)
    def store(self, *, worker: int, end: str, again: bool) -> None:
        """A sender's instance, or its retry of the last, ends in one of the ways an instance can."""
        self._store(worker, end, b"x", again=again)

    @rule(worker=st.integers(0, WORKERS - 1), end=PUT_ENDS, again=AGAIN)
    def store_giant(self, *, worker: int, end: str, again: bool) -> None:
        """The same for one that is uploaded in parts."""
        self._store(worker, end, GIANT, again=again)

    @rule(worker=st.integers(0, WORKERS - 1), end=SEAL_ENDS, later=st.sampled_from([0, 11, 61]))
    def tick(self, worker: int, end: str, later: int) -> None:
        """A worker seals what is due; the PUT of the manifest ends in one of its ways."""
        self.clock.now += later
        self._with(end, "batches/", worker, self.workers[worker].landing.seal_due)

    @rule(seconds=st.sampled_from([1, 9, 59, 121, 700, 22_300]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.now += seconds

    @rule(worker=st.integers(0, WORKERS - 1))
    def die(self, worker: int) -> None:
        """A worker is killed while it does nothing; its replacement starts."""
        self._replace(worker)

    @rule()
    def sweep(self) -> None:
        """Sweep adopts what a lease and the margin left without a manifest."""
        orphans: dict[BatchId, list[str]] = {}
        named = set(self._named())
        for key in self.sink.under("incoming/"):
            batch = InstanceKey.parse(key).batch
            if self.clock.now >= batch.deadline + SWEEP_MARGIN_S and key not in named:
                orphans.setdefault(batch, []).append(key)
        for batch, keys in orphans.items():
            if batch.manifest_key not in self.sink.objects:
                self._adopt(batch, keys)

    @invariant()
    def every_ack_is_an_object(self) -> None:
        """Acknowledged means durable."""
        assert self.acked <= set(self.sink.objects)

    @invariant()
    def no_instance_is_in_two_manifests(self) -> None:
        """Each is imported by one job."""
        assert all(count == 1 for count in Counter(self._named()).values())

    @invariant()
    def manifests_never_change(self) -> None:
        """The first writer wins."""
        now = {key: self.sink.objects[key] for key in self.sink.under("batches/")}
        assert self.manifests.items() <= now.items()
        self.manifests = now

    @invariant()
    def a_manifest_names_objects_that_exist(self) -> None:
        """No job is told of an instance that is not there."""
        assert set(self._named()) <= set(self.sink.objects)

    def teardown(self) -> None:
        """At rest every acknowledged instance is in exactly one manifest."""
        self._answer_normally()
        for worker in self.workers:
            worker.start()
            worker.landing.recover()
        named = set(self._named())
        # What no manifest names, of a batch that has one, is what Sweep re-batches: a landed object that
        # no job named. For an acknowledged one this may only be when Sweep sealed its batch.
        by_sweep = {
            manifest.batch for manifest in self._decoded() if manifest.sealed_by is Sealer.SWEEP
        }
        left = {key for key in self.acked - named if InstanceKey.parse(key).batch not in by_sweep}
        for worker in self.workers:
            for fd in worker.fds:
                os.close(fd)
        assert set() == left

    def _store(self, worker: int, end: str, kind: bytes, *, again: bool) -> None:
        landing = self.workers[worker].landing
        self.sent += not again
        data = self.sent.to_bytes(2, "big") + kind

        def send() -> None:
            assembly = landing.begin(IDENTITY, ORIGIN)
            try:
                receive(assembly, data, chunk=1 << 20)
                before = self._rows(worker)
                is_new = assembly.commit()
            except StoreError:
                assembly.discard()
                return
            if not is_new:
                assert data[:2] + kind[:1] in self.contents, "answered again, and never stored"
                assert self._rows(worker) == before
                return
            self.contents.add(data[:2] + kind[:1])
            (row,) = self._rows(worker) - before
            key = Row.decode(json.loads(row)).key
            assert self.clock.now < InstanceKey.parse(key).batch.deadline, "acked after its lease"
            self.acked.add(key)

        self._with(end, "incoming/", worker, send)

    def _rows(self, worker: int) -> set[bytes]:
        found = [journal.read() for journal in open_journals(self.workers[worker].fds)]
        return {row for journal in found if journal is not None for row in journal.rows}

    def _with(self, end: str, prefix: str, worker: int, act: Callable[[], None]) -> None:
        """Do something while the storage answers PUTs below `prefix` by `end`."""

        def raises(error: BaseException) -> Callable[[str], None]:
            def answer(key: str) -> None:
                if key.startswith(prefix):
                    raise error

            return answer

        refused = StoreError(WireReason.STORAGE_FAILED, "SlowDown")
        if end == "refused":
            self.sink.before = raises(refused)
        elif end == "lost answer":
            self.sink.after = raises(refused)
        elif end == "late":
            self.sink.after = self._much_later
        elif end == "killed before":
            self.sink.before = raises(Killed())
        elif end == "killed after":
            self.sink.after = raises(Killed())
        try:
            act()
        except Killed:
            self._answer_normally()
            self._replace(worker)
        finally:
            self._answer_normally()

    def _much_later(self, _: str) -> None:
        self.clock.now += 22_000

    def _answer_normally(self) -> None:
        self.sink.before = self.sink.after = lambda _: None

    def _replace(self, worker: int) -> None:
        self.workers[worker].start()
        self.workers[worker].landing.recover()

    def _decoded(self) -> list[Manifest]:
        return [Manifest.decode(self.sink.objects[key]) for key in self.sink.under("batches/")]

    def _named(self) -> list[str]:
        return [row.key for manifest in self._decoded() for row in manifest.rows]

    def _adopt(self, batch: BatchId, keys: list[str]) -> None:
        rows = tuple(
            Row(
                key=key,
                sop_instance_uid="1.2.3.4",
                sop_class_uid="1.2",
                transfer_syntax_uid="1.2",
                size=len(self.sink.objects[key]),
                crc64nvme="",
            )
            for key in keys
        )
        manifest = Manifest(
            batch=batch, sealed_at=self.clock.now, sealed_by=Sealer.SWEEP, rows=rows
        )
        self.sink.objects[batch.manifest_key] = manifest.encode()


TestSealProtocol = SealProtocol.TestCase
TestSealProtocol.settings = settings(
    max_examples=80,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
