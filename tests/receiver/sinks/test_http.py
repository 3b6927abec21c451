"""The HTTP client against raw sockets: what it takes, what it refuses, what it keeps."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from awscrt.checksums import crc64nvme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from receiver.ports import StoreError
from receiver.sinks.http import HttpPool
from receiver.sinks.response import MAX_BODY_BYTES, MAX_HEAD_BYTES, HttpError, Response
from receiver.sinks.s3 import make_s3_sink
from tests.receiver.sinks.fake_s3 import encoded

REQUEST = b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\n"


@contextlib.contextmanager
def _serving(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer the requests of one connection at a time with `answers`, then close it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    stream = tls.wrap_socket(connection, server_side=True) if tls else connection
                    with stream:
                        for answer in answers:
                            received = b""
                            while not received.endswith(b"\r\n\r\nbody"):
                                if not (data := stream.recv(65536)):
                                    break
                                received += data
                            stream.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _exchange(*answers: bytes, times: int = 1) -> list[Response]:
    with _serving(*answers) as port:
        pool = HttpPool("127.0.0.1", port, None)
        try:
            return [
                pool.exchange(REQUEST, [memoryview(b"body")], time.monotonic() + 5)
                for _ in range(times)
            ]
        finally:
            pool.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a"),
        (
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\n"
            ),
            b"abc0123456789",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"ok",
        ),
    ],
    ids=["length", "no content", "to the end", "1.0", "chunked", "interim"],
)
def test_responses_are_read_whole(answer: bytes, body: bytes) -> None:
    """Every framing that HTTP/1.1 has."""
    (response,) = _exchange(answer)

    assert body == response.body


def test_header_names_are_case_insensitive() -> None:
    """S3 writes ETag, a proxy etag."""
    (response,) = _exchange(b'HTTP/1.1 200 OK\r\nETag:  "x" \r\ncontent-length: 0\r\n\r\n')

    assert '"x"' == response.headers["etag"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1_0\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD_BYTES + 10),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"",
    ],
    ids=[
        "version",
        "status",
        "no colon",
        "blank in name",
        "negative length",
        "underscore in length",
        "body too long",
        "unknown coding",
        "chunk size",
        "chunk end",
        "head too long",
        "cut short",
        "nothing",
    ],
)
def test_anything_else_is_no_response(answer: bytes) -> None:
    """It raises, and says that the request may have arrived."""
    with pytest.raises(HttpError) as raised:
        _exchange(answer)
    assert raised.value.sent


def test_a_connection_is_used_again() -> None:
    """Two requests, one connection."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    assert [b"ok", b"ok"] == [response.body for response in _exchange(answer, answer, times=2)]


def test_a_reused_connection_that_ends_is_stale() -> None:
    """The caller may try again at once, without a pause."""
    with _serving(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as port:
        pool = HttpPool("127.0.0.1", port, None)
        pool.exchange(REQUEST, [memoryview(b"body")], time.monotonic() + 5)
        with pytest.raises(HttpError) as raised:
            pool.exchange(REQUEST, [memoryview(b"body")], time.monotonic() + 5)
        pool.close()

    assert (True, True) == (raised.value.stale, raised.value.sent)


# TLS and endpoints.


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file of the authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = tmp_path / "authority.pem"
    authority.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = tmp_path / "key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return context, authority


def _put_over_tls(port: int, environ: dict[str, str]) -> None:
    sink = make_s3_sink("bucket", {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}", **environ})
    try:
        sink.put(
            "k",
            [memoryview(b"bo"), memoryview(b"dy")],
            size=4,
            crc64nvme=crc64nvme(b"body"),
            metadata={},
            deadline=time.monotonic() + 2,
        )
    finally:
        sink.close()


@pytest.mark.usefixtures("_keys")
def test_tls_is_verified(certificate: tuple[ssl.SSLContext, Path]) -> None:
    """A server that no known authority vouches for gets no byte of an image."""
    context, authority = certificate
    echo = encoded(b"body").encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-amz-checksum-crc64nvme: " + echo
    with _serving(answer + b"\r\n\r\n", tls=context) as port:
        _put_over_tls(port, {"AWS_CA_BUNDLE": str(authority)})
        with pytest.raises(StoreError, match="SSLCertVerificationError"):
            _put_over_tls(port, {})


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_reads_slowly_is_left_at_the_deadline(
    certificate: tuple[ssl.SSLContext, Path], scheme: str
) -> None:
    """Each send makes some progress, and still the sender is told in time."""
    context, authority = certificate
    with_tls = scheme == "https"
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def read_slowly() -> None:
        connection, _ = listener.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        stream = context.wrap_socket(connection, server_side=True) if with_tls else connection
        with contextlib.suppress(OSError), stream:
            while stream.recv(65_536) and not ended.wait(0.01):
                pass

    thread = threading.Thread(target=read_slowly, daemon=True)
    thread.start()
    tls = ssl.create_default_context(cafile=str(authority)) if with_tls else None
    body = memoryview(bytes(64 * 1024 * 1024))
    started = time.monotonic()
    try:
        with pytest.raises(HttpError, match="timed out") as raised:
            HttpPool("127.0.0.1", listener.getsockname()[1], tls).exchange(
                REQUEST, [body], started + 1.5
            )
    finally:
        ended.set()
        listener.close()
        thread.join(5)

    assert raised.value.sent
    assert time.monotonic() - started < 5


@pytest.fixture
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")


@pytest.mark.parametrize(
    ("bucket", "environ", "host", "root"),
    [
        ("b1", {"AWS_REGION": "eu-west-1"}, "b1.s3.eu-west-1.amazonaws.com", "/"),
        ("b.1", {"AWS_DEFAULT_REGION": "us-west-2"}, "s3.us-west-2.amazonaws.com", "/b.1/"),
        ("b1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "127.0.0.1:4566", "/b1/"),
        (
            "b1",
            {"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_S3": "https://vpce.example"},
            "vpce.example",
            "/b1/",
        ),
    ],
    ids=["bucket's host", "dots", "endpoint", "S3's own endpoint"],
)
def test_the_environment_names_the_endpoint(
    bucket: str, environ: dict[str, str], host: str, root: str
) -> None:
    """Virtual-hosted at AWS, by path at any endpoint that is given."""
    sink = make_s3_sink(bucket, environ)

    assert (host, root) == (sink._signer._host, sink._root)


def test_an_endpoint_of_another_scheme_is_refused() -> None:
    """A typing error is a sentence, not a connection to nowhere."""
    with pytest.raises(ValueError, match="not an endpoint"):
        make_s3_sink("b", {"AWS_ENDPOINT_URL": "ftp://h"})
