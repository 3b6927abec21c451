"""ECS task scale-in protection: neither scaling in nor a deployment stops a task whose associations are open.

One thread of one worker (the first slot's; its replacement goes on) looks every few seconds and tells the ECS
agent through the endpoint that ECS gives each container. What fails costs protection, never an image: a task
that is stopped all the same drains.

Sources: Amazon ECS developer guide, "Amazon ECS task scale-in protection endpoint".
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from receiver.ports import Log
from receiver.shared import SharedCells
from receiver.worker import Seat

AGENT_VARIABLE = "ECS_AGENT_URI"
"""Set by ECS, in tasks of a service; nothing is protected without it."""
FIRST_SLOT = 0
POLL_S = 2.0
LINGER_S = 60.0
"""Idle for this long before the protection goes: many devices open an association for each image."""
RENEW_S = 120.0
EXPIRES_MINUTES = 5
"""More than two renewals: what ends without a word, this task or its agent, protects nothing for long."""
CAP_S = 3600.0
"""The longest in one go. A deployment waits for protected tasks, and CloudFormation waits three hours for a
deployment; a hospital that never sleeps must be able to update."""
REQUEST_S = 5.0
_STATE_PATH = "/task-protection/v1/state"


class ProtectionError(Exception):
    """The agent did not do it; the message says what it answered."""


class Agent(Protocol):
    """Who protects."""

    def set(self, minutes: int) -> None:
        """Protect this task for some minutes; 0 ends it.

        Raises:
            ProtectionError: It is not so.
        """


@dataclass(frozen=True, slots=True)
class EcsAgent:
    """The container agent's endpoint, at `uri`."""

    uri: str

    def set(self, minutes: int) -> None:
        """Protect this task for some minutes; 0 ends it.

        Raises:
            ProtectionError: It is not so.
        """
        wanted: dict[str, object] = {"ProtectionEnabled": minutes > 0}
        if minutes:
            wanted["ExpiresInMinutes"] = minutes
        try:
            answer = self._put(json.dumps(wanted).encode())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ProtectionError(type(error).__name__) from error
        protection = answer.get("protection")
        done = isinstance(protection, dict) and protection.get("ProtectionEnabled")
        if bool(done) is not (minutes > 0) or "error" in answer or "failure" in answer:
            raise ProtectionError(_why(answer))

    def _put(self, body: bytes) -> dict[str, object]:
        parts = urlsplit(self.uri)
        connection = http.client.HTTPConnection(parts.netloc, timeout=REQUEST_S)
        try:
            connection.request(
                "PUT", parts.path + _STATE_PATH, body, {"Content-Type": "application/json"}
            )
            answer = json.loads(connection.getresponse().read(65_536))
        finally:
            connection.close()
        return answer if isinstance(answer, dict) else {}


def _why(answer: dict[str, object]) -> str:
    """Return the agent's own code: `error.Code` or `failure.Reason`."""
    for part, name in (("error", "Code"), ("failure", "Reason")):
        said = answer.get(part)
        if isinstance(said, dict):
            return str(said.get(name, part))
    return "no such answer"


@dataclass(slots=True)
class Protection:
    """Decides when to protect.

    Attributes:
        agent: Is told.
        log: Of this process.
    """

    agent: Agent
    log: Log
    _began: float | None = field(default=None, init=False)
    _last_busy: float = field(default=0.0, init=False)
    _told: float | None = field(default=None, init=False)
    """When the agent last protected; None when it does not."""
    _capped: bool = field(default=False, init=False)
    _failing: bool = field(default=False, init=False)

    def step(self, now: float, *, busy: bool) -> None:
        """Do what is due.

        Args:
            now: Seconds of a monotonic clock.
            busy: Associations are open.
        """
        if busy:
            self._last_busy = now
            if self._began is None:
                self._began = now
        elif self._began is not None and now - self._last_busy >= LINGER_S:
            self._began, self._capped = None, False
        if self._began is None or self._capped:
            self._end()
        elif now - self._began >= CAP_S:
            self._capped = True
            self.log.warning("protection_capped", minutes=int(CAP_S / 60))
            self._end()
        elif self._is_due(now) and self._tell(EXPIRES_MINUTES):
            self._told = now

    def _is_due(self, now: float) -> bool:
        return self._told is None or now - self._told >= RENEW_S

    def _end(self) -> None:
        if self._told is not None and self._tell(0):
            self._told = None

    def _tell(self, minutes: int) -> bool:
        try:
            self.agent.set(minutes)
        except ProtectionError as error:
            if not self._failing:
                self.log.warning("protection_failed", detail=str(error))
            self._failing = True
            return False
        self._failing = False
        return True


def protect_in_background(
    seat: Seat,
    cells: SharedCells,
    agent: Agent,
    clock: Callable[[], float] = time.monotonic,
    poll_s: float = POLL_S,
) -> threading.Thread:
    """Protect the task until it drains; then nothing will stop it any more than it is."""
    protection = Protection(agent, seat.log)

    def watch() -> None:
        while not seat.draining.wait(poll_s):
            protection.step(clock(), busy=cells.open_associations() > 0)

    thread = threading.Thread(target=watch, name="protection", daemon=True)
    thread.start()
    return thread
