from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from receiver import health as health_module
from receiver.health import Answer, HealthServer
from receiver.listener import open_listener
from tests.receiver.test_proxy import header

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Port:
    """A health server whose loop runs on a thread; `now` is its clock."""

    def __init__(self) -> None:
        self.fault = ""
        self.now = 0.0
        self._selector = selectors.DefaultSelector()
        self._server = HealthServer(
            open_listener("HEALTH_PORT", 0), self._selector, self._answer, lambda: self.now
        )
        self.port = self._server.port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def connect(self) -> socket.socket:
        """Return a client."""
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def ask(self, request: bytes) -> tuple[int, Any]:
        """Send bytes, return status and document."""
        with self.connect() as client:
            client.sendall(request)
            return response(client)

    def close(self) -> None:
        """Stop the loop."""
        self._stop.set()
        self._thread.join()
        self._server.close()
        self._selector.close()

    def _answer(self, path: str) -> Answer | None:
        if path != "/healthz":
            return None
        status = HTTPStatus.SERVICE_UNAVAILABLE if self.fault else HTTPStatus.OK
        return status, {"status": self.fault or "ok"}

    def _run(self) -> None:
        while not self._stop.is_set():
            for key, mask in self._selector.select(0.02):
                key.data(mask)
            self._server.expire(self.now)


def response(client: socket.socket) -> tuple[int, Any]:
    """Read a response to the connection's end."""
    data = b""
    while chunk := client.recv(65536):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head or not body
    return int(head.split()[1]), json.loads(body) if body else None


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


def test_healthy_task_answers_200(port: Port) -> None:
    """What the load balancer asks."""
    assert port.ask(REQUEST) == (200, {"status": "ok"})


def test_fault_answers_503_with_its_reason(port: Port) -> None:
    """A person who asks sees why."""
    port.fault = "draining"

    assert port.ask(REQUEST) == (503, {"status": "draining"})


@pytest.mark.parametrize("command", [0x20, 0x21], ids=["LOCAL", "PROXY"])
def test_one_proxy_header_is_skipped(port: Port, command: int) -> None:
    """The balancer puts one before its health checks when the target group has it on."""
    assert port.ask(header(command=command) + REQUEST)[0] == 200


@pytest.mark.parametrize("data", [REQUEST, header() + REQUEST], ids=["plain", "behind a header"])
def test_request_in_single_bytes_is_answered(port: Port, data: bytes) -> None:
    """Where the segments end means nothing."""
    with port.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            client.sendall(bytes([byte]))
        assert response(client)[0] == 200


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /healthz?x=1 HTTP/1.1", 200),
        (b"GET / HTTP/1.1", 404),
        (b"POST /healthz HTTP/1.1", 405),
    ],
)
def test_path_and_method_decide(port: Port, request_line: bytes, status: int) -> None:
    """A query is ignored, other paths and methods are refused."""
    assert port.ask(request_line + b"\r\n\r\n")[0] == status


def test_head_has_no_body(port: Port) -> None:
    """HEAD is GET without the document."""
    assert port.ask(REQUEST.replace(b"GET", b"HEAD")) == (200, None)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff garbage \r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\nnot a header",
        b"\x01\x00\x00\x00\x00\xcd\r\n\r\n",
    ],
    ids=["binary", "no path", "no signature", "A-ASSOCIATE"],
)
def test_no_http_is_cut(port: Port, data: bytes) -> None:
    """Anything else is closed, and the next client is served."""
    with port.connect() as client:
        client.sendall(data)
        assert client.recv(100) == b""
    assert port.ask(REQUEST)[0] == 200


def test_request_is_limited(port: Port) -> None:
    """No more than 8 KiB is kept."""
    with port.connect() as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n" + b"x" * 8192)
        assert client.recv(100).startswith(b"HTTP/1.1 431")


def test_silent_client_delays_nobody_and_is_closed_after_5_s(port: Port) -> None:
    """It holds a descriptor until its deadline, nothing else."""
    with port.connect() as silent, port.connect() as slow:
        slow.sendall(b"GET /hea")
        began = time.monotonic()
        assert port.ask(REQUEST)[0] == 200
        assert time.monotonic() - began < 2
        port.now = 5.0

        assert silent.recv(1) == b""
        assert slow.recv(1) == b""


def test_clients_are_limited(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest makes room, so checks get through a crowd of silent ones."""
    monkeypatch.setattr(health_module, "MAXIMUM_CLIENTS", 2)
    with port.connect() as first, port.connect(), port.connect():
        assert port.ask(REQUEST)[0] == 200
        assert first.recv(1) == b""
