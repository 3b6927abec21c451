"""A real HTTP server that acts S3, well or badly, as the test says."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from awscrt.checksums import crc64nvme

from tests.part10 import parse

CHECKSUM = "x-amz-checksum-crc64nvme"
Behaviour = Callable[["Handler", bytes], None]
"""Answers one request whose body was read."""


def encoded(data: bytes) -> str:
    """Return the checksum of `data` as S3 writes it."""
    return base64.b64encode(crc64nvme(data).to_bytes(8, "big")).decode()


def dataset_digest(stored: bytes) -> bytes:
    """Return the SHA-256 of an instance's dataset, or of all of it if it is none: what to `keep`."""
    return hashlib.sha256(parse(stored).dataset if stored[128:132] == b"DICM" else stored).digest()


@dataclass
class FakeS3:
    """What was stored and asked, and what to answer next; gigabytes are not part of its repr."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict, repr=False)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list, repr=False)
    script: list[Behaviour] = field(default_factory=list)
    """Answers for the next requests; after them the server behaves."""
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict, repr=False)
    aborted: list[str] = field(default_factory=list)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    keep: Callable[[bytes], bytes] = bytes
    """What is kept of a stored object: all of it, or a digest where gigabytes come."""

    @property
    def endpoint(self) -> str:
        """URL to reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Environment of a receiver that lands here."""
        return {
            "LANDING_URL": "s3://landing",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    s3: FakeS3

    def setup(self) -> None:
        """Count connections."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s3.connections += 1

    def do_PUT(self) -> None:
        """Read the body, then behave."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.s3.lock:
            self.s3.requests.append((self.command, self.path, headers))
            behaviour = self.s3.script.pop(0) if self.s3.script else behave
        behaviour(self, body)

    do_POST = do_DELETE = do_PUT  # noqa: N815 -- http.server's names

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        """Send a whole response."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def refusing(status: int, code: str) -> Behaviour:
    """Answer an error and store nothing."""

    def behaviour(handler: Handler, _: bytes) -> None:
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        handler.answer(status, {"content-type": "application/xml"}, body)

    return behaviour


def behave(handler: Handler, body: bytes) -> None:
    """Do as S3 does."""
    s3 = handler.s3
    url = urlsplit(handler.path)
    query = parse_qs(url.query, keep_blank_values=True)
    upload = query.get("uploadId", [""])[0]
    if handler.command == "POST" and "uploads" in query:
        upload = f'id&"{len(s3.uploads)}'
        s3.uploads[upload] = {}
        escaped = upload.replace("&", "&amp;").replace('"', "&quot;")
        handler.answer(200, {}, f"<R><UploadId>{escaped}</UploadId></R>".encode())
    elif handler.command == "POST":
        _complete(handler, url.path, upload, body)
    elif handler.command == "DELETE":
        s3.aborted.append(upload)
        handler.answer(204, {})
    elif encoded(body) != handler.headers.get(CHECKSUM):
        refusing(400, "BadDigest")(handler, body)
    elif upload:
        s3.uploads[upload][int(query["partNumber"][0])] = body
        handler.answer(200, {"ETag": f'"e{query["partNumber"][0]}"', CHECKSUM: encoded(body)})
    elif url.path in s3.objects and handler.headers.get("if-none-match") == "*":
        refusing(412, "PreconditionFailed")(handler, body)
    else:
        s3.objects[url.path] = s3.keep(body)
        handler.answer(200, {"ETag": '"e"', CHECKSUM: encoded(body)})


def _complete(handler: Handler, path: str, upload: str, body: bytes) -> None:
    s3 = handler.s3
    parts = s3.uploads[upload]
    listed = re.findall(
        rb"<ETag>(?:\"|&quot;)e(\d+)(?:\"|&quot;)</ETag><ChecksumCRC64NVME>([^<]+)<"
        rb"/ChecksumCRC64NVME><PartNumber>(\d+)</PartNumber>",
        body,
    )
    for etag, checksum, number in listed:
        assert (etag, checksum.decode()) == (number, encoded(parts[int(number)]))
    data = b"".join(parts[int(number)] for _, _, number in listed)
    assert [int(number) for _, _, number in listed] == sorted(parts)
    assert str(len(data)) == handler.headers["x-amz-mp-object-size"]
    if handler.headers[CHECKSUM] != encoded(data):
        refusing(400, "BadDigest")(handler, body)
        return
    s3.objects[path] = s3.keep(data)
    text = f"<R><ChecksumCRC64NVME>{encoded(data)}</ChecksumCRC64NVME></R>".encode()
    # As S3 does for large ones: the head at once, blanks while it works, then the document.
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    for piece in (b" ", b"  ", text):
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def wrong_echo(handler: Handler, body: bytes) -> None:
    """Store, and confirm another checksum."""
    handler.s3.objects[urlsplit(handler.path).path] = body
    handler.answer(200, {"ETag": '"e"', CHECKSUM: encoded(b"other")})


def no_echo(handler: Handler, body: bytes) -> None:
    """Store, and confirm none."""
    handler.s3.objects[urlsplit(handler.path).path] = body
    handler.answer(200, {"ETag": '"e"'})


def swallow(handler: Handler, body: bytes) -> None:
    """Store, and hang up instead of answering."""
    handler.s3.objects[urlsplit(handler.path).path] = body
    handler.hang_up()


def reset(handler: Handler, _: bytes) -> None:
    """Hang up without storing."""
    handler.hang_up()


def stall(handler: Handler, _: bytes) -> None:
    """Say nothing for longer than anybody waits."""
    handler.connection.settimeout(30)
    with contextlib.suppress(OSError):
        handler.connection.recv(1)  # until the client closes
    handler.close_connection = True


def close_idle(handler: Handler, body: bytes) -> None:
    """Behave, then close the connection without saying so."""
    behave(handler, body)
    handler.close_connection = True


def garbage(handler: Handler, _: bytes) -> None:
    """Answer what is no HTTP."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.0\r\n\r\n")
    handler.close_connection = True


def dribble(handler: Handler, _: bytes) -> None:
    """Answer a byte at a time, for ever."""
    with contextlib.suppress(OSError):
        for _second in range(300):
            handler.wfile.write(b"H")
            time.sleep(0.1)  # the bad behaviour itself, not a wait for anything
    handler.close_connection = True


@contextlib.contextmanager
def running() -> Iterator[FakeS3]:
    """Serve on a free port."""
    s3 = FakeS3()
    handler = type("ScriptedHandler", (Handler,), {"s3": s3})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    s3.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
