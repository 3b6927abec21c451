"""The watchdog over socket pairs, with time passed in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from receiver.deadlines import FOREVER, Watchdog
from receiver.responses import Sender
from tests.receiver.scp import wait_until


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_blocked_read_returns_at_its_deadline_and_can_still_send(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """Past the read deadline a blocked recv returns; an A-ABORT still reaches the peer."""
    ours, theirs = pair
    dog = Watchdog()
    watch = dog.register(ours)
    watch.deadline = 100.0
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(ours.recv(1)))
    reader.start()
    dog.scan(99.9)
    before = watch.expired
    dog.scan(100.1)
    reader.join(5)
    assert got == [b""]
    assert (before, watch.expired) == (False, True)
    ours.sendall(b"abort")
    assert theirs.recv(5) == b"abort"


def test_a_stalled_send_is_cut(pair: tuple[socket.socket, socket.socket]) -> None:
    """Row 53: a peer that takes nothing makes the send fail at its deadline."""
    ours, _theirs = pair
    dog = Watchdog()
    watch = dog.register(ours)
    sender = Sender(ours, watch, clock=lambda: 0.0)
    sent: list[bool] = []
    thread = threading.Thread(target=lambda: sent.append(sender.send(bytes(50_000_000))))
    thread.start()
    wait_until(lambda: watch.send_deadline != FOREVER)
    dog.scan(29.0)
    before = watch.stalled
    dog.scan(31.0)
    thread.join(10)
    assert sent == [False]
    assert (before, watch.stalled) == (False, True)


def test_only_the_idle_are_interrupted(pair: tuple[socket.socket, socket.socket]) -> None:
    """Interrupting wakes a connection that waits between messages and leaves a busy one alone."""
    ours, theirs = pair
    dog = Watchdog()
    busy, idle = dog.register(ours), dog.register(theirs)
    idle.idle = True
    dog.interrupt_idle()
    assert (busy.interrupted, idle.interrupted) == (False, True)
    assert theirs.recv(1) == b""


def test_what_is_unregistered_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    """After unregister the descriptor may belong to another connection: it is not touched."""
    ours, theirs = pair
    dog = Watchdog()
    watch = dog.register(ours)
    watch.deadline = 0.0
    dog.unregister(watch)
    dog.scan(1.0)
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_the_thread_scans_until_stopped(pair: tuple[socket.socket, socket.socket]) -> None:
    """A started watchdog cuts by itself; a stopped one has no thread left."""
    ours, _theirs = pair
    dog = Watchdog(interval_s=0.01)
    dog.register(ours).deadline = 0.0
    dog.start()
    assert ours.recv(1) == b""
    dog.stop()
    assert not dog._thread.is_alive()
