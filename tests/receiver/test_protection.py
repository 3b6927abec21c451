"""Scale-in protection: asked for while associations are open, renewed, capped, given back when idle."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from receiver.protection import (
    CAP_S,
    EXPIRES_MINUTES,
    LINGER_S,
    RENEW_S,
    EcsAgent,
    Protection,
    ProtectionError,
)
from tests.deadline import wait_until
from tests.raw_scu import RawAssociation
from tests.receiver.recorder import Recorder
from tests.receiver_process import ReceiverProcess


@dataclass
class FakeAgent:
    """Remembers what it was told; refuses while `broken`."""

    told: list[int] = field(default_factory=list)
    broken: bool = False

    def set(self, minutes: int) -> None:
        """Remember."""
        if self.broken:
            raise ProtectionError("ThrottlingException")
        self.told.append(minutes)


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def protection(agent: FakeAgent, recorder: Recorder) -> Protection:
    return Protection(agent, recorder)


def test_idle_task_asks_for_nothing(protection: Protection, agent: FakeAgent) -> None:
    """An unprotected task may go at any time."""
    for now in range(1000, 2000, 10):
        protection.step(now, busy=False)

    assert agent.told == []


def test_protection_begins_with_the_first_association_and_is_renewed(
    protection: Protection, agent: FakeAgent
) -> None:
    """So often that it never lapses meanwhile, and no more often."""
    for now in range(0, 1201, 2):
        protection.step(float(now), busy=True)

    assert set(agent.told) == {EXPIRES_MINUTES}
    assert len(agent.told) == 1 + 1200 // RENEW_S
    assert 2 * RENEW_S < EXPIRES_MINUTES * 60


def test_protection_ends_once_the_task_has_been_idle(
    protection: Protection, agent: FakeAgent
) -> None:
    """Not between the images of a device that opens an association for each."""
    protection.step(0, busy=True)
    protection.step(LINGER_S - 1, busy=False)
    protection.step(LINGER_S, busy=True)
    protection.step(2 * LINGER_S - 1, busy=False)

    assert 0 not in agent.told

    protection.step(2 * LINGER_S, busy=False)
    protection.step(2 * LINGER_S + 2, busy=False)

    assert agent.told == [EXPIRES_MINUTES, 0]


def test_protection_is_capped_until_there_was_a_pause(
    protection: Protection, agent: FakeAgent, recorder: Recorder
) -> None:
    """A hospital that never sleeps can scale in and update; it is said once."""
    for now in range(0, int(CAP_S) + 1200, 2):
        protection.step(float(now), busy=True)

    assert agent.told[-1] == 0
    assert agent.told.count(0) == 1
    assert recorder.names() == ["protection_capped"]

    later = CAP_S + 1200
    protection.step(later + LINGER_S, busy=False)
    protection.step(later + LINGER_S + 2, busy=True)

    assert agent.told[-1] == EXPIRES_MINUTES


def test_an_agent_that_fails_is_asked_again_and_said_once(
    protection: Protection, agent: FakeAgent, recorder: Recorder
) -> None:
    """Both ways: to protect and to end it."""
    agent.broken = True
    protection.step(0, busy=True)
    protection.step(2, busy=True)
    agent.broken = False
    protection.step(4, busy=True)
    agent.broken = True
    protection.step(100, busy=False)
    protection.step(102, busy=False)
    agent.broken = False
    protection.step(104, busy=False)

    assert agent.told == [EXPIRES_MINUTES, 0]
    assert recorder.names() == ["protection_failed", "protection_failed"]


# The agent's endpoint


@dataclass
class Endpoint:
    """ECS's container agent: what came, and what it answers."""

    uri: str = ""
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], tuple[int, bytes]] = lambda wanted: (
        200,
        json.dumps(
            {"protection": {"ProtectionEnabled": wanted["ProtectionEnabled"], "TaskArn": "arn"}}
        ).encode(),
    )


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """Serve the endpoint until the context is left."""
    served = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.requests.append((self.path, self.headers["Content-Type"], wanted))
            status, body = served.answer(wanted)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.uri = f"http://127.0.0.1:{server.server_port}/api/0123"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def test_the_agent_is_told_as_ecs_documents_it() -> None:
    """A path below the container's own URI, JSON, minutes only to begin with."""
    with endpoint() as served:
        EcsAgent(served.uri).set(5)
        EcsAgent(served.uri).set(0)

    path = "/api/0123/task-protection/v1/state"
    assert served.requests == [
        (path, "application/json", {"ProtectionEnabled": True, "ExpiresInMinutes": 5}),
        (path, "application/json", {"ProtectionEnabled": False}),
    ]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error": {"Code": "AccessDeniedException", "Message": "x"}}', "AccessDenied"),
        (200, b'{"failure": {"Arn": "arn", "Reason": "DEPLOYMENT_BLOCKED"}}', "DEPLOYMENT_BLOCKED"),
        (200, b'{"protection": {"ProtectionEnabled": false}}', "no such answer"),
        (200, b"[]", "no such answer"),
        (502, b"<html>", "JSONDecodeError"),
    ],
    ids=["refused", "failed", "not done", "no document", "no JSON"],
)
def test_what_is_no_success_is_an_error(status: int, body: bytes, said: str) -> None:
    """With the agent's code, for the log."""
    with endpoint() as served:
        served.answer = lambda _: (status, body)
        with pytest.raises(ProtectionError, match=said):
            EcsAgent(served.uri).set(5)


def test_an_agent_that_is_not_there_is_an_error() -> None:
    """Likewise."""
    with pytest.raises(ProtectionError, match="ConnectionRefusedError"):
        EcsAgent("http://127.0.0.1:9/api").set(5)


def test_a_receiver_with_an_open_association_protects_its_task(
    start_receiver: Callable[..., ReceiverProcess],
) -> None:
    """The whole process, once ECS has given it the agent's URI; without an association nothing is asked."""
    with endpoint() as served:
        receiver = start_receiver(ECS_AGENT_URI=served.uri, WORKERS=2)
        assert served.requests == []

        with RawAssociation(receiver.port):
            wait_until(lambda: served.requests, "the task to be protected", within_s=30)

        assert served.requests[0][2] == {
            "ProtectionEnabled": True,
            "ExpiresInMinutes": EXPIRES_MINUTES,
        }
        assert receiver.events("protection_failed") == []
