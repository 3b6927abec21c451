"""A worker process: takes connections from the parent, one thread for each, until it is told to finish.

Everything that touches storage is built here, after the fork. A worker whose parent died drains and
exits by itself.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.reasons import WireReason
from receiver.admission import SharedAssociationLimit
from receiver.handoff import Kind, Message, receive, send
from receiver.logs import JsonLog, install_exception_hooks, log_exception
from receiver.malloc import touch_arenas
from receiver.ports import AssociationLimit, Counters, Log
from receiver.proxy import ProxyHeaderError, read_header
from receiver.settings import Settings
from receiver.shared import SharedCells, SlotCounters

EXIT_SEALED = 0
EXIT_BOOT_FAILED = 3
EXIT_NOT_SEALED = 4
EXIT_FAILED = 5

PROXY_HEADER_S = 5.0
TICK_S = 0.25
HEARTBEAT_TICKS = 4

_SWITCH_INTERVAL_S = 0.0001
"""One busy thread cuts a receiving loop from 5442 to 22 MB/s at the default of 5 ms."""
_STACK_BYTES = 1024 * 1024
"""Of an association's thread; the default of 8 MiB times 300 is more than a small task's address limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What a worker is given: its slot's share of the task.

    Attributes:
        slot: 0 to workers - 1; a replacement has its predecessor's.
        settings: The receiver's.
        journals: The slot's memory files, which outlive a worker.
        counters: The slot's.
        limit: MaximumAssociations of the task, and each sender's part of it.
        log: This process's.
        draining: New associations are refused.
        cutting: Each association ends at its next message boundary.
        committer: Where the committer listens; None if storage commitment is not offered.
    """

    slot: int
    settings: Settings
    journals: Sequence[int]
    counters: Counters
    limit: AssociationLimit
    log: Log
    draining: threading.Event
    cutting: threading.Event
    committer: bytes | None = None


class Service(Protocol):
    """What a worker runs; built by the worker itself."""

    def serve(
        self, connection: socket.socket, peer: str, on_associated: Callable[[], None]
    ) -> None:
        """Serve one connection on the calling thread and close it."""

    def cut(self) -> None:
        """Wake associations that wait between messages; `cutting` has just been set."""

    def tick(self) -> None:
        """Do what is due, without blocking."""

    def recover(self) -> None:
        """Seal what the slot's dead predecessor left; may block."""

    def close(self, timeout_s: float) -> bool:
        """Seal everything; True if it was done in time."""


def run_worker(
    slot: int,
    journals: Sequence[int],
    channel: socket.socket,
    cells: SharedCells,
    *,
    settings: Settings,
    build: Callable[[Seat], Service],
    committer: bytes | None = None,
) -> int:
    """Run a worker in a child that was just forked; return its exit code.

    Args:
        slot: The worker's place.
        journals: The slot's memory files.
        channel: The worker's end.
        cells: The task's shared memory.
        settings: The receiver's.
        build: Makes the service; what it raises is a boot failure.
        committer: Where the committer listens; None if storage commitment is not offered.
    """
    counters = SlotCounters(cells, slot)
    log = JsonLog(settings.log_level, on_drop=lambda: counters.add("log_lines_dropped"), slot=slot)
    install_exception_hooks(log)
    try:
        seat = Seat(
            slot=slot,
            settings=settings,
            journals=journals,
            counters=counters,
            limit=SharedAssociationLimit(
                cells,
                slot,
                settings.maximum_associations,
                per_ae_title=settings.maximum_associations_per_ae_title,
                per_address=settings.maximum_associations_per_address,
            ),
            log=log,
            draining=threading.Event(),
            cutting=threading.Event(),
            committer=committer,
        )
        try:
            service = build(seat)
        except Exception as error:  # noqa: BLE001 the edge: whatever it is, the parent must know
            # Nothing was received yet, so the text cannot quote a dataset.
            log_exception(log, "worker_boot_failed", error, detail=str(error))
            return EXIT_BOOT_FAILED
        touch_arenas()
        return Worker(seat, channel, service).run()
    except Exception as error:  # noqa: BLE001 the edge: the parent puts another in this one's place
        log_exception(log, "worker_failed", error)
        return EXIT_FAILED
    finally:
        log.close()


