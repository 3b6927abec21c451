"""The sum that must always be right: where objects are, by number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import Self

from contract.states import InstanceState

COUNT_OF_STATE = {
    InstanceState.IMPORTED: "imported",
    InstanceState.IMPORTED_WITH_WARNING: "imported_with_warning",
    InstanceState.IMPORTED_NON_PRIMARY: "imported_non_primary",
    InstanceState.QUARANTINED: "quarantined",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of objects (and of jobs) of a batch, an hour or everything; also a change of them.

    Attributes:
        landed: Objects that the ledger knows of.
        imported: In HealthImaging, without remark.
        imported_with_warning: In HealthImaging, with a warning code.
        imported_non_primary: In HealthImaging, kept apart.
        quarantined: Not in HealthImaging, with a reason.
        jobs: Import jobs started.
    """

    landed: int = 0
    imported: int = 0
    imported_with_warning: int = 0
    imported_non_primary: int = 0
    quarantined: int = 0
    jobs: int = 0

    @classmethod
    def of(cls, states: Iterable[InstanceState], *, jobs: int = 0) -> Self:
        """Count objects by state."""
        numbers = dict.fromkeys((f.name for f in fields(cls)), 0)
        numbers["jobs"] = jobs
        for state in states:
            numbers["landed"] += 1
            if state.is_terminal:
                numbers[COUNT_OF_STATE[state]] += 1
        return cls(**numbers)

    @property
    def terminal(self) -> int:
        """Objects whose fate is known."""
        return (
            self.imported
            + self.imported_with_warning
            + self.imported_non_primary
            + self.quarantined
        )

    @property
    def in_flight(self) -> int:
        """Objects whose fate is open."""
        return self.landed - self.terminal

    def __add__(self, other: Self) -> Self:
        return type(self)(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )

    def __sub__(self, other: Self) -> Self:
        return type(self)(
            **{f.name: getattr(self, f.name) - getattr(other, f.name) for f in fields(self)}
        )

    def __bool__(self) -> bool:
        return any(astuple(self))
