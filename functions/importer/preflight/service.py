"""Preflight: a request in, an answer out, whatever happens in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from importer.preflight.answer import NOTHING, SUCCESS, Answer
from importer.preflight.gathering import Time, gather
from importer.preflight.ports import Sources
from importer.preflight.properties import Properties
from importer.preflight.request import Request
from importer.preflight.topics import Topics
from importer.preflight.verdict import CREATE, UPDATE, Verdict, judge, rolls_back

STACK_STATUS = "stack status"


@dataclass(frozen=True, slots=True)
class _Status:
    """Asks for the stack's status, as a topic."""

    sources: Sources
    stack_arn: str
    statuses: list[str]
    name: str = STACK_STATUS

    @property
    def work(self) -> partial[list[object]]:
        return partial(self._ask)

    def _ask(self) -> list[object]:
        self.statuses.append(self.sources.stacks().status(self.stack_arn))
        return []


def examine(request: Request, sources: Sources, time: Time, now: datetime) -> Verdict:
    """Return the verdict on a request; a Delete, and whatever else is no Create or Update, is let through."""
    if request.kind not in (CREATE, UPDATE):
        return Verdict(notes={})
    properties = Properties.of(request.properties)
    previous = Properties.of(request.previous) if request.kind == UPDATE else None
    changed = None if previous is None else properties.changed_from(previous)
    notes: dict[str, str] = {}
    if previous is not None:
        statuses: list[str] = []
        notes = gather([_Status(sources, request.stack.arn, statuses)], time).notes
        if statuses and rolls_back(statuses[0]):
            return Verdict(notes={STACK_STATUS: statuses[0]})
        if not statuses:
            changed = frozenset()
    topics = Topics(
        p=properties, previous=previous, stack=request.stack, sources=sources, now=now
    ).all()
    found = judge(gather(topics, time), changed)
    return Verdict(stopping=found.stopping, said=found.said, notes=notes | found.notes)


def answer_of_own_failure(error: Exception) -> Answer:
    """Return the answer when Preflight itself is broken: the stack goes on, as it would without."""
    return Answer(
        status=SUCCESS,
        data={"Warnings": NOTHING, "NotChecked": f"everything ({type(error).__name__})"},
    )
