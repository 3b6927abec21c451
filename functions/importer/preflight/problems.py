"""What is wrong with a choice, said in one sentence of each language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from contract.text import Text

_SHOWN = 3
"""Ids named in one sentence; the console cuts long ones."""


class Severity(Enum):
    """Whether the stack can work all the same."""

    FAULT = "fault"
    """The stack would fail, or would never receive an image."""
    WARNING = "warning"
    """It may be meant, or it hurts later: said, but not refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem.

    Attributes:
        parameters: Those that the user would change; on an update, a fault counts only if one of them changed.
        text: Names the parameter, the value and what to do.
        severity: Whether it stops the stack.
    """

    parameters: tuple[str, ...]
    text: Text
    severity: Severity


def fault(*parameters: str, en: str, ja: str) -> Problem:
    """Return a problem that stops the stack."""
    return Problem(parameters=parameters, text=Text(en, ja), severity=Severity.FAULT)


def warning(*parameters: str, en: str, ja: str) -> Problem:
    """Return a problem that is only said."""
    return Problem(parameters=parameters, text=Text(en, ja), severity=Severity.WARNING)


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names for a sentence, the first few of them."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ..."
