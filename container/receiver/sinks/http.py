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
from dataclasses import dataclass, field
from typing import NoReturn

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
"""Of a response; S3's are below 10 KiB."""
MAX_IDLE_S = 15.0
"""A connection that was idle for longer is closed: S3 closes its end after about 20 s."""
CONNECT_TIMEOUT_S = 3.0

_RECV_BYTES = 64 * 1024
_IOV_MAX = 1024
_PEEK_AFTER_S = 0.5
_BODYLESS = {204, 304}


class HttpError(Exception):
    """No whole response came.

    Attributes:
        detail: What went wrong, for the log.
        sent: Whether the server may have received the request.
        stale: Whether a reused connection ended before it answered a byte: no sign of trouble.
    """

    def __init__(self, detail: str, *, sent: bool, stale: bool = False) -> None:
        self.detail = detail
        self.sent = sent
        self.stale = stale
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Response:
    """A response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    used_at: float
    reused: bool = False
    buffer: bytearray = field(default_factory=bytearray)


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
        self._idle: list[_Connection] = []  # append and pop are atomic

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

    def _take(self) -> _Connection | None:
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

    def _connect(self, deadline: float) -> _Connection:
        timeout = min(_remaining(deadline, sent=False), CONNECT_TIMEOUT_S)
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
        return _Connection(sock, time.monotonic())


def _exchange(
    connection: _Connection, head: bytes, body: Sequence[memoryview], deadline: float
) -> tuple[Response, bool]:
    sock = connection.sock
    try:
        sock.settimeout(_remaining(deadline, sent=False))
        _send(sock, [memoryview(head), *body])
    except OSError as error:
        # A server that refuses early answers and closes while we still send: its answer tells more.
        if _is_readable(sock):
            try:
                return _receive(connection, deadline)[0], False
            except (HttpError, OSError):
                pass
        raise HttpError(
            f"send: {_name(error)}", sent=True, stale=_is_stale(connection, error)
        ) from error
    try:
        return _receive(connection, deadline)
    except OSError as error:
        raise HttpError(
            f"receive: {_name(error)}", sent=True, stale=_is_stale(connection, error)
        ) from error


def _send(sock: socket.socket, pieces: list[memoryview]) -> None:
    if isinstance(sock, ssl.SSLSocket):  # it has no sendmsg
        for piece in pieces:
            sock.sendall(piece)
        return
    while pieces:
        sent = sock.sendmsg(pieces[:_IOV_MAX])
        first = 0
        while first < len(pieces) and sent >= len(pieces[first]):
            sent -= len(pieces[first])
            first += 1
        pieces = pieces[first:]
        if sent:
            pieces[0] = pieces[0][sent:]


def _receive(connection: _Connection, deadline: float) -> tuple[Response, bool]:
    """Return the response and whether the connection may be used again."""
    while True:
        head = _read_head(connection, deadline)
        status, version, headers = _parse_head(head)
        if status >= 200:  # noqa: PLR2004 -- 1xx are interim (RFC 9110 15.2)
            break
    keep = version == b"HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in _BODYLESS:
        body = b""
    elif "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked":
            _malformed("transfer-encoding")
        body = _read_chunked(connection, deadline)
    elif "content-length" in headers:
        body = _read_exactly(connection, _length(headers["content-length"], 10), deadline)
    else:
        body, keep = _read_to_end(connection, deadline), False
    return Response(status, headers, body), keep and not connection.buffer


def _read_head(connection: _Connection, deadline: float) -> bytes:
    buffer = connection.buffer
    searched = 0
    while (end := buffer.find(b"\r\n\r\n", searched)) < 0:
        if len(buffer) > MAX_HEAD_BYTES:
            _malformed("head too long")
        searched = max(len(buffer) - 3, 0)
        _fill(connection, deadline)
    return _cut(buffer, end + 4)


def _parse_head(head: bytes) -> tuple[int, bytes, dict[str, str]]:
    status_line, *lines = head[:-4].split(b"\r\n")
    version, _, rest = status_line.partition(b" ")
    code = rest[:3]
    if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not code.isdigit() or len(code) != 3:  # noqa: PLR2004
        _malformed("status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or name != name.strip():
            _malformed("header")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return int(code), version, headers


def _read_chunked(connection: _Connection, deadline: float) -> bytes:
    body = bytearray()
    while True:
        size = _length(_read_line(connection, deadline).partition(b";")[0].decode("latin-1"), 16)
        if size == 0:
            while _read_line(connection, deadline):
                pass  # trailers
            return bytes(body)
        if len(body) + size > MAX_BODY_BYTES:
            _malformed("body too long")
        body += _read_exactly(connection, size, deadline)
        if _read_line(connection, deadline):
            _malformed("chunk")


def _read_line(connection: _Connection, deadline: float) -> bytes:
    buffer = connection.buffer
    while (end := buffer.find(b"\r\n")) < 0:
        if len(buffer) > MAX_HEAD_BYTES:
            _malformed("line too long")
        _fill(connection, deadline)
    return _cut(buffer, end + 2)[:-2]


def _read_exactly(connection: _Connection, size: int, deadline: float) -> bytes:
    if size > MAX_BODY_BYTES:
        _malformed("body too long")
    while len(connection.buffer) < size:
        _fill(connection, deadline)
    return _cut(connection.buffer, size)


def _read_to_end(connection: _Connection, deadline: float) -> bytes:
    while True:
        if len(connection.buffer) > MAX_BODY_BYTES:
            _malformed("body too long")
        try:
            _fill(connection, deadline)
        except ConnectionResetError:
            return _cut(connection.buffer, len(connection.buffer))


def _fill(connection: _Connection, deadline: float) -> None:
    connection.sock.settimeout(_remaining(deadline, sent=True))
    data = connection.sock.recv(_RECV_BYTES)
    if not data:
        raise ConnectionResetError("closed by the server")
    connection.buffer += data


def _cut(buffer: bytearray, count: int) -> bytes:
    data = bytes(buffer[:count])
    del buffer[:count]
    return data


def _length(text: str, base: int) -> int:
    if not text or not text.isalnum() or not text.isascii():
        _malformed("length")
    try:
        return int(text, base)
    except ValueError:
        _malformed("length")


def _malformed(what: str) -> NoReturn:
    raise HttpError(f"malformed response: {what}", sent=True)


def _remaining(deadline: float, *, sent: bool) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise HttpError("timed out", sent=sent)
    return remaining


def _is_readable(sock: socket.socket) -> bool:
    poller = select.poll()  # select() cannot take descriptors above 1023
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _is_stale(connection: _Connection, error: OSError) -> bool:
    return connection.reused and not connection.buffer and not isinstance(error, TimeoutError)


def _name(error: OSError) -> str:
    return "timed out" if isinstance(error, TimeoutError) else type(error).__name__
