"""What parent and worker say to each other: small messages over a SOCK_SEQPACKET pair.

A connection travels to a worker by SCM_RIGHTS with a number of our own. The parent keeps its copy until
the worker's TAKEN, so that a worker that dies or hangs with sockets in its queue loses none of them.
Message boundaries are kept by the socket, so threads of a worker may send without a lock.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

_HEAD = struct.Struct("!BQ")
_MAX_MESSAGE_BYTES = 512


class Kind(IntEnum):
    """What a message says."""

    # To a worker
    CONNECTION = 1
    """Serve this connection; number: its id, text: the peer's address."""
    DRAIN = 2
    """Refuse new associations, let those that are open go on."""
    CUT = 3
    """End each association at its next message boundary."""
    FINISH = 4
    """Cut what is left, seal and exit; number: milliseconds left until SIGKILL."""

    # To the parent
    HELLO = 16
    """Ready for connections."""
    HEARTBEAT = 17
    TAKEN = 18
    """The connection is mine, close your copy; number: its id."""
    ASSOCIATED = 19
    """An association was accepted on it."""
    CLOSED = 20
    """It is closed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; what number and text mean is up to the kind."""

    kind: Kind
    number: int = 0
    text: str = ""


def make_channel() -> tuple[socket.socket, socket.socket]:
    """Return the parent's end, which never blocks, and the worker's end, which does."""
    parent, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent.setblocking(False)  # noqa: FBT003 the method has no keyword
    return parent, worker


def send(channel: socket.socket, message: Message, connection: socket.socket | None = None) -> None:
    """Send a message, and a connection with it.

    Raises:
        BlockingIOError: The other end does not read and its queue is full.
        OSError: The other end is gone.
    """
    data = _HEAD.pack(message.kind, message.number) + message.text.encode()
    if connection is None:
        channel.send(data)
    else:
        socket.send_fds(channel, [data], [connection.fileno()])


def receive(channel: socket.socket) -> tuple[Message, socket.socket | None] | None:
    """Return the next message and the connection that came with it; None if the other end is gone.

    Raises:
        BlockingIOError: Nothing waits on a channel that never blocks.
    """
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, _MAX_MESSAGE_BYTES, 1)
    except ConnectionResetError:
        return None  # it died with messages of ours unread
    for surplus in descriptors[1:]:
        os.close(surplus)
    connection = socket.socket(fileno=descriptors[0]) if descriptors else None
    if not data:
        return None
    kind, number = _HEAD.unpack_from(data)
    return Message(Kind(kind), number, data[_HEAD.size :].decode()), connection