class Worker:
    """Runs a service on the connections that come over `channel` (this process's end, blocking)."""

    def __init__(self, seat: Seat, channel: socket.socket, service: Service) -> None:
        self._seat = seat
        self._channel = channel
        self._service = service
        self._live: dict[int, socket.socket] = {}
        self._changed = threading.Condition()
        self._finishing = threading.Event()
        self._stopped = threading.Event()
        self._recovery = threading.Thread(target=self._recover, name="recovery", daemon=True)

    def run(self) -> int:
        """Serve until told to finish or the parent is gone; return the process's exit code."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        threading.stack_size(_STACK_BYTES)
        self._recovery.start()
        threading.Thread(target=self._tick, name="tick", daemon=True).start()
        self._tell(Kind.HELLO)
        left_s = self._take_connections()
        if left_s is None:
            left_s = self._drain_alone()
        sealed = self._finish(left_s)
        self._stopped.set()
        return EXIT_SEALED if sealed else EXIT_NOT_SEALED

    def _take_connections(self) -> float | None:
        """Serve what comes until FINISH; return the seconds left, None if the parent is gone."""
        while (received := receive(self._channel)) is not None:
            message, connection = received
            match message.kind:
                case Kind.CONNECTION if connection is not None:
                    self._take(message, connection)
                case Kind.DRAIN:
                    self._seat.draining.set()
                case Kind.CUT:
                    self._cut()
                case Kind.FINISH:
                    return message.number / 1000
                case _:
                    self._seat.log.error("unexpected_message", kind=message.kind.name)
        return None

    def _take(self, message: Message, connection: socket.socket) -> None:
        self._tell(Kind.TAKEN, message.number)
        with self._changed:
            self._live[message.number] = connection
        threading.Thread(
            target=self._serve,
            args=(message.number, connection, message.text),
            name=f"connection-{message.number}",
            daemon=True,
        ).start()

    def _serve(self, number: int, connection: socket.socket, peer: str) -> None:
        try:
            if self._seat.settings.proxy_protocol:
                peer = read_header(connection, PROXY_HEADER_S).source or peer
            self._service.serve(connection, peer, lambda: self._tell(Kind.ASSOCIATED, number))
        except ProxyHeaderError as error:
            reason = WireReason.PROXY_HEADER
            self._seat.counters.add_reason(reason)
            self._seat.log.warning(
                "connection_cut", connection=number, reason=reason, peer=peer, detail=str(error)
            )
        except Exception as error:  # noqa: BLE001 the edge: one connection's fault stays its own
            self._seat.counters.add_reason(WireReason.INTERNAL)
            log_exception(self._seat.log, "connection_failed", error, peer=peer)
        finally:
            connection.close()
            with self._changed:
                del self._live[number]
                self._changed.notify_all()
            self._tell(Kind.CLOSED, number)

    def _tick(self) -> None:
        ticks = 0
        while not self._stopped.wait(TICK_S):
            ticks += 1
            if ticks % HEARTBEAT_TICKS == 0:
                self._tell(Kind.HEARTBEAT)
            if self._finishing.is_set():
                continue  # the service is being closed
            try:
                self._service.tick()
            except Exception as error:  # noqa: BLE001 the edge: the next tick tries again
                log_exception(self._seat.log, "tick_failed", error)

    def _recover(self) -> None:
        try:
            self._service.recover()
        except Exception as error:  # noqa: BLE001 the edge: Sweep adopts what is left behind
            log_exception(self._seat.log, "recovery_failed", error)

    def _drain_alone(self) -> float:
        """The parent is gone: keep its timetable. Return the seconds left."""
        settings = self._seat.settings
        began = time.monotonic()
        self._seat.log.error("parent_died")
        self._seat.draining.set()
        self._wait_idle(began + settings.drain_s)
        self._cut()
        self._wait_idle(began + settings.cut_s)
        return began + settings.kill_s - time.monotonic()

    def _finish(self, left_s: float) -> bool:
        """Cut what is left, seal; True if everything was sealed."""
        end = time.monotonic() + left_s
        self._finishing.set()
        self._cut()
        with self._changed:
            for connection in self._live.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        # Instances that are complete are stored; the seal and the recovery share what is left.
        self._wait_idle(end - left_s * 0.5)
        self._recovery.join(max(end - left_s * 0.3 - time.monotonic(), 0))
        sealed = self._service.close(max(end - left_s * 0.05 - time.monotonic(), 0))
        return sealed and not self._recovery.is_alive()

    def _cut(self) -> None:
        self._seat.draining.set()
        self._seat.cutting.set()
        self._service.cut()

    def _wait_idle(self, until: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._live, max(until - time.monotonic(), 0))

    def _tell(self, kind: Kind, number: int = 0) -> None:
        with contextlib.suppress(OSError):  # the parent is gone: noticed where we receive
            send(self._channel, Message(kind, number))
