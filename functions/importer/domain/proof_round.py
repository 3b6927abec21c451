"""How far the daily proof of everything has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRound:
    """One round over every hour.

    Attributes:
        began_at: Unix time (s), 0 before the first.
        hour: The first that is not compared yet; empty between rounds.
        found: Objects that nobody can account for, in this round so far.
        proved_at: When the last whole round began (Unix s), 0 before its end.
        unaccounted: What that round found.
    """

    began_at: float = 0.0
    hour: str = ""
    found: int = 0
    proved_at: float = 0.0
    unaccounted: int = 0

    def ended(self) -> Self:
        """Return the round as over: its findings stand until the next one has ended."""
        return replace(self, hour="", found=0, proved_at=self.began_at, unaccounted=self.found)
