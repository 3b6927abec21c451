"""The parent: one thread on a selector that accepts, hands over, watches its workers and drains.

It never touches storage, TLS or a native client: a client used before a fork hangs every child. Signals
only write to a socket that the loop reads.
"""

from __future__ import annotations

import itertools
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from http import HTTPStatus
from types import FrameType
from typing import Any

from receiver.companion import Companion
from receiver.crew import SIGNALS, Crew, RunWorker
from receiver.dispatch import Dispatcher
from receiver.handoff import Kind
from receiver.health import Answer, HealthServer
from receiver.listener import SILENCE_S, TLS_SILENCE_S, Arrival, WaitingRoom
from receiver.logs import JsonLog
from receiver.metrics import MetricsReporter
from receiver.native import IS_NATIVE
from receiver.settings import Settings
from receiver.shared import COUNTERS, SharedCells, SlotCounters

EXIT_FAILED = 1

_TICK_S = 0.5
_ACCEPTS_PER_ROUND = 64


class Supervisor:
    """Runs the task.

    Args:
        settings: The receiver's.
        listener: The DICOM port, listening.
        health_listener: The health port, listening.
        cells: Shared memory for `settings.worker_count` workers.
        journals: Memory files of each slot.
        run_worker: Runs in each child.
        log: The parent's.
        companion: The committer; None if storage commitment is not offered.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        listener: socket.socket,
        health_listener: socket.socket,
        cells: SharedCells,
        journals: Sequence[Sequence[int]],
        run_worker: RunWorker,
        log: JsonLog,
        companion: Companion | None = None,
    ) -> None:
        self._companion = companion
        self._settings = settings
        self._listener = listener
        self._scp_port = int(listener.getsockname()[1])
        self._cells = cells
        self._log = log
        self._numbers = itertools.count(1)
        self._accepting = False
        self._was_ready = False
        self._stage: Kind | None = None
        self._stop_began = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)  # noqa: FBT003 the method has no keyword
        self._wake_write.setblocking(False)  # noqa: FBT003 the method has no keyword
        counters = SlotCounters(cells, cells.parent_slot)
        self._dispatcher = Dispatcher(counters=counters, log=log)
        self._room = WaitingRoom(
            self._selector,
            self._dispatcher.offer,
            silence_s=TLS_SILENCE_S if settings.uses_tls else SILENCE_S,
            proxy_protocol=settings.proxy_protocol,
            counters=counters,
            log=log,
        )
        self._crew = Crew(
            journals=journals,
            cells=cells,
            run_worker=run_worker,
            close_copies=self._close_copies,
            on_hello=self._say_ready,
            selector=self._selector,
            dispatcher=self._dispatcher,
            counters=counters,
            log=log,
        )
        self._health = HealthServer(health_listener, self._selector, self._answer, time.monotonic)
        self._metrics = MetricsReporter(cells, settings.stack_name, log.document)

    def run(self) -> int:
        """Run until a signal has been obeyed; return the exit code: 0 if every batch was sealed."""
        self._selector.register(
            self._wake_read, selectors.EVENT_READ, lambda _: self._read_signals()
        )
        for number in SIGNALS:
            signal.signal(number, _enqueue)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        self._crew.start()
        next_metrics = time.monotonic() + self._settings.metrics_interval_s
        while not self._crew.is_gone:
            for key, mask in self._selector.select(_TICK_S):
                key.data(mask)
            now = time.monotonic()
            self._tick(now)
            if now >= next_metrics:
                self._metrics.report()
                next_metrics = now + self._settings.metrics_interval_s
        self._metrics.report()
        self._stop_accepting()
        self._health.close()
        if self._companion is not None:
            self._companion.stop()
        self._log.info("receiver_stopped", sealed=not self._crew.failed)
        return EXIT_FAILED if self._crew.failed else 0

    def _tick(self, now: float) -> None:
        self._room.expire(now)
        self._dispatcher.expire(now)
        self._health.expire(now)
        self._crew.tick(now)
        if self._companion is not None:
            self._companion.tick(now)
        self._dispatcher.pump(self._crew.workers, now)
        if self._stage is not None:
            self._drain(now - self._stop_began)
        elif self._crew.hopeless:
            self._stop("worker_cannot_start")
        elif self._was_ready:
            self._start_accepting()  # again, where descriptors had run out

    def _read_signals(self) -> None:
        for number in self._wake_read.recv(4096):
            if number == signal.SIGCHLD:
                self._crew.reap()
            else:
                self._stop(signal.Signals(number).name)

    def _say_ready(self) -> None:
        """Once, when the last of the first workers is ready: accept, and say where."""
        if self._was_ready or not self._crew.is_complete:
            return
        self._was_ready = True
        self._start_accepting()
        self._log.info(
            "receiver_ready",
            scp_port=self._scp_port,
            health_port=self._health.port,
            worker_pids=[worker.pid for worker in self._crew.workers],
            native=IS_NATIVE,
        )

    def _close_copies(self) -> None:
        """Close a forked child's copies of what is the parent's."""
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()
        self._listener.close()
        self._health.close_copies()
        self._room.close_copies()
        self._dispatcher.close()
        if self._companion is not None:
            self._companion.close_copies()

    # Connections

    def _start_accepting(self) -> None:
        if not self._accepting and self._stage is not Kind.FINISH:
            self._accepting = True
            self._selector.register(self._listener, selectors.EVENT_READ, lambda _: self._accept())

    def _pause_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            self._selector.unregister(self._listener)

    def _stop_accepting(self) -> None:
        self._pause_accepting()
        self._listener.close()
        self._room.close()
        self._dispatcher.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_ROUND):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors or memory: the next tick tries again, the kernel's queue waits.
                errno = error.errno
                self._log.warning("accept_failed", errno=errno)
                self._pause_accepting()
                return
            deadline = time.monotonic() + SILENCE_S
            self._room.admit(Arrival(next(self._numbers), connection, address[0], deadline))

    # Drain: DRAIN -> CUT -> FINISH, each at its time at the latest

    def _stop(self, why: str) -> None:
        """Drain; asked again, cut at once."""
        if self._stage is None:
            self._stop_began = time.monotonic()
            self._enter(Kind.DRAIN, why=why)
        else:
            self._enter(Kind.FINISH, why=why)

    def _drain(self, elapsed: float) -> None:
        serving = any(worker.handed for worker in self._crew.workers) or self._dispatcher.queued
        if elapsed >= self._settings.cut_s or not serving:
            self._enter(Kind.FINISH)
        elif elapsed >= self._settings.drain_s:
            self._enter(Kind.CUT)
        if self._stage is not None:
            left_ms = max(int((self._settings.kill_s - elapsed) * 1000), 0)
            self._crew.tell(self._stage, left_ms)
        if elapsed > self._settings.kill_s:
            self._crew.give_up()

    def _enter(self, stage: Kind, **fields: Any) -> None:
        if self._stage is not None and self._stage >= stage:
            return
        self._stage = stage
        associations = self._cells.open_associations()
        self._log.info("draining", stage=stage.name, associations=associations, **fields)
        if stage is Kind.FINISH:
            self._stop_accepting()

    # Health

    def _answer(self, path: str) -> Answer | None:
        fault = self._fault()
        if path == "/healthz":
            status = HTTPStatus.SERVICE_UNAVAILABLE if fault else HTTPStatus.OK
            return status, {"status": fault or "ok"}
        if path == "/status":
            return HTTPStatus.OK, self._describe(fault or "ok")
        return None

    def _fault(self) -> str:
        """Return what keeps this task from serving; a fault of the storage is none."""
        if self._stage is not None:
            return "draining"
        if self._was_ready and not any(worker.ready for worker in self._crew.workers):
            return "workers_dead"
        return "" if self._accepting else "not_accepting"

    def _describe(self, status: str) -> dict[str, Any]:
        totals = self._cells.totals()
        return {
            "status": status,
            "pid": os.getpid(),
            "ports": {"scp": self._scp_port, "health": self._health.port},
            "counters": {name: totals[name] for name in COUNTERS},
            "reasons": self._cells.reasons(),
            "associations": self._cells.open_associations(),
            "committer_pid": self._companion.pid if self._companion is not None else None,
            "connections": {
                "silent": len(self._room),
                "queued": self._dispatcher.queued,
                "not_associated": self._dispatcher.unassociated,
            },
            "workers": [
                {
                    "slot": worker.slot,
                    "pid": worker.pid,
                    "ready": worker.ready,
                    "connections": len(worker.handed),
                    "associations": self._cells.associations(worker.slot),
                }
                for worker in self._crew.workers
            ],
        }


def _enqueue(_: int, __: FrameType | None) -> None:
    """Do nothing: the wake-up descriptor has the signal's number already."""
