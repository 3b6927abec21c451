"""Closing a connection so that the peer gets our last PDU."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from receiver.transport import Transport

LINGER_S = 1.0
"""Time for the peer to close after our last PDU."""
LINGER_BYTES = 16 * 1024 * 1024
"""Most that is read and forgotten meanwhile."""
_CHUNK_BYTES = 65_536


def linger(connection: socket.socket, transport: Transport) -> None:
    """Half-close, then read and forget what the peer still sends, within bounds; do not close.

    Closing with unread bytes makes the kernel send a reset, and a reset may overtake the A-ABORT or
    A-ASSOCIATE-RJ that says why.

    Args:
        connection: What is read from.
        transport: The connection itself or what goes over it: it says that nothing more will be sent.
    """
    until = time.monotonic() + LINGER_S
    left = LINGER_BYTES
    with contextlib.suppress(OSError):  # includes TimeoutError; the peer may be gone already
        transport.shutdown(socket.SHUT_WR)
        while left > 0:
            remaining = until - time.monotonic()
            if remaining <= 0:
                return
            connection.settimeout(remaining)
            count = len(connection.recv(_CHUNK_BYTES))
            if not count:
                return
            left -= count


def reset_at_close(connection: socket.socket) -> None:
    """Make `close` end the connection by a reset and forget what the peer did not take.

    For a peer that does not read: the kernel would go on holding megabytes for it, for minutes and in
    nobody's budget, and the peer would not hear that it was cut.
    """
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
