"""Stands before the emulated services and does to their requests what the rules say.

Every effect of the product on the world is one request. So a process that is killed before a request is
served, or after it and before the answer, is killed at every point that the world can tell apart: these
are the failpoints, and the product's code has none.
"""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from moto.sqs.models import sqs_backends

from local.healthimaging.operations import ACCOUNT_ID, REGION
from local.web import Application, Environ, Handler, StartResponse, call, respond
from tests.harness.owner import kill, owner_of
from tests.harness.requests import Name, name_of, refusal
from tests.harness.rules import Action, Rule, Rules

CONTROL = "/_gate/"
EXEMPT = "harness"
"""Access key of the test's own requests, to which nothing happens."""
_LARGEST_SKEW_S = 900
"""S3 refuses a request whose time differs by more than 15 minutes (RequestTimeTooSkewed)."""


class HangUpError(Exception):
    """The connection is reset; `partial` is sent before."""

    def __init__(self, partial: bytes = b"") -> None:
        self.partial = partial
        super().__init__("hung up")


class GateHandler(Handler):
    """A connection that can be reset."""

    def answer(self) -> None:
        """Serve a request, or hang up."""
        try:
            self._answer()
        except HangUpError as error:
            if error.partial:
                self.connection.sendall(error.partial)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - the base class's names


class Gate:
    """WSGI application before another.

    Attributes:
        rules: In force.
        seen: Requests by service and operation.
        clock_offset_s: How far the services' clock is ahead of ours.
        reports: Answers GET /_gate/<name>/<rest>, given the rest.
    """

    def __init__(self, application: Application, rules: Rules) -> None:
        self.rules = rules
        self.seen: Counter[tuple[str, str]] = Counter()
        self.clock_offset_s = 0.0
        self.reports: dict[str, Callable[[str], bytes]] = {
            "struck": lambda _: json.dumps(self.rules.struck()).encode(),
            "seen": lambda _: json.dumps([[*n, c] for n, c in self.seen.items()]).encode(),
        }
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"].startswith(CONTROL):
            return self._control(environ, start_response)
        name = name_of(environ)
        with self._lock:
            self.seen[name.service, name.operation] += 1
        if name.service == "s3" and self._is_skewed(environ):
            return self._refuse(name, start_response, code="RequestTimeTooSkewed", status=403)
        exempt = f"Credential={EXEMPT}/" in environ.get("HTTP_AUTHORIZATION", "")
        rule = None if exempt else self.rules.strike(name.service, name.operation, name.key)
        if rule is None:
            return self._application(environ, start_response)
        return self._act(rule, name, environ, start_response)

    def _act(
        self, rule: Rule, name: Name, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        match rule.action:
            case Action.REFUSE:
                return self._refuse(name, start_response, code=rule.code, status=rule.status)
            case Action.ERROR_IN_200:
                return self._refuse(name, start_response, code=rule.code, status=200)
            case Action.DELAY:
                time.sleep(rule.seconds)  # the fault itself, not a wait for anything
            case Action.STALL:
                time.sleep(rule.seconds)  # likewise
                raise HangUpError
            case Action.RESET:
                raise HangUpError
            case Action.FLIP:
                _flip(environ, self.rules.chance.random())
            case Action.KILL_BEFORE:
                self._kill(rule, environ)
            case _:
                return self._act_after(rule, environ, start_response)
        return self._application(environ, start_response)

    def _act_after(
        self, rule: Rule, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Actions on a request that is served, or on its answer."""
        if rule.action is Action.REPEAT:
            return _repeat(environ, start_response, self.rules.chance.random() * rule.seconds)
        status, headers, content = call(self._application, environ)
        match rule.action:
            case Action.SWALLOW:
                raise HangUpError
            case Action.CUT:
                raise HangUpError(f"HTTP/1.1 {status}\r\ncontent-le".encode())
            case Action.KILL_AFTER:
                self._kill(rule, environ)
            case Action.FALSE_ECHO:
                headers = [
                    (n, "AAAAAAAAAAA=" if n.lower().startswith("x-amz-checksum-crc") else v)
                    for n, v in headers
                ]
            case Action.LOSE | Action.SHUFFLE:
                headers = [(n, v) for n, v in headers if n.lower() != "content-length"]
                content = self._delivered(rule, environ, content)
            case _:
                raise AssertionError(rule.action)
        start_response(status, headers)
        return [content]

    def _refuse(
        self, name: Name, start_response: StartResponse, *, code: str, status: int
    ) -> list[bytes]:
        said = refusal(name.service, code, status)
        return respond(start_response, said.status, said.content, said.headers)

    def _kill(self, rule: Rule, environ: Environ) -> None:
        pid = owner_of(int(environ["REMOTE_PORT"]), int(environ["SERVER_PORT"]))
        if pid is not None:
            kill(pid, whole_task=rule.whole_task)
        raise HangUpError

    def _delivered(self, rule: Rule, environ: Environ, content: bytes) -> bytes:
        document = json.loads(content or b"{}")
        messages = document.get("Messages", [])
        if rule.action is Action.SHUFFLE:
            self.rules.chance.shuffle(messages)
        else:
            for message in messages:
                _queues().delete_message(_queue_name(environ), message["ReceiptHandle"])
            document.pop("Messages", None)
        return json.dumps(document).encode()

    def _is_skewed(self, environ: Environ) -> bool:
        said = environ.get("HTTP_X_AMZ_DATE")
        if not self.clock_offset_s or not said:
            return False
        at = datetime.strptime(str(said), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        return abs(time.time() + self.clock_offset_s - at) > _LARGEST_SKEW_S

    def _control(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        what, _, rest = environ["PATH_INFO"].removeprefix(CONTROL).partition("/")
        if environ["REQUEST_METHOD"] == "PUT" and what == "rules":
            documents = json.loads(environ["wsgi.input"].read())
            self.rules.replace([Rule.from_document(document) for document in documents])
            return respond(start_response, 204)
        if environ["REQUEST_METHOD"] == "PUT" and what == "clock":
            self.clock_offset_s = float(json.loads(environ["wsgi.input"].read()))
            return respond(start_response, 204)
        if environ["REQUEST_METHOD"] == "GET" and what in self.reports:
            return respond(start_response, 200, self.reports[what](rest))
        return respond(start_response, 404, b"no such report")


def _flip(environ: Environ, where: float) -> None:
    body = bytearray(environ["wsgi.input"].getvalue())
    if body:
        at = int(where * len(body) * 8)
        body[at // 8] ^= 1 << at % 8
        environ["wsgi.input"] = io.BytesIO(bytes(body))


def _repeat(environ: Environ, start_response: StartResponse, seconds: float) -> list[bytes]:
    body = json.loads(environ["wsgi.input"].getvalue())
    _queues().change_message_visibility(_queue_name(environ), body["ReceiptHandle"], int(seconds))
    return respond(start_response, 200, b"{}", [("Content-Type", "application/x-amz-json-1.0")])


def _queue_name(environ: Environ) -> str:
    body = json.loads(environ["wsgi.input"].getvalue())
    return str(body["QueueUrl"]).rpartition("/")[2]


def _queues() -> Any:
    return sqs_backends[ACCOUNT_ID][REGION]
