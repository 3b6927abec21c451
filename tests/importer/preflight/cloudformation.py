"""CloudFormation's end of a custom resource: a real HTTP server that takes the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Mailbox:
    """What was PUT, and what to answer first (HTTP status; 0 cuts the connection)."""

    url: str = ""
    script: list[int] = field(default_factory=list)
    requests: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    """Method, content type, body."""

    @property
    def answer(self) -> dict[str, Any]:
        """The one answer that was taken."""
        [(_, _, body)] = self.requests
        answer: dict[str, Any] = json.loads(body)
        return answer


@contextmanager
def mailbox(*script: int) -> Iterator[Mailbox]:
    """Serve until the context is left."""
    box = Mailbox(script=list(script))

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            box.requests.append((self.command, self.headers["Content-Type"], body))
            status = box.script.pop(0) if box.script else 200
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        box.url = f"http://127.0.0.1:{server.server_port}/answer?signature=x"
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
