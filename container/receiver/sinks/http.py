"""HTTP/1.1 to one host on connections that stay open: as small, strict and fast as storing images needs.

No redirect, no proxy, no retry: the caller decides, so it must know whether a request may have reached
the server (`HttpError.sent`).
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Sequence

from receiver.sinks.response import Connection, HttpError, Response, receive, remaining

MAX_IDLE_S = 15.0
"""A connection that was idle for longer is closed: S3 closes its end after about 20 s."""
CONNECT_TIMEOUT_S = 3.0

_IOV_MAX = 1024
_PEEK_AFTER_S = 0.5


class HttpPool:
    """Open connections to one host; thread-safe, made after fork."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Prepare; nothing is connected yet.

        Args:
            host: Name or address, also checked against the certificate.
            port: TCP port.
            tls: Context to verify the server with; None for plain HTTP.
        """
        self._host = host
        self._port = port
        self._tls = tls
        self._idle: list[Connection] = []  # append and pop are atomic

    def exchange(self, head: bytes, body: Sequence[memoryview], deadline: float) -> Response:
        """Send one request and read its response.

        Args:
            head: Request line and headers with the empty line; content-length must be right.
            body: Its pieces; they are sent as they lie, nothing is copied.
            deadline: Monotonic time (s) until which the response must have come.

        Raises:
            HttpError: It did not.
        """
        connection = self._take() or self._connect(deadline)
        keep = False
        try:
            response, keep = _exchange(connection, head, body, deadline)
        finally:
            if keep:
                connection.used_at = time.monotonic()
                connection.reused = True
                self._idle.append(connection)
            else:
                connection.sock.close()
        return response

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().sock.close()

    def _take(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()  # last in, first out: the others may grow old and go
            except IndexError:
                return None
            idle_s = time.monotonic() - connection.used_at
            if idle_s < _PEEK_AFTER_S:
                return connection
            if idle_s < MAX_IDLE_S and not _is_readable(connection.sock):
                return connection
            connection.sock.close()  # the server said goodbye, or soon will

    def _connect(self, deadline: float) -> Connection:
        timeout = min(remaining(deadline, sent=False), CONNECT_TIMEOUT_S)
        sock: socket.socket | None = None
        try:
            sock = socket.create_connection((self._host, self._port), timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self._host)
        except OSError as error:
            if sock is not None:
                sock.close()
            raise HttpError(f"connect: {_name(error)}", sent=False) from error
        return Connection(sock, time.monotonic())


def _exchange(
    connection: Connection, head: bytes, body: Sequence[memoryview], deadline: float
) -> tuple[Response, bool]:
    sock = connection.sock
    try:
        _send(sock, [memoryview(head), *body], deadline)
    except OSError as error:
        # A server that refuses early answers and closes while we still send: its answer tells more.
        if _is_readable(sock):
            try:
                return receive(connection, deadline)[0], False
            except (HttpError, OSError):
                pass
        raise HttpError(
            f"send: {_name(error)}", sent=True, stale=_is_stale(connection, error)
        ) from error
    try:
        return receive(connection, deadline)
    except OSError as error:
        raise HttpError(
            f"receive: {_name(error)}", sent=True, stale=_is_stale(connection, error)
        ) from error


def _send(sock: socket.socket, pieces: list[memoryview], deadline: float) -> None:
    # A timeout is one call's: a server that reads slowly, but reads, would never meet it.
    if isinstance(sock, ssl.SSLSocket):  # it has no sendmsg
        for piece in pieces:
            rest = piece
            while rest:
                sock.settimeout(remaining(deadline, sent=True))
                rest = rest[sock.send(rest) :]
        return
    while pieces:
        sock.settimeout(remaining(deadline, sent=True))
        sent = sock.sendmsg(pieces[:_IOV_MAX])
        first = 0
        while first < len(pieces) and sent >= len(pieces[first]):
            sent -= len(pieces[first])
            first += 1
        pieces = pieces[first:]
        if sent:
            pieces[0] = pieces[0][sent:]


def _is_readable(sock: socket.socket) -> bool:
    poller = select.poll()  # select() cannot take descriptors above 1023
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _is_stale(connection: Connection, error: OSError) -> bool:
    return connection.reused and not connection.buffer and not isinstance(error, TimeoutError)


def _name(error: OSError) -> str:
    return "timed out" if isinstance(error, TimeoutError) else type(error).__name__
