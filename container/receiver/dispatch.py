"""Who serves which connection: the queue of those that spoke, and the parent's view of each worker.

Pre-association connections are limited here, all of them and per sender's address, since each costs a
worker's thread: above the limit a connection waits in the queue, and honest ones leave it in
milliseconds. The calling AE title is not known yet: `admission` counts by it.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from contract.reasons import WireReason
from receiver.handoff import Kind, Message, send
from receiver.listener import Arrival
from receiver.ports import Counters, Log

MAXIMUM_PRE_ASSOCIATION = 512
MAXIMUM_PRE_ASSOCIATION_PER_ADDRESS = 384
"""Above 300, which one test or migration tool may open at once."""
MAXIMUM_QUEUED = 1024
MAXIMUM_QUEUED_PER_ADDRESS = 512
ANSWER_S = 10.0
"""A worker that leaves a hand-off unanswered for so long is stuck. A machine that has no processor to give
for seconds is common, and to kill a worker for it cuts all that it serves; new connections do not wait for a
slow one meanwhile (SUSPECT_S)."""
SUSPECT_S = 0.25
"""After so long without an answer others are preferred; an idle worker answers within 1 ms."""


@dataclass(slots=True, eq=False)
class Handed:
    """A connection that a worker was given; `waiting` is over at its TAKEN."""

    arrival: Arrival
    at: float
    waiting: bool = True
    associated: bool = False


@dataclass(slots=True, eq=False)
class WorkerHandle:
    """What the parent knows of a worker.

    Attributes:
        slot: Its place: cell, journals.
        pid: Its process.
        channel: The parent's end.
        started_at: Monotonic time of the fork.
        heard_at: Monotonic time of its last message.
        ready: It said HELLO.
        told: The last stage it was told (Kind.DRAIN, CUT or FINISH).
        killed: By us; its death is still to be noticed.
        handed: Its connections, by number, until CLOSED.
    """

    slot: int
    pid: int
    channel: socket.socket
    started_at: float
    heard_at: float
    ready: bool = False
    told: Kind | None = None
    killed: bool = False
    handed: dict[int, Handed] = field(default_factory=dict)

    def kill(self) -> None:
        """SIGKILL: it works on a stopped process too."""
        if not self.killed:
            self.killed = True
            os.kill(self.pid, signal.SIGKILL)

    def close_copies(self) -> None:
        """Close a forked child's copies of a sibling's channel and connections."""
        self.channel.close()
        for handed in self.handed.values():
            handed.arrival.connection.close()

    def oldest_unanswered(self, now: float) -> float:
        """Return for how long (s) the oldest hand-off has had no answer."""
        return max(
            (now - handed.at for handed in self.handed.values() if handed.waiting), default=0
        )


class Dispatcher:
    """Hands connections to the least loaded worker that answers."""

    def __init__(self, *, counters: Counters, log: Log) -> None:
        self._counters = counters
        self._log = log
        self._queue: dict[int, Arrival] = {}
        self._queued: Counter[str] = Counter()
        self._unassociated: Counter[str] = Counter()

    @property
    def queued(self) -> int:
        """Connections that spoke and wait for a worker."""
        return len(self._queue)

    @property
    def unassociated(self) -> int:
        """Connections at workers on which no association was accepted yet."""
        return self._unassociated.total()

    def offer(self, arrival: Arrival) -> None:
        """Queue a connection that spoke."""
        if len(self._queue) >= MAXIMUM_QUEUED:
            self._refuse(arrival, WireReason.LIMIT)
        elif arrival.sender and self._queued[arrival.sender] >= MAXIMUM_QUEUED_PER_ADDRESS:
            self._refuse(arrival, WireReason.ADDRESS_LIMIT)
        else:
            self._enqueue(arrival)

    def pump(self, workers: Iterable[WorkerHandle], now: float) -> None:
        """Hand over what can be handed over now."""
        if not self._queue:
            return
        able = [worker for worker in workers if worker.ready and worker.told is not Kind.FINISH]
        for arrival in list(self._queue.values()):
            if not able or self.unassociated >= MAXIMUM_PRE_ASSOCIATION:
                return
            if not self._address_is_full(arrival):
                self._hand_over(arrival, able, now)

    def taken(self, worker: WorkerHandle, number: int) -> None:
        """The worker has the connection: close our copy."""
        if (handed := worker.handed.get(number)) is not None:
            handed.waiting = False
            handed.arrival.connection.close()

    def associated(self, worker: WorkerHandle, number: int) -> None:
        """An association was accepted on it: it no longer counts here."""
        handed = worker.handed.get(number)
        if handed is not None and not handed.associated:
            handed.associated = True
            self._forget(handed)

    def closed(self, worker: WorkerHandle, number: int) -> None:
        """The worker closed it."""
        handed = worker.handed.pop(number, None)
        if handed is not None and not handed.associated:
            self._forget(handed)

    def died(self, worker: WorkerHandle) -> None:
        """Take back what a dead worker had not taken; what it had taken died with it."""
        later, self._queue = self._queue, {}
        self._queued.clear()
        for number, handed in list(worker.handed.items()):
            self.closed(worker, number)
            if handed.waiting:
                self._enqueue(handed.arrival)
        for arrival in later.values():
            self._enqueue(arrival)

    def expire(self, now: float) -> None:
        """Close those that found no worker until their deadline."""
        for arrival in list(self._queue.values()):
            if arrival.deadline <= now:
                full = self._address_is_full(arrival)
                self._dequeue(arrival)
                self._refuse(arrival, WireReason.ADDRESS_LIMIT if full else WireReason.LIMIT)

    def close(self) -> None:
        """Close what is queued."""
        for arrival in self._queue.values():
            arrival.connection.close()
        self._queue.clear()
        self._queued.clear()

    def _hand_over(self, arrival: Arrival, able: list[WorkerHandle], now: float) -> None:
        """Send it to the best of `able`; those that take nothing are removed from the list."""
        message = Message(Kind.CONNECTION, arrival.number, arrival.peer)
        while able:
            worker = min(able, key=lambda w: (w.oldest_unanswered(now) > SUSPECT_S, len(w.handed)))
            try:
                send(worker.channel, message, arrival.connection)
            except OSError:
                able.remove(worker)  # its queue is full, or it has just died
                continue
            self._dequeue(arrival)
            worker.handed[arrival.number] = Handed(arrival, now)
            self._unassociated[arrival.sender] += 1
            return

    def _enqueue(self, arrival: Arrival) -> None:
        self._queue[arrival.number] = arrival
        self._queued[arrival.sender] += 1

    def _dequeue(self, arrival: Arrival) -> None:
        del self._queue[arrival.number]
        _lower(self._queued, arrival.sender)

    def _address_is_full(self, arrival: Arrival) -> bool:
        taken = self._unassociated[arrival.sender]
        return bool(arrival.sender) and taken >= MAXIMUM_PRE_ASSOCIATION_PER_ADDRESS

    def _refuse(self, arrival: Arrival, reason: WireReason) -> None:
        arrival.connection.close()
        self._counters.add_reason(reason)
        self._log.warning(
            "connection_cut",
            connection=arrival.number,
            reason=reason,
            peer=arrival.shown,
        )

    def _forget(self, handed: Handed) -> None:
        _lower(self._unassociated, handed.arrival.sender)


def _lower(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
