"""The worker processes: forked, listened to, killed when stuck, replaced when dead."""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
import warnings
from collections.abc import Callable, Collection, Sequence

from receiver.dispatch import ANSWER_S, Dispatcher, WorkerHandle
from receiver.handoff import Kind, Message, make_channel, receive, send
from receiver.ports import Counters, Log
from receiver.shared import SharedCells
from receiver.worker import EXIT_BOOT_FAILED, EXIT_SEALED

HEARTBEAT_S = 20.0
"""A worker silent for so long is stuck; it sends a heartbeat every second, if it is let."""
BOOT_S = 30.0
"""A worker says HELLO within so long."""
MAXIMUM_BOOT_FAILURES = 5
"""In a row, in one slot; then the task stops, and its scheduler says so, instead of looping."""
RESTART_PAUSE_S = 1.0
"""Before a worker whose predecessor lived less than this is started; others start at once."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
"""Those that the parent handles."""

RunWorker = Callable[[int, Sequence[int], socket.socket, SharedCells], int]
"""Runs a worker in a forked child: slot, journals, channel, cells; returns its exit code."""


class Crew:
    """One worker per slot.

    Args:
        journals: Memory files of each slot; their number is the crew's size.
        cells: Shared memory.
        run_worker: Runs in each child.
        close_copies: Closes, in a child, what else it has of the parent's.
        on_hello: Called when a worker is ready.
        selector: The parent's loop; registered objects carry a callable.
        dispatcher: Told what workers say of their connections.
        counters: The parent's.
        log: The parent's.

    Attributes:
        failed: A worker could not seal, or was given up: the exit code shall say so.
        hopeless: A worker cannot start: the task shall stop.
    """

    def __init__(
        self,
        *,
        journals: Sequence[Sequence[int]],
        cells: SharedCells,
        run_worker: RunWorker,
        close_copies: Callable[[], None],
        on_hello: Callable[[], None],
        selector: selectors.BaseSelector,
        dispatcher: Dispatcher,
        counters: Counters,
        log: Log,
    ) -> None:
        self.failed = False
        self.hopeless = False
        self._journals = journals
        self._cells = cells
        self._run_worker = run_worker
        self._close_copies = close_copies
        self._on_hello = on_hello
        self._selector = selector
        self._dispatcher = dispatcher
        self._counters = counters
        self._log = log
        self._workers: dict[int, WorkerHandle] = {}
        self._restart_at: dict[int, float] = {}
        self._boot_failures = dict.fromkeys(range(len(journals)), 0)
        self._was_complete = False
        self._given_up = False

    @property
    def workers(self) -> Collection[WorkerHandle]:
        """Those that live, ready or not."""
        return self._workers.values()

    @property
    def is_complete(self) -> bool:
        """All slots have a worker that is ready."""
        ready = sum(worker.ready for worker in self.workers)
        return ready == len(self._journals)

    @property
    def is_gone(self) -> bool:
        """No worker lives and none will be started."""
        return not self._workers and not self._restart_at

    def start(self) -> None:
        """Fork all of them."""
        gc.collect()
        for slot in range(len(self._journals)):
            self._spawn(slot)

    def tick(self, now: float) -> None:
        """Start what is due, kill what is stuck."""
        for slot, at in list(self._restart_at.items()):
            if at <= now:
                del self._restart_at[slot]
                self._spawn(slot)
        for worker in self.workers:
            self._check(worker, now)

    def tell(self, stage: Kind, left_ms: int) -> None:
        """Tell each worker of `stage` once; one that cannot be told now is told at the next call."""
        for worker in self.workers:
            if worker.ready and worker.told is not stage:
                with contextlib.suppress(OSError):
                    send(worker.channel, Message(stage, left_ms))
                    worker.told = stage

    def give_up(self) -> None:
        """Kill those that are left; none is replaced."""
        self._given_up = True
        self._restart_at.clear()
        for worker in self.workers:
            self.failed = True
            worker.kill()

    def reap(self) -> None:
        """Bury the dead (SIGCHLD; one signal may stand for several)."""
        for worker in list(self.workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._bury(worker, os.waitstatus_to_exitcode(status))

    def _spawn(self, slot: int) -> None:
        parent_end, worker_end = make_channel()
        now = time.monotonic()
        # A signal that reached the child before it has handlers of its own would be read by us.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        gc.freeze()  # the collector shall not touch, and so copy, the pages that all share
        with warnings.catch_warnings():
            # The log's writer is a second thread. It holds no lock that the child takes: the child
            # makes its own log and leaves by os._exit.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._become_worker(slot, parent_end, worker_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker_end.close()
        worker = WorkerHandle(slot, pid, parent_end, started_at=now, heard_at=now)
        self._workers[slot] = worker
        self._selector.register(parent_end, selectors.EVENT_READ, lambda _: self._listen(worker))

    def _become_worker(self, slot: int, parent_end: socket.socket, channel: socket.socket) -> None:
        """Run the worker in the child; never returns."""
        code = EXIT_BOOT_FAILED
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Ctrl-C reaches the whole group; only the parent decides when a worker ends.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            # A channel's end held by a sibling would hide the parent's death.
            parent_end.close()
            for worker in self.workers:
                worker.close_copies()
            self._close_copies()
            code = self._run_worker(slot, self._journals[slot], channel, self._cells)
        finally:
            os._exit(code)

    def _listen(self, worker: WorkerHandle) -> None:
        if worker.channel.fileno() < 0:
            return  # buried by an event of the same round
        with contextlib.suppress(BlockingIOError):
            while (received := receive(worker.channel)) is not None:
                self._hear(worker, received[0])
            # Its end: death follows as SIGCHLD, and a readable end would spin the loop until then.
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.channel)

    def _hear(self, worker: WorkerHandle, message: Message) -> None:
        worker.heard_at = time.monotonic()
        match message.kind:
            case Kind.HELLO:
                worker.ready = True
                self._boot_failures[worker.slot] = 0
                self._was_complete = self._was_complete or self.is_complete
                self._log.info("worker_ready", slot=worker.slot, worker_pid=worker.pid)
                self._on_hello()
            case Kind.TAKEN:
                self._dispatcher.taken(worker, message.number)
            case Kind.ASSOCIATED:
                self._dispatcher.associated(worker, message.number)
            case Kind.CLOSED:
                self._dispatcher.closed(worker, message.number)
            case _:
                pass  # a heartbeat

    def _bury(self, worker: WorkerHandle, code: int) -> None:
        """Forget a dead worker; put another in its place unless it had finished."""
        self._listen(worker)  # what it still said
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.channel)
        worker.channel.close()
        del self._workers[worker.slot]
        self._cells.forget_associations(worker.slot)
        self._dispatcher.died(worker)
        finished = worker.told is Kind.FINISH
        if finished and code == EXIT_SEALED:
            return
        self._log.error("worker_died", slot=worker.slot, worker_pid=worker.pid, code=code)
        if finished and code > 0:
            self.failed = True  # it says itself that it could not seal
        elif not self._given_up and not self._is_hopeless(worker, code):
            self._counters.add("worker_restarts")
            now = time.monotonic()
            short = now - worker.started_at < RESTART_PAUSE_S
            self._restart_at[worker.slot] = now + (RESTART_PAUSE_S if short else 0)

    def _is_hopeless(self, worker: WorkerHandle, code: int) -> bool:
        if worker.ready:
            return False
        self._boot_failures[worker.slot] += 1
        never_worked = not self._was_complete and code == EXIT_BOOT_FAILED
        if never_worked or self._boot_failures[worker.slot] >= MAXIMUM_BOOT_FAILURES:
            self._log.error("worker_cannot_start", slot=worker.slot, code=code)
            self.failed = self.hopeless = True
            return True
        return False

    def _check(self, worker: WorkerHandle, now: float) -> None:
        """Kill a worker that is stuck; its death is then handled like any other."""
        if worker.killed:
            return
        silence = now - worker.heard_at
        unanswered = worker.oldest_unanswered(now)
        if silence > (HEARTBEAT_S if worker.ready else BOOT_S) or unanswered > ANSWER_S:
            self._log.error(
                "worker_stuck",
                slot=worker.slot,
                worker_pid=worker.pid,
                silence_s=round(silence, 1),
                unanswered_s=round(unanswered, 1),
            )
            worker.kill()
