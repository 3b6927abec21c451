"""Runs the topics side by side until a deadline; one that breaks or hangs becomes a note, never a fault."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from importer.adapters.clients import error_code
from importer.preflight.problems import Problem

NO_TIME = "no answer in time"
_DENIALS = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "InvalidClientTokenId"}
)
_DENIAL_WAITS_S = (2.0, 4.0)
"""The function's role was made seconds ago, and IAM tells the services of it by and by."""


class _Task(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def work(self) -> Callable[[], list[Any]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found.

    Attributes:
        problems: In the topics' order.
        notes: What could not be checked, with the reason, by topic.
    """

    problems: tuple[Problem, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A monotonic clock, a way to wait, and when to stop (seconds of that clock)."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    until: float

    @property
    def left(self) -> float:
        """Seconds that are left, at least none."""
        return max(0.0, self.until - self.clock())


def gather(topics: Sequence[_Task], time: Time) -> Findings:
    """Return what the topics found in time.

    Threads that hang are left behind: Lambda freezes them with the answer sent.
    """
    done: queue.SimpleQueue[tuple[str, list[Problem] | None, str]] = queue.SimpleQueue()
    for topic in topics:
        threading.Thread(target=_work, args=(topic, time, done), daemon=True).start()
    found: dict[str, list[Problem]] = {}
    notes = {topic.name: NO_TIME for topic in topics}
    while notes.keys() - found.keys() and len(found) < len(topics):
        try:
            name, problems, note = done.get(timeout=time.left)
        except queue.Empty:
            break
        found[name] = problems or []
        notes[name] = note
    return Findings(
        problems=tuple(problem for topic in topics for problem in found.get(topic.name, [])),
        notes={name: note for name, note in notes.items() if note},
    )


def _work(
    topic: _Task,
    time: Time,
    done: queue.SimpleQueue[tuple[str, list[Problem] | None, str]],
) -> None:
    waits = list(_DENIAL_WAITS_S)
    while True:
        try:
            done.put((topic.name, topic.work(), ""))
        except Exception as error:  # noqa: BLE001 - whatever breaks here must not refuse a hospital's stack
            code = error_code(error)
            if code in _DENIALS and waits and waits[0] < time.left:
                time.sleep(waits.pop(0))
                continue
            done.put((topic.name, None, code or type(error).__name__))
        return
