"""Whether the stack may go on.

- A new stack: not with a fault.
- An update: not with a fault of something that the update changes; what was wrong before must not stand in the
  way of mending something else.
- A rollback: always. A resource that refuses the old values leaves the stack in UPDATE_ROLLBACK_FAILED; for
  the same reason an update of unknown status goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from importer.preflight.gathering import Findings
from importer.preflight.problems import Problem, Severity

CREATE = "Create"
UPDATE = "Update"
DELETE = "Delete"
_ROLLBACK = "ROLLBACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The problems that stop the stack, those that are only said, and what could not be checked."""

    stopping: tuple[Problem, ...] = ()
    said: tuple[Problem, ...] = ()
    notes: dict[str, str]


def rolls_back(status: str) -> bool:
    """Tell whether a stack's status is one of a rollback."""
    return _ROLLBACK in status


def judge(findings: Findings, changed: frozenset[str] | None) -> Verdict:
    """Sort the problems.

    Args:
        findings: What was found.
        changed: Properties that an update changes; None for a new stack.
    """
    stopping = tuple(p for p in findings.problems if _stops(p, changed))
    said = tuple(p for p in findings.problems if p not in stopping)
    return Verdict(stopping=stopping, said=said, notes=findings.notes)


def _stops(problem: Problem, changed: frozenset[str] | None) -> bool:
    if problem.severity is not Severity.FAULT:
        return False
    return changed is None or not changed.isdisjoint(problem.parameters)
