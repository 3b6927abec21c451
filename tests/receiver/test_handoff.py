from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from receiver.handoff import Kind, Message, make_channel, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def channel() -> Iterator[Pair]:
    parent, worker = make_channel()
    yield parent, worker
    parent.close()
    worker.close()


def test_connection_travels_with_its_number_and_peer(channel: Pair) -> None:
    """What arrives is the same connection, usable after the sender closed its copy."""
    parent, worker = channel
    ours, theirs = socket.socketpair()

    send(parent, Message(Kind.CONNECTION, 2**40, "2001:db8::7"), ours)
    ours.close()
    received = receive(worker)

    assert received is not None
    message, connection = received
    assert message == Message(Kind.CONNECTION, 2**40, "2001:db8::7")
    assert connection is not None
    with connection, theirs:
        theirs.sendall(b"A-ASSOCIATE-RQ")
        assert connection.recv(100) == b"A-ASSOCIATE-RQ"
        assert connection.getblocking()


def test_messages_keep_their_boundaries(channel: Pair) -> None:
    """Each receive gives one message, in the order they were sent."""
    parent, worker = channel
    sent = [Message(Kind.HELLO), Message(Kind.TAKEN, 7), Message(Kind.CLOSED, 7)]

    for message in sent:
        send(worker, message)

    assert [received[0] for _ in sent if (received := receive(parent))] == sent


def test_end_of_the_other_side_is_none(channel: Pair) -> None:
    """A worker whose parent died, and a parent whose worker died, both see it."""
    parent, worker = channel
    worker.close()

    assert receive(parent) is None


def test_end_of_the_other_side_with_messages_unread_is_none(channel: Pair) -> None:
    """The kernel reports a reset when messages of ours were lost: the same end."""
    parent, worker = channel
    send(parent, Message(Kind.DRAIN))
    worker.close()

    assert receive(parent) is None


def test_messages_sent_before_the_end_are_still_received(channel: Pair) -> None:
    """What a worker said before it died counts."""
    parent, worker = channel
    send(worker, Message(Kind.TAKEN, 1))
    worker.close()

    received = receive(parent)

    assert received is not None
    assert received[0] == Message(Kind.TAKEN, 1)


def test_parent_never_blocks(channel: Pair) -> None:
    """Neither on an empty channel nor on a worker that does not read."""
    parent, _ = channel
    with pytest.raises(BlockingIOError):
        receive(parent)

    def fill() -> None:
        for _ in range(100_000):
            send(parent, Message(Kind.DRAIN))

    with pytest.raises(BlockingIOError):
        fill()
