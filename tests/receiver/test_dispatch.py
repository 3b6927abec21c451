from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from receiver import dispatch as dispatch_module
from receiver.dispatch import Dispatcher, WorkerHandle
from receiver.handoff import Kind, make_channel, receive
from receiver.listener import Arrival
from tests.receiver.recorder import Recorder


class Stage:
    """A dispatcher with workers of which only the channels are real."""

    def __init__(self, stack: ExitStack, workers: int = 2) -> None:
        self.recorder = Recorder()
        self.dispatcher = Dispatcher(counters=self.recorder, log=self.recorder)
        self.workers: list[WorkerHandle] = []
        self.ends: list[socket.socket] = []
        self._stack = stack
        for slot in range(workers):
            parent, worker = make_channel()
            worker.setblocking(False)  # noqa: FBT003 the method has no keyword
            stack.enter_context(parent)
            self.ends.append(stack.enter_context(worker))
            self.workers.append(WorkerHandle(slot, 0, parent, 0.0, 0.0, ready=True))

    def offer(self, number: int, sender: str = "10.0.0.1", deadline: float = 30.0) -> socket.socket:
        """Offer a connection; return the client's end."""
        ours, theirs = socket.socketpair()
        self._stack.enter_context(ours)
        self._stack.enter_context(theirs)
        theirs.settimeout(5)
        self.dispatcher.offer(Arrival(number, ours, "10.9.9.9", deadline, sender))
        return theirs

    def pump(self, now: float = 0.0) -> list[list[int]]:
        """Pump; return the numbers that each worker received."""
        self.dispatcher.pump(self.workers, now)
        return [self._received(end) for end in self.ends]

    def _received(self, end: socket.socket) -> list[int]:
        numbers = []
        with suppress(BlockingIOError):
            while (received := receive(end)) is not None:
                numbers.append(received[0].number)
                if received[1] is not None:
                    self._stack.enter_context(received[1])
        return numbers


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack)


def test_connections_go_to_the_least_loaded_worker(stage: Stage) -> None:
    """Each hand-over counts the connections that are still open."""
    for number in range(1, 5):
        stage.offer(number)
    assert stage.pump() == [[1, 3], [2, 4]]

    for number in (2, 4):
        stage.dispatcher.taken(stage.workers[1], number)
        stage.dispatcher.closed(stage.workers[1], number)
    stage.offer(5)
    stage.offer(6)

    assert stage.pump() == [[], [5, 6]]


def test_worker_that_does_not_answer_gets_no_more(stage: Stage) -> None:
    """It may be stuck; the others take over before it is killed."""
    stage.offer(1)
    assert stage.pump(now=0.0) == [[1], []]
    for number in range(2, 5):
        stage.offer(number)

    assert stage.pump(now=1.0) == [[], [2, 3, 4]]


def test_connection_not_taken_by_a_dead_worker_goes_to_another(stage: Stage) -> None:
    """Not one byte was read of it, so the peer never notices."""
    client = stage.offer(1)
    assert stage.pump() == [[1], []]

    dead = stage.workers.pop(0)
    stage.dispatcher.died(dead)

    assert stage.pump() == [[], [1]]
    client.sendall(b"still open")


def test_connection_taken_by_a_dead_worker_died_with_it(stage: Stage) -> None:
    """The parent closed its copy at TAKEN and hands nothing over twice."""
    stage.offer(1)
    stage.pump()
    stage.dispatcher.taken(stage.workers[0], 1)

    dead = stage.workers.pop(0)
    stage.dispatcher.died(dead)

    assert stage.pump() == [[], []]
    assert stage.dispatcher.unassociated == 0


def test_pre_association_connections_are_limited(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit a connection waits until another became an association or was closed."""
    monkeypatch.setattr(dispatch_module, "MAXIMUM_PRE_ASSOCIATION", 2)
    for number in range(1, 5):
        stage.offer(number, f"10.0.0.{number}")
    assert stage.pump() == [[1], [2]]

    stage.dispatcher.associated(stage.workers[0], 1)
    stage.dispatcher.associated(stage.workers[0], 1)
    assert stage.pump() == [[], [3]] or stage.dispatcher.queued == 1
    assert stage.dispatcher.queued == 1

    stage.dispatcher.closed(stage.workers[1], 2)
    stage.pump()
    assert stage.dispatcher.queued == 0


def test_one_address_cannot_take_all_places(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above its own limit an address waits while others pass."""
    monkeypatch.setattr(dispatch_module, "MAXIMUM_PRE_ASSOCIATION_PER_ADDRESS", 1)
    stage.offer(1, "10.0.0.1")
    stage.offer(2, "10.0.0.1")
    stage.offer(3, "10.0.0.3")

    assert stage.pump() == [[1], [3]]
    assert stage.dispatcher.queued == 1

    stage.dispatcher.expire(30.0)
    assert stage.recorder.reasons() == ["address_limit"]


def test_one_address_cannot_fill_the_queue(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor keep others from waiting for a worker; what left the queue counts no more."""
    monkeypatch.setattr(dispatch_module, "MAXIMUM_QUEUED_PER_ADDRESS", 2)
    stage.offer(1)
    stage.offer(2)

    assert stage.offer(3).recv(1) == b""
    assert stage.recorder.reasons() == ["address_limit"]
    stage.offer(4, "10.0.0.4")
    assert stage.pump() == [[1, 4], [2]]
    stage.offer(5)
    assert stage.dispatcher.queued == 1


def test_unknown_senders_share_no_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The balancer's own address stands for everybody behind it."""
    monkeypatch.setattr(dispatch_module, "MAXIMUM_PRE_ASSOCIATION_PER_ADDRESS", 1)
    monkeypatch.setattr(dispatch_module, "MAXIMUM_QUEUED_PER_ADDRESS", 1)
    for number in (1, 2, 3):
        stage.offer(number, "")

    assert stage.pump() == [[1, 3], [2]]


def test_connection_that_found_no_worker_is_closed_at_its_deadline(stage: Stage) -> None:
    """With all workers dead nobody waits for ever."""
    client = stage.offer(1, deadline=30.0)
    stage.dispatcher.pump([], 0.0)

    stage.dispatcher.expire(30.0)

    assert client.recv(1) == b""
    assert stage.recorder.reasons() == ["limit"]


def test_full_queue_refuses_the_newest(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded like everything a peer can fill."""
    monkeypatch.setattr(dispatch_module, "MAXIMUM_QUEUED", 1)
    stage.offer(1)

    assert stage.offer(2).recv(1) == b""
    assert stage.dispatcher.queued == 1


def test_neither_booting_nor_finishing_workers_get_connections(stage: Stage) -> None:
    """Before HELLO nobody reads the channel, after FINISH nobody answers."""
    stage.workers[0].ready = False
    stage.workers[1].told = Kind.FINISH
    stage.offer(1)

    assert stage.pump() == [[], []]


def test_worker_whose_queue_is_full_is_passed_over(stage: Stage) -> None:
    """A channel that takes no more is no error."""
    with suppress(BlockingIOError):
        while True:
            stage.workers[0].channel.send(b"\x02" + bytes(8))
    stage.offer(1)

    stage.dispatcher.pump(stage.workers, 0.0)

    assert list(stage.workers[1].handed) == [1]
