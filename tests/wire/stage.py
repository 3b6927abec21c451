"""The receivers that rows are played against, and what holds after each row."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deadline import wait_until
from tests.landed import Landed
from tests.processes import MIB, PeakMemory, descriptor_count, pss_bytes, thread_count
from tests.receiver import wire
from tests.receiver_process import ReceiverProcess, running_receiver
from tests.wire.datasets import sent
from tests.wire.peer import HONEST, RELEASED, Peer, status
from tests.wire.row import PROPOSAL, Line, Row, Sent, Use
from tests.wire.rows_tls import honest, hospital

GROWTH_BYTES = 48 * MIB
"""What may be warm afterwards: buffers of two workers, allocators, tables."""
HONEST_S = 2.0
"""An honest C-STORE after each row takes no longer, from connecting to the end of its release."""
SETTINGS: dict[Use, dict[str, object]] = {
    Use.OPEN: {"MEMORY_MIB": 512},
    Use.STRICT: {
        "WORKERS": 1,
        "REQUIRE_CALLED_AE_TITLE": "true",
        "REQUIRE_CALLING_AE_TITLE": "TEST,CT2",
        "SUPPORTED_SOP_CLASS_UIDS": wire.CT.decode(),
        "MAXIMUM_ASSOCIATIONS": 2,
    },
    Use.TLS: {},
    Use.DRAINING: {"WORKERS": 1},
}
"""What differs from the defaults; certificates are made when the receiver is."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a receiver hold."""

    threads: int
    descriptors: int
    memory_bytes: int


@dataclass(slots=True, eq=False)
class Stage:
    """A running receiver and what was played against it.

    Attributes:
        tls: What honest senders speak TLS by; plain without.
        held: An association that was opened before the receiver was told to stop.
        base: What it used before the first row.
        peak: Watches its memory; not of one that is to end.
        cases: Addresses of the rows played.
        acked: Every instance that was answered with Success.
    """

    receiver: ReceiverProcess
    landed: Landed
    tls: ssl.SSLContext | None = None
    held: Peer | None = None
    base: Usage = field(init=False)
    peak: PeakMemory | None = None
    cases: dict[str, Row] = field(default_factory=dict)
    acked: list[Sent] = field(default_factory=list)

    def usage(self) -> Usage:
        """Return what the receiver uses now, but for the folders that the file sink keeps open."""
        pids = self.receiver.pids
        return Usage(
            thread_count(pids), descriptor_count(pids, outside=self.landed.root), pss_bytes(pids)
        )

    def is_at_rest(self) -> bool:
        """Return whether it holds no more than before the first row."""
        now, base = self.usage(), self.base
        return (
            now.threads <= base.threads
            and now.descriptors <= base.descriptors
            and now.memory_bytes < base.memory_bytes + GROWTH_BYTES
        )

    def said(self) -> Counter[str]:
        """Return how many log lines give each reason."""
        return Counter(line["reason"] for line in self.all_lines())

    def reported(self) -> Counter[str]:
        """Return how often each reason is counted in the metrics' lines."""
        counted: Counter[str] = Counter()
        for event in self.receiver.events("metrics"):
            for name, value in event.items():
                if name.startswith("reason:"):
                    counted[name.removeprefix("reason:")] += value
        return counted

    def reasons(self) -> Counter[str]:
        """Return how often each reason was counted."""
        return Counter(self.receiver.get("/status")[1]["reasons"])

    def lines(self, address: str) -> list[dict[str, Any]]:
        """Return the log lines with a reason that name a peer."""
        return [event for event in self.all_lines() if event.get("peer") == address]

    def all_lines(self) -> list[dict[str, Any]]:
        """Return every log line with a reason."""
        return [event for event in self.receiver.all_events() if "reason" in event]

    def objects(self) -> int:
        """Return how many instances have landed."""
        return len(self.landed.keys())

    def talk(self, row: Row, address: str) -> tuple[Sent, ...]:
        """Play a row's peer and check its answers; return what was answered with Success."""
        with Peer(self.receiver.port, address, timeout_s=max(15.0, row.within_s)) as peer:
            if row.play is not None:
                return (*row.acked, *(row.play(peer) or ()))
            if row.proposal is not None:
                peer.send(row.proposal)
                assert peer.answer().what == "A-ASSOCIATE-AC"
            began = time.monotonic()
            _send_whatever_happens(peer, row.send)
            assert [peer.answer() for _ in row.answers] == list(row.answers)
            assert time.monotonic() - began < row.within_s
            if row.goes_on:
                self.store_and_release(peer)
            return row.acked

    def store_and_release(self, peer: Peer) -> None:
        """Store a good instance on an open association and release it."""
        one = sent()
        peer.send(one.pdus(99) + wire.RELEASE)
        assert [peer.answer(), peer.answer()] == [status(0), RELEASED]
        self.acked.append(one)

    def be_honest(self) -> None:
        """Store an honest instance, which must not take long whatever came before."""
        began = time.monotonic()
        if self.held is not None:
            one = sent()
            self.held.send(one.pdus(1))
            assert self.held.answer() == status(0)
            self.acked.append(one)
        else:
            with Peer(self.receiver.port, HONEST, tls=self.tls) as peer:
                peer.send(PROPOSAL)
                assert peer.answer().what == "A-ASSOCIATE-AC"
                self.store_and_release(peer)
        assert time.monotonic() - began < HONEST_S

    def expect_lines(self, row: Row, address: str) -> None:
        """Wait for the row's log lines; there must be these and no others."""

        def said() -> list[Line]:
            return [Line(line["event"], line["reason"]) for line in self.lines(address)]

        if row.logs:
            wait_until(lambda: len(said()) >= len(row.logs), f"{row.logs}", within_s=5)
        assert said() == list(row.logs)

    def expect_landed(self, row: Row, acked: int, objects: int, kept: int) -> None:
        """Wait for what must be there after the row, where `objects` and `kept` were before."""
        allowed = row.objects or (acked,)
        goes_on = 1 if row.goes_on else 0
        wanted = [objects + count + goes_on for count in allowed]
        wait_until(lambda: self.objects() in wanted, f"{wanted} objects", within_s=5)
        assert len(self.landed.refusals()) - kept == row.kept

    def end(self) -> None:
        """Let a draining receiver finish: it ends by itself when the association is released."""
        assert self.held is not None
        self.held.send(wire.RELEASE)
        assert self.held.answer() == RELEASED
        assert self.receiver.wait() == 0

    def expect_digests(self) -> None:
        """Wait until manifests name every acknowledged instance, and its bytes are what was sent."""
        acked = {
            (one.uid.rstrip(b"\0 ").decode(), hashlib.sha256(one.dataset).hexdigest())
            for one in self.acked
        }
        wait_until(lambda: acked <= self.landed.digests(), "sealed", within_s=30)


