"""Counts, at a run's end, what it has shown of the three lists: faults, bad inputs, weaknesses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

LISTS: Mapping[str, tuple[re.Pattern[str], int]] = {
    "faults": (re.compile(r"tests/faults/\w+\.py::test_f(\d\d)_"), 33),
    "bad inputs": (re.compile(r"tests/wire/test_table\.py::test_row\[(\d\d) "), 56),
    "weaknesses": (re.compile(r"tests/pnd_regress/\w+\.py::\w+\[P(\d+) "), 31),
}
"""Which tests are whose, and how many there are of each list."""


class Report(Protocol):
    """What pytest tells of a test."""

    nodeid: str


def shown(passed: Iterable[Report], failed: Iterable[Report]) -> list[str]:
    """Return a line for each list of which anything ran: how many of it hold."""
    held, broken = _numbers(passed), _numbers(failed)
    lines = []
    for name, (_, whole) in LISTS.items():
        if held[name] or broken[name]:
            bad = sorted(broken[name])
            failing = f", failing: {', '.join(map(str, bad))}" if bad else ""
            lines.append(f"{name}: {len(held[name] - broken[name])} of {whole}{failing}")
    return lines


def _numbers(reports: Iterable[Report]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {name: set() for name in LISTS}
    for report in reports:
        for name, (pattern, _) in LISTS.items():
            if match := pattern.search(report.nodeid):
                found[name].add(int(match[1]))
    return found
