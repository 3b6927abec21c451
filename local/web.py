"""A small threaded HTTP/1.1 server for WSGI applications, with keep-alive.

The development server of the emulator's framework closes every connection after one answer and reads
bodies in small pieces; a receiver that keeps a pool of connections to S3 needs neither.
Loopback only: no TLS, no limits, no defence.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import unquote_to_bytes

LOOPBACK = "127.0.0.1"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class Server(ThreadingMixIn, TCPServer):
    """Serves one WSGI application on the loopback address, a thread per connection."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, port: int, application: Application, handler: type[Handler] | None = None
    ) -> None:
        """Bind and listen.

        Args:
            port: TCP port; 0 takes a free one.
            application: What answers.
            handler: Serves a connection, if not as `Handler` does.

        Raises:
            OSError: The port is taken.
        """
        self.application = application
        super().__init__((LOOPBACK, port), handler or Handler)

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away; report anything else as usual."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection: requests in, answers out, until the client leaves."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _answer(self) -> None:
        body = self._read_body()
        status, headers, content = call(self.server.application, self._environ(body))
        lines = [f"{self.protocol_version} {status}"]
        names = {name.lower() for name, _ in headers}
        lines += [f"{name}: {value}" for name, value in headers]
        if "content-length" not in names:
            lines.append(f"Content-Length: {len(content)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if self.command == "HEAD":
            content = b""
        self.connection.sendall(head + content if len(content) < _JOIN_BYTES else head)
        if len(content) >= _JOIN_BYTES:
            self.connection.sendall(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = _answer  # noqa: N815 (the base class's names)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            raise ConnectionResetError("the client went away within a body")
        return body

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _environ(self, body: bytes) -> Environ:
        path, _, query = self.path.partition("?")
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "RAW_URI": self.path,
            "REQUEST_URI": self.path,
            "QUERY_STRING": query,
            "SERVER_NAME": LOOPBACK,
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": str(self.client_address[1]),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key == "CONTENT_TYPE":
                environ[key] = value
            elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
                environ[f"HTTP_{key}"] = value
        return environ

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Log nothing: thousands of PUTs have no reader."""


_JOIN_BYTES = 65_536
"""Up to here head and body go out in one system call."""


def call(application: Application, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
    """Call `application` and return its status line, headers and whole body."""
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _info: Any = None) -> None:
        answer[:] = [status, headers]

    pieces = application(environ, start_response)
    try:
        content = b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    return answer[0], answer[1], content


def one_at_a_time(application: Application) -> Application:
    """Return `application` so that it never serves two requests at once."""
    lock = threading.Lock()

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            status, headers, content = call(application, environ)
        start_response(status, headers)
        return [content]

    return serve


def respond(
    start_response: StartResponse,
    status: int,
    content: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
) -> list[bytes]:
    """Start a response with `status` and return its body."""
    start_response(f"{status} {HTTPStatus(status).phrase}", list(headers))
    return [content]
