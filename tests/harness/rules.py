"""What shall go wrong with requests to AWS: rules as data, which a plan sends to the emulated services."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self


class Action(StrEnum):
    """What happens to a request."""

    REFUSE = "refuse"
    """It is answered with an error of the service; nothing is done."""
    ERROR_IN_200 = "error in 200"
    """The same, behind a status of 200, as CompleteMultipartUpload may."""
    DELAY = "delay"
    """It is served, `seconds` later."""
    STALL = "stall"
    """Nothing is done and nothing answered for `seconds`, then the connection ends."""
    RESET = "reset"
    """Nothing is done, the connection is reset."""
    SWALLOW = "swallow"
    """It is served, and the connection reset instead of an answer."""
    CUT = "cut"
    """It is served, and the connection reset in the middle of the answer."""
    FLIP = "flip"
    """A bit of the body is flipped on its way."""
    FALSE_ECHO = "false echo"
    """It is served, and another checksum confirmed than the one computed."""
    KILL_BEFORE = "kill before"
    """The process that sent it gets SIGKILL; nothing is done."""
    KILL_AFTER = "kill after"
    """It is served, then the process that sent it gets SIGKILL; it never reads the answer."""
    LOSE = "lose"
    """ReceiveMessage: what would be delivered is gone for good."""
    SHUFFLE = "shuffle"
    """ReceiveMessage: delivered in another order."""
    REPEAT = "repeat"
    """DeleteMessage: answered, but the message is delivered again within `seconds`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that goes wrong.

    Attributes:
        action: What.
        service: Signing name.
        operation: Name of the API action, `*` as in file names.
        key: Start of the S3 key.
        probability: How often.
        next: So many times for sure, before the probability counts.
        seconds: Of a delay, a stall, a repetition.
        code: The error that a refusal names.
        status: HTTP status of a refusal.
        whole_task: A kill takes every process of the task, as the end of a container does.
    """

    action: Action
    service: str = "s3"
    operation: str = "*"
    key: str = ""
    probability: float = 0.0
    next: int = 0
    seconds: float = 0.0
    code: str = ""
    status: int = 503
    whole_task: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a rule from JSON.

        Raises:
            TypeError: An unknown name.
            ValueError: An unknown action.
        """
        return cls(**{**document, "action": Action(document["action"])})

    def concerns(self, service: str, operation: str, key: str) -> bool:
        """Whether it is about such a request."""
        return (
            self.service == service
            and fnmatchcase(operation, self.operation)
            and key.startswith(self.key)
        )


class Rules:
    """The rules in force and how often each has struck; thread-safe, chance by a seed."""

    def __init__(self, seed: int = 0) -> None:
        """Start without a rule."""
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - replayable, no secret
        self._rules: list[Rule] = []
        self._left: list[int] = []
        self._struck: Counter[str] = Counter()

    def replace(self, rules: Sequence[Rule]) -> None:
        """Put `rules` in force instead of all others."""
        with self._lock:
            self._rules = list(rules)
            self._left = [rule.next for rule in rules]

    def strike(self, service: str, operation: str, key: str) -> Rule | None:
        """Return the first rule that strikes this request."""
        with self._lock:
            for n, rule in enumerate(self._rules):
                if not rule.concerns(service, operation, key):
                    continue
                if self._left[n] > 0:
                    self._left[n] -= 1
                elif not (rule.probability and self._random.random() < rule.probability):
                    continue
                self._struck[f"{rule.service} {operation} {rule.action}"] += 1
                return rule
        return None

    def struck(self) -> dict[str, int]:
        """Return how often what has struck, since the start."""
        with self._lock:
            return dict(self._struck)

    @property
    def chance(self) -> random.Random:
        """For what an action decides by chance."""
        return self._random
