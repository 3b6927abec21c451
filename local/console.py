"""`python -m local.console`: the console page and /api/status on the loopback address.

The page is what the stack's View function returns; its description is the first line of standard input,
and the process ends when that input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

import boto3

from local.function import Invoker, load_handler
from local.functions import Function
from local.landed import LandedCount
from local.status import Status, get_json
from local.web import Environ, Server, StartResponse, respond

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>StoreSCP</title><link rel="icon" href="data:,">
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui;margin:2rem auto;max-width:70rem;
padding:0 1rem}}table{{border-collapse:collapse;display:block;overflow-x:auto}}
td,th{{border:1px solid #8888;padding:.3rem .7rem;text-align:left}}</style></head>
<body><h1>StoreSCP</h1>
{widget}
<p>Figures: <a href="/api/status">/api/status</a></p></body></html>
"""


class Console:
    """WSGI application of the console."""

    def __init__(self, view: Invoker, status: Status) -> None:
        """Show `view` and `status`."""
        self._view = view
        self._status = status

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return respond(start_response, 405, b"only GET\n")
        if environ["PATH_INFO"] == "/api/status":
            content = json.dumps(self._status.figures()).encode() + b"\n"
            return respond(start_response, 200, content, [("Content-Type", "application/json")])
        if environ["PATH_INFO"] == "/":
            page = _PAGE.format(widget=self._view.invoke({}))
            headers = [("Content-Type", "text/html; charset=utf-8")]
            return respond(start_response, 200, page.encode(), headers)
        return respond(start_response, 404, b"not found\n")


def main() -> int:
    """Serve until standard input ends."""
    line = sys.stdin.readline()
    if not line:
        return 0
    plan: dict[str, Any] = json.loads(line)
    function = Function.from_document(plan["view"])
    os.environ.update(function.environment)
    view = Invoker(function, load_handler(function.handler))
    landed = LandedCount(boto3.client("s3"), plan["landing_bucket"])
    status = Status(
        lambda: get_json(plan["receiver_status_url"]),
        lambda: view.invoke({"figures": True}),
        landed.count,
    )
    with Server(int(plan["port"]), Console(view, status)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
