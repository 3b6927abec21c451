"""Where an instance can be; nothing else exists."""

from __future__ import annotations

from enum import StrEnum


class InstanceState(StrEnum):
    """State of a landed instance; the last four are terminal.

    A state never goes back: every ledger write is conditional on the row's state ranking lower
    (`rank`), so any step may run again, in any order, with the same end.
    """

    SEALED = "SEALED"
    """Named by a manifest; no import job has answered for it yet."""
    QUARANTINED = "QUARANTINED"
    """Kept where it landed, with a reason; an operator can redrive it."""
    IMPORTED_NON_PRIMARY = "IMPORTED_NON_PRIMARY"
    """In HealthImaging, in an image set apart because its metadata conflicts with the primary one."""
    IMPORTED_WITH_WARNING = "IMPORTED_WITH_WARNING"
    """In HealthImaging, with at least one warning code."""
    IMPORTED = "IMPORTED"
    """In HealthImaging, in the primary image set."""

    @property
    def rank(self) -> int:
        """Order of knowledge: a write may only replace a state of lower rank.

        An import's own answer outranks quarantine, because a redrive can end in it.
        """
        return _RANK[self]

    @property
    def is_terminal(self) -> bool:
        """Whether the instance's fate is known and visible."""
        return self is not InstanceState.SEALED


_RANK = {state: rank for rank, state in enumerate(InstanceState)}
TERMINAL_STATES = tuple(state for state in InstanceState if state.is_terminal)


class BatchState(StrEnum):
    """State of a batch; DONE is terminal."""

    SEALED = "SEALED"
    STARTED = "STARTED"
    """An import job was started for it (or for its parts)."""
    DONE = "DONE"
    """Every instance under its prefix is terminal."""
