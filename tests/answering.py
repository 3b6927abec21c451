"""An HTTP server whose every byte a test decides."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Wire:
    """A server that answers each request with the next of its answers, and keeps what it was sent."""

    answers: list[bytes]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while request := self._read(stream):
                self.requests.append(request)
                answer = self.answers.pop(0) if self.answers else b""
                if not answer:
                    break
                connection.sendall(answer)
                if b"\r\n\r\n" not in answer:  # cut within its headers
                    break

    def _read(self, stream: Any) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return b""
            head += line
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return head + bytes(stream.read(length))

    def close(self) -> None:
        """Stop listening and wait for the thread."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


@contextmanager
def answering(*answers: bytes) -> Iterator[Wire]:
    """Serve these answers in turn."""
    wire = Wire(list(answers))
    try:
        yield wire
    finally:
        wire.close()


def ok(body: bytes = b"") -> bytes:
    """Return a whole answer."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
