"""The protocol half of the receiver on a loopback port, over an in-memory landing that records."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from contract.reasons import WireReason
from receiver.association import AssociationContext, serve
from receiver.deadlines import Watchdog
from receiver.ports import Identity, Landing, Origin, StoreError
from receiver.settings import Settings

META = b"[meta]"


@dataclass
class MemoryAssembly:
    """A `ports.Assembly` that keeps its bytes; its blocks are small so that every seam is crossed."""

    landing: MemoryLanding
    identity: Identity
    origin: Origin
    data: bytearray = field(default_factory=lambda: bytearray(META))
    identified: Identity | None = None
    ended: str = ""

    def space(self, wanted: int) -> memoryview:
        """Return a small block of fresh memory."""
        if self.landing.space_error is not None:
            raise self.landing.space_error
        self._view = memoryview(bytearray(min(self.landing.block, wanted)))
        return self._view

    def advance(self, count: int) -> None:
        """Keep what was received."""
        self.data += self._view[:count]

    @property
    def size(self) -> int:
        """Bytes kept, the meta included."""
        return len(self.data)

    def identify(self, identity: Identity) -> None:
        """Remember what the header said."""
        self.identified = identity

    def commit(self) -> bool:
        """End as committed, after `landing.on_commit`."""
        assert not self.ended
        self.ended = "committed"
        self.landing.on_commit(self)
        self.landing.committed.append(self)
        return True

    def refuse(self, reason: WireReason, detail: str) -> None:
        """End as refused."""
        assert not self.ended
        self.ended = "refused"
        self.landing.refused.append((self, reason, detail))

    def discard(self) -> None:
        """End as discarded."""
        assert not self.ended
        self.ended = "discarded"
        self.landing.discarded.append(self)

    @property
    def dataset(self) -> bytes:
        """What was received."""
        return bytes(self.data[len(META) :])


class MemoryLanding:
    """A `ports.Landing` in memory."""

    def __init__(self) -> None:
        self.block = 4096
        self.committed: list[MemoryAssembly] = []
        self.refused: list[tuple[MemoryAssembly, WireReason, str]] = []
        self.discarded: list[MemoryAssembly] = []
        self.space_error: StoreError | None = None
        self.on_commit: Callable[[MemoryAssembly], None] = lambda _assembly: None

    files = None

    def store_file(self, *_arguments: object) -> bool:
        """Nothing comes by the part in C."""
        raise AssertionError

    def resume(self, *_arguments: object) -> MemoryAssembly:
        """Nothing comes by the part in C."""
        raise AssertionError

    def begin(self, identity: Identity, origin: Origin) -> MemoryAssembly:
        """Start an instance."""
        return MemoryAssembly(self, identity, origin)

    def tick(self) -> None:
        """Nothing is batched."""

    def recover(self) -> None:
        """Nothing outlives it."""

    def close(self, timeout_s: float) -> bool:
        """Nothing is open."""
        return timeout_s >= 0


class Record:
    """`ports.Log`, `ports.Counters` and `ports.AssociationLimit` that remember."""

    is_debug = True

    def __init__(self, limit: int = 100) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.counts: dict[str, int] = {}
        self.limit = limit
        self.open = 0
        self.least_open = 0
        self._lock = threading.Lock()

    def debug(self, event: str, **fields: object) -> None:
        """Remember an event."""
        self.events.append((event, fields))

    info = warning = error = debug

    def add(self, name: str, value: int = 1) -> None:
        """Count."""
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + value

    def add_reason(self, reason: WireReason) -> None:
        """Count a reason."""
        self.add(f"reason:{reason.value}")

    def add_stored(self, size: int, latency_s: float) -> None:
        """Count, and check that time went forward."""
        assert latency_s >= 0
        self.add("acked")
        self.add("bytes_stored", size)

    def try_enter(self, origin: Origin) -> WireReason | None:
        """Enter below the limit."""
        assert origin.calling_ae_title
        with self._lock:
            if self.open >= self.limit:
                return WireReason.LIMIT
            self.open += 1
            return None

    def leave(self, origin: Origin) -> None:
        """Leave."""
        assert origin.calling_ae_title
        with self._lock:
            self.open -= 1
            self.least_open = min(self.open, self.least_open)

    @property
    def totals(self) -> dict[str, int]:
        """The counts that are not by reason."""
        return {name: n for name, n in self.counts.items() if not name.startswith("reason:")}

    def reasons(self, event: str) -> list[str]:
        """Return the reasons of all events of this name."""
        return [fields["reason"] for name, fields in self.events if name == event]


def context_of(
    settings: Settings,
    landing: Landing,
    record: Record,
    *,
    watchdog: Watchdog,
    draining: threading.Event,
    cutting: threading.Event,
    on_associated: Callable[[], None] = lambda: None,
    committer: bytes | None = None,
) -> AssociationContext:
    """Return what an association needs, with `record` for everything that counts, limits and logs."""
    return AssociationContext(
        settings=settings,
        landing=landing,
        limit=record,
        counters=record,
        log=record,
        watchdog=watchdog,
        draining=draining,
        cutting=cutting,
        on_associated=on_associated,
        committer=committer,
    )


class LoopbackScp:
    """A listener thread that serves each connection by `association.serve` on a thread of its own."""

    def __init__(self, *, limit: int = 100, **settings: Any) -> None:
        self.settings = Settings(landing_url="file:///unused", scp_port=0, **settings)
        self.landing = MemoryLanding()
        self.record = Record(limit)
        self.watchdog = Watchdog(interval_s=0.02)
        self.draining = threading.Event()
        self.cutting = threading.Event()
        self.associated = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self.watchdog.start()
        self._acceptor.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        self.watchdog.stop()
        assert self.record.open == self.record.least_open == 0

    def cut(self) -> None:
        """Do what a worker does to cut."""
        self.cutting.set()
        self.watchdog.interrupt_idle()

    def _on_associated(self) -> None:
        self.associated += 1

    def _accept(self) -> None:
        context = context_of(
            self.settings,
            self.landing,
            self.record,
            watchdog=self.watchdog,
            draining=self.draining,
            cutting=self.cutting,
            on_associated=self._on_associated,
        )
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(connection, address[0], context))
            thread.start()
            self._threads.append(thread)


def wait_until(claim: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until `claim` returns something true."""
    until = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.005)
