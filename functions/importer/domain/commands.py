"""What an operator asks for, as an event, and what is answered.

The same event comes from the dashboard's buttons (a custom widget's `cwdb-action`), from `make redrive`
and from anybody who may invoke the function:

    {"action": "redrive", "operator": "j.doe", "key": "incoming/.../x.dcm"}   one quarantined object
    {"action": "redrive", "operator": "j.doe", "batch": "20261123T22-..."}    all of a batch
    {"action": "redrive", "operator": "j.doe", "all": true}                   all; go on with "after"
    {"action": "release", "operator": "j.doe", "key" or "batch": ...}         let originals expire

`release` has no "all": a warned or conflicting original may be the only copy of what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from contract.keys import BatchId, InstanceKey, InvalidKeyError

LIMIT = 5_000
"""Objects that one run asks for, about; a command for everything goes on where it stopped."""
_OPERATOR = re.compile(r"[\w.@:/+=,-][\w.@:/+=, -]{0,127}", re.ASCII)


class InvalidCommandError(ValueError):
    """The event is no command; the message says what to change."""


class Action(StrEnum):
    """What can be asked for."""

    REDRIVE = "redrive"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        action: What to do.
        operator: Who asks, as the caller says; kept in the ledger and the quarantine record.
        key: Of one object, or
        batch: of a batch, or
        everything: all that is quarantined.
        after: `next` of the answer before, to go on.
        limit: Objects to ask for in this run, about (1..5,000): a batch is not divided.
    """

    action: Action
    operator: str
    key: str = ""
    batch: str = ""
    everything: bool = False
    after: str = ""
    limit: int = LIMIT

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        """Read an event.

        Raises:
            InvalidCommandError: It is no command.
        """
        try:
            action = Action(event.get("action", ""))
        except ValueError:
            raise InvalidCommandError('"action" must be "redrive" or "release"') from None
        targets = [name for name in ("key", "batch", "all") if event.get(name)]
        if len(targets) != 1:
            raise InvalidCommandError('name one of "key", "batch" and "all"')
        if action is Action.RELEASE and "all" in targets:
            raise InvalidCommandError("release takes a key or a batch, not everything")
        command = cls(
            action=action,
            operator=_operator(event),
            key=str(event.get("key") or ""),
            batch=str(event.get("batch") or ""),
            everything="all" in targets,
            after=str(event.get("after") or ""),
            limit=_limit(event.get("limit", LIMIT)),
        )
        try:
            if command.key:
                InstanceKey.parse(command.key)
            if command.batch:
                BatchId.parse(command.batch)
        except InvalidKeyError as error:
            raise InvalidCommandError(str(error)) from error
        return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was done, in objects.

    Attributes:
        asked: Given to new parts.
        parts: New parts: jobs to be started, or originals to be tagged.
        under_way: Asked for before, not answered yet (or released already).
        not_quarantined: Named, but imported or in flight.
        not_imported: Named for release, but quarantined or in flight.
        missing: Quarantined, but no longer where they landed.
        unknown: Keys or batches that the ledger does not know.
        left: Not asked for because the batch has enough open parts; ask again later.
        next: Where a command for everything goes on.
        is_cut: Whether it has to.
    """

    asked: int = 0
    parts: int = 0
    under_way: int = 0
    not_quarantined: int = 0
    not_imported: int = 0
    missing: int = 0
    unknown: int = 0
    left: int = 0
    next: str = ""
    is_cut: bool = False

    def __add__(self, other: Self) -> Self:
        theirs = other.numbers()
        sums: dict[str, Any] = {name: mine + theirs[name] for name, mine in self.numbers().items()}
        return type(self)(**sums)

    def numbers(self) -> dict[str, int]:
        """Return the numbers alone, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.type == "int"}

    def document(self) -> dict[str, Any]:
        """Return it as JSON can carry it: the numbers, and whether and where to go on."""
        return {**self.numbers(), "next": self.next, "complete": not self.is_cut}


def _operator(event: Mapping[str, Any]) -> str:
    form = ((event.get("widgetContext") or {}).get("forms") or {}).get("all") or {}
    operator = str(event.get("operator") or form.get("operator") or "").strip()
    if _OPERATOR.fullmatch(operator) is None:
        raise InvalidCommandError(
            '"operator" must say who asks: 1 to 128 letters, digits, blanks and .@:/+=,_-'
        )
    return operator


def _limit(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LIMIT:
        raise InvalidCommandError(f'"limit" must be a whole number from 1 to {LIMIT}')
    return int(value)
