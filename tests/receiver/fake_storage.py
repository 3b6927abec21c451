"""A sink in memory whose answers a test decides, and small doubles of the landing's surroundings."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence

from awscrt.checksums import crc64nvme as crc64nvme_of

from contract.reasons import WireReason
from receiver.batch import Batches
from receiver.journal import make_journals, open_journals
from receiver.landing import BatchedLanding
from receiver.memory import BLOCK_BYTES, Memory
from receiver.ports import Identity, ObjectExistsError, Origin, StoreError
from receiver.recent import RECENT_S, RecentContents

ORIGIN = Origin(
    association_id="a1", calling_ae_title="CT1", called_ae_title="STORE", peer="10.0.0.9"
)
IDENTITY = Identity(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.2.3.4",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
)
STUDY = Identity(
    sop_class_uid=IDENTITY.sop_class_uid,
    sop_instance_uid=IDENTITY.sop_instance_uid,
    transfer_syntax_uid=IDENTITY.transfer_syntax_uid,
    study_instance_uid="1.2.3",
    series_instance_uid="1.2.3.1",
)
Answer = Callable[[str], None]


def failed(_key: str) -> None:
    """Refuse: nothing is stored."""
    raise StoreError(WireReason.STORAGE_FAILED, "SlowDown")


class FakeSink:
    """Objects in a dict; `before` and `after` storing, a test may do or raise what it likes."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.before: Answer = lambda _: None
        self.after: Answer = lambda _: None
        self.before_part: Callable[[int], None] = lambda _: None
        self.aborted: list[str] = []
        self.uploads = 0

    def put(
        self,
        key: str,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        metadata: Mapping[str, str],
        deadline: float,
    ) -> None:
        """Store what the checksum proves."""
        del deadline
        self.before(key)
        self._keep(key, b"".join(body), size, crc64nvme)
        self.metadata[key] = dict(metadata)
        self.after(key)

    def start_upload(self, key: str, metadata: Mapping[str, str], deadline: float) -> FakeUpload:
        """Start an upload."""
        del deadline
        self.before(key)
        self.uploads += 1
        self.metadata[key] = dict(metadata)
        return FakeUpload(self, key)

    def _keep(self, key: str, data: bytes, size: int, crc: int) -> None:
        if (size, crc) != (len(data), crc64nvme_of(data)):
            raise StoreError(WireReason.STORAGE_FAILED, "BadDigest")
        if key in self.objects:
            raise ObjectExistsError(WireReason.STORAGE_FAILED, "PreconditionFailed")
        self.objects[key] = data

    def under(self, prefix: str) -> list[str]:
        """Return the keys below `prefix`."""
        return sorted(key for key in self.objects if key.startswith(prefix))


class FakeUpload:
    """Parts in a dict."""

    def __init__(self, sink: FakeSink, key: str) -> None:
        self._sink = sink
        self._key = key
        self._parts: dict[int, bytes] = {}

    def add_part(
        self,
        number: int,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        deadline: float,
    ) -> None:
        """Keep a part that its checksum proves."""
        del deadline
        self._sink.before_part(number)
        data = b"".join(body)
        if (size, crc64nvme) != (len(data), crc64nvme_of(data)):
            raise StoreError(WireReason.STORAGE_FAILED, "BadDigest")
        self._parts[number] = data

    def complete(self, size: int, crc64nvme: int, deadline: float) -> None:
        """Join the parts."""
        del deadline
        data = b"".join(data for _, data in sorted(self._parts.items()))
        self._sink._keep(self._key, data, size, crc64nvme)
        self._sink.after(self._key)

    def abort(self) -> None:
        """Note it."""
        self._sink.aborted.append(self._key)


class FakeLog:
    """Events in a list."""

    is_debug = True

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        """Note it."""
        self.events.append((event, fields))

    info = warning = error = debug

    def named(self, event: str) -> list[dict[str, object]]:
        """Return the fields of each such event."""
        return [fields for name, fields in self.events if name == event]


class FakeCounters:
    """Counts in a dict."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, name: str, value: int = 1) -> None:
        """Count."""
        self.counts[name] = self.counts.get(name, 0) + value

    def add_reason(self, reason: WireReason) -> None:
        """Count."""
        self.add(reason.value)

    def add_stored(self, size: int, latency_s: float) -> None:
        """Count."""
        self.add("acked")
        self.add("bytes_stored", size)
        self.add("latency_ms", round(1000 * latency_s))


class FakeClock:
    """Unix time that a test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def forgetful() -> RecentContents:
    """Return a memory that is asked so seldom that nothing is recent: tests store the same bytes often."""
    return RecentContents(sets=1, clock=itertools.count(RECENT_S, RECENT_S).__next__)


class Bench:
    """A landing on a fake sink and clock, and what the test looks at."""

    def __init__(
        self,
        *,
        blocks: int = 256,
        slots: int = 8,
        journals: list[int] | None = None,
        recent: RecentContents | None = None,
    ) -> None:
        self.sink = FakeSink()
        self.clock = FakeClock()
        self.log = FakeLog()
        self.counters = FakeCounters()
        self.memory = Memory(blocks * BLOCK_BYTES)
        self.fds = make_journals(slots) if journals is None else journals
        self.recent = forgetful() if recent is None else recent
        self.batches = Batches(age_s=60, idle_s=10, lease_s=120, slots=slots)
        self.landing = BatchedLanding(
            sink=self.sink,
            memory=self.memory,
            batches=self.batches,
            journals=open_journals(self.fds),
            recent=self.recent,
            counters=self.counters,
            log=self.log,
            store_deadline_s=25,
            clock=self.clock,
            monotonic=self.clock,
        )

    def store(self, data: bytes, identity: Identity = IDENTITY) -> bool:
        """Receive `data` and commit it; return whether it was new."""
        assembly = self.landing.begin(identity, ORIGIN)
        receive(assembly, data)
        return assembly.commit()


def receive(assembly: object, data: bytes, *, chunk: int = 100_000, identify: bool = True) -> None:
    """Write `data` into an assembly as an association does."""
    left = memoryview(data)
    while left:
        view = assembly.space(min(chunk, len(left)))  # type: ignore[attr-defined]
        view[:] = left[: len(view)]
        left = left[len(view) :]
        assembly.advance(len(view))  # type: ignore[attr-defined]
        if identify:
            assembly.identify(STUDY)  # type: ignore[attr-defined]
            identify = False


def wait_until(claim: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until `claim` holds, with a deadline."""
    pause = threading.Event()
    for _ in range(int(timeout_s / 0.01)):
        if claim():
            return
        pause.wait(0.01)
    raise AssertionError("it never held")