class Theatre:
    """Every receiver, started when first needed, and the slow rows beside the others."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._stages: dict[Use, Stage] = {}
        self._slow: dict[str, Future[tuple[Sent, ...]]] = {}
        self._threads = stack.enter_context(ThreadPoolExecutor(16))

    @property
    def stages(self) -> list[Stage]:
        """Those that were used."""
        return list(self._stages.values())

    @property
    def running(self) -> list[Stage]:
        """Those that still run."""
        return [stage for stage in self.stages if stage.receiver.is_running]

    def stage(self, use: Use) -> Stage:
        """Return the receiver for `use`."""
        if use not in self._stages:
            self._stages[use] = self._open(use)
        return self._stages[use]

    def start_slow(self, row: Row, address: str) -> None:
        """Begin a slow row on a thread of its own."""
        stage = self.stage(row.use)
        self._slow[address] = self._threads.submit(stage.talk, row, address)

    def play(self, row: Row, address: str) -> None:
        """Play a row, or wait for its end, and hold what must be true after it."""
        stage = self.stage(row.use)
        stage.cases[address] = row
        if row.slow:
            self._slow[address].result(60)
            stage.expect_lines(row, address)
        else:
            objects, kept = stage.objects(), len(stage.landed.refusals())
            counted = stage.reasons()
            acked = stage.talk(row, address)
            stage.acked += acked
            stage.expect_lines(row, address)
            stage.expect_landed(row, len(acked), objects, kept)
            counted = stage.reasons() - counted
            assert not Counter(line.reason for line in row.logs) - counted
        stage.be_honest()
        if row.use is Use.DRAINING:
            stage.end()

    def _open(self, use: Use) -> Stage:
        directory = self._directory / use.name
        directory.mkdir()
        settings = {"LOG_LEVEL": "DEBUG", "METRICS_INTERVAL": 1, "BATCH_IDLE": 1, **SETTINGS[use]}
        if use is Use.TLS:
            settings |= hospital().settings
        receiver = self._stack.enter_context(running_receiver(directory, **settings))
        stage = Stage(receiver, Landed(directory), honest() if use is Use.TLS else None)
        for _ in range(4):  # each worker has served once: imports, pools and threads are there
            stage.be_honest()
        if use is Use.DRAINING:
            stage.held = self._stack.enter_context(Peer(receiver.port, HONEST))
            stage.held.send(PROPOSAL)
            assert stage.held.answer().what == "A-ASSOCIATE-AC"
            receiver.terminate()
            receiver.wait_event("draining")
        else:
            stage.peak = self._stack.enter_context(PeakMemory(receiver.pids, every_s=0.5))
        stage.base = stage.usage()
        return stage


@contextmanager
def open_theatre(directory: Path) -> Iterator[Theatre]:
    """Lend a theatre whose receivers land below `directory`; they are stopped with all checks."""
    with ExitStack() as stack:
        yield Theatre(stack, Path(stack.enter_context(tempfile.TemporaryDirectory(dir=directory))))


def _send_whatever_happens(peer: Peer, content: bytes) -> None:
    """Send; a receiver that has heard enough may close before the end, its answer is read anyway."""
    try:
        peer.send(content)
    except ConnectionError:
        return
