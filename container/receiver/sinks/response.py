"""One HTTP/1.1 response, read from a connection: strictly, within bounds and a deadline."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from typing import NoReturn

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
"""Of a response; S3's are below 10 KiB."""

_RECV_BYTES = 64 * 1024
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
class Connection:
    """An open connection and what was read from it too early."""

    sock: socket.socket
    used_at: float
    reused: bool = False
    buffer: bytearray = field(default_factory=bytearray)


def receive(connection: Connection, deadline: float) -> tuple[Response, bool]:
    """Return the response and whether the connection may be used again.

    Raises:
        HttpError: What came is no response, or not in time.
        OSError: The connection failed.
    """
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


def _read_head(connection: Connection, deadline: float) -> bytes:
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
    if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not code.isdigit() or len(code) != 3:  # noqa: PLR2004 - three digits
        _malformed("status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or name != name.strip():
            _malformed("header")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return int(code), version, headers


def _read_chunked(connection: Connection, deadline: float) -> bytes:
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


def _read_line(connection: Connection, deadline: float) -> bytes:
    buffer = connection.buffer
    while (end := buffer.find(b"\r\n")) < 0:
        if len(buffer) > MAX_HEAD_BYTES:
            _malformed("line too long")
        _fill(connection, deadline)
    return _cut(buffer, end + 2)[:-2]


def _read_exactly(connection: Connection, size: int, deadline: float) -> bytes:
    if size > MAX_BODY_BYTES:
        _malformed("body too long")
    while len(connection.buffer) < size:
        _fill(connection, deadline)
    return _cut(connection.buffer, size)


def _read_to_end(connection: Connection, deadline: float) -> bytes:
    while True:
        if len(connection.buffer) > MAX_BODY_BYTES:
            _malformed("body too long")
        try:
            _fill(connection, deadline)
        except ConnectionResetError:
            return _cut(connection.buffer, len(connection.buffer))


def _fill(connection: Connection, deadline: float) -> None:
    connection.sock.settimeout(remaining(deadline, sent=True))
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


def remaining(deadline: float, *, sent: bool) -> float:
    """Return the time left (s) until `deadline`.

    Raises:
        HttpError: None is left.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise HttpError("timed out", sent=sent)
    return left
