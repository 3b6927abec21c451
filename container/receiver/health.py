"""The health port: HTTP answers from the parent's loop.

Only faults of this task may make it fail. A client that is slow or silent holds a descriptor for 5 s and
nobody's time. The load balancer puts a PROXY header before its own checks too, so one is skipped.
"""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from receiver.proxy import ProxyHeaderError, parse_header

MAX_REQUEST_BYTES = 8192
CLIENT_S = 5.0
MAXIMUM_CLIENTS = 64

Answer = tuple[HTTPStatus, dict[str, Any]]


class HealthServer:
    """Answers `GET` and `HEAD` of the paths that `answer` knows.

    Args:
        listener: A listening socket that never blocks; closed by `close`.
        selector: The parent's loop; registered objects carry a callable.
        answer: Returns status and JSON document for a path; None if there is no such path.
    """

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        answer: Callable[[str], Answer | None],
        clock: Callable[[], float],
    ) -> None:
        self._listener = listener
        self._selector = selector
        self._answer = answer
        self._clock = clock
        self._clients: dict[int, _Client] = {}
        selector.register(listener, selectors.EVENT_READ, lambda _: self._accept())

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._listener.getsockname()[1])

    def expire(self, now: float) -> None:
        """Close clients that took too long."""
        for client in list(self._clients.values()):
            if client.deadline <= now:
                self._drop(client)

    def close(self) -> None:
        """Stop answering."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()

    def close_copies(self) -> None:
        """Close a forked child's copies, leaving the parent's loop alone."""
        for client in self._clients.values():
            client.connection.close()
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)  # noqa: FBT003 the method has no keyword
        if len(self._clients) >= MAXIMUM_CLIENTS:
            self._drop(next(iter(self._clients.values())))
        client = _Client(connection, self._clock() + CLIENT_S)
        self._clients[connection.fileno()] = client
        self._selector.register(connection, selectors.EVENT_READ, lambda _: self._serve(client))

    def _serve(self, client: _Client) -> None:
        if client.connection.fileno() not in self._clients:
            return  # dropped by an event of the same round
        try:
            if not client.reply:
                client.reply = self._read(client)
            if client.reply:
                client.reply = client.reply[client.connection.send(client.reply) :]
                if client.reply:
                    self._selector.modify(
                        client.connection, selectors.EVENT_WRITE, lambda _: self._serve(client)
                    )
                else:
                    self._drop(client)
        except BlockingIOError:
            return
        except (OSError, ValueError, ProxyHeaderError):
            self._drop(client)

    def _read(self, client: _Client) -> bytes:
        """Return the response once the request's head is complete, else nothing.

        Raises:
            ValueError: The client left, or this is no HTTP.
        """
        data = client.connection.recv(MAX_REQUEST_BYTES)
        client.request += data
        if not data:
            raise ValueError("closed")
        if client.request.startswith(b"\r"):  # no HTTP method does: a PROXY header
            header = parse_header(client.request)
            if header is None:
                return b""
            client.request = client.request[header.size :]
        if len(client.request) > MAX_REQUEST_BYTES:
            return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, {})
        head, end, _ = client.request.partition(b"\r\n\r\n")
        if not end:
            return b""
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        if method not in ("GET", "HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, {})
        status, document = self._answer(target.partition("?")[0]) or (HTTPStatus.NOT_FOUND, {})
        return _response(status, document, body=method == "GET")

    def _drop(self, client: _Client) -> None:
        del self._clients[client.connection.fileno()]
        self._selector.unregister(client.connection)
        client.connection.close()


class _Client:
    """One client: what it has sent, what it has not yet read."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline
        self.request = b""
        self.reply = b""


def _response(status: HTTPStatus, document: dict[str, Any], *, body: bool = True) -> bytes:
    content = json.dumps(document or {"status": status.phrase.lower()}).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (content if body else b"")
