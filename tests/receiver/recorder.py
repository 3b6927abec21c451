"""A log and counters that remember, for tests of the parent's parts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from contract.reasons import WireReason


class Recorder:
    """`ports.Log` and `ports.Counters` in one."""

    is_debug = True

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.counts: Counter[str] = Counter()

    def names(self) -> list[str]:
        """Return the names of the events so far."""
        return [name for name, _ in self.events]

    def reasons(self) -> list[str]:
        """Return the reasons of the events so far that have one."""
        return [str(fields["reason"]) for _, fields in self.events if "reason" in fields]

    def debug(self, event: str, **fields: object) -> None:
        """Remember the event."""
        self.events.append((event, fields))

    info = warning = error = debug

    def add(self, name: str, value: int = 1) -> None:
        """Count."""
        self.counts[name] += value

    def add_reason(self, reason: WireReason) -> None:
        """Count."""
        self.counts[reason.value] += 1

    def add_stored(self, size: int, latency_s: float) -> None:
        """Count it, and latencies above zero."""
        self.counts["acked"] += 1
        self.counts["bytes_stored"] += size
        self.counts["latencies"] += latency_s > 0
