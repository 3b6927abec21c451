"""Switches that make the double behave as the real service does on a bad day."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from typing import Any, Self

SWITCHES = (
    "lostEvents",
    "duplicatedEvents",
    "failedJobs",
    "throttledStarts",
    "failedFiles",
)
"""Each is `{"probability": 0..1, "next": n}`: the next n times for sure, then by probability."""

DURATIONS = ("jobSeconds", "lateManifestSeconds")
DEFAULT_JOB_SECONDS = 2.0


class InvalidFaultsError(ValueError):
    """The description of faults names an unknown switch or an impossible value."""


class Faults:
    """The switches' positions; thread-safe, and repeatable by its seed."""

    def __init__(self, *, job_s: float = DEFAULT_JOB_SECONDS) -> None:
        """Start with every fault off.

        Args:
            job_s: How long a job takes at least.
        """
        self._lock = threading.Lock()
        self._random = random.Random(0)  # noqa: S311 (repeatable, not secret)
        self._switches = dict.fromkeys(SWITCHES, (0.0, 0))
        self._durations = {"jobSeconds": job_s, "lateManifestSeconds": 0.0}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Make switches in the positions that `document` describes.

        Raises:
            InvalidFaultsError: See `change`.
        """
        faults = cls()
        faults.change(document)
        return faults

    def change(self, document: Mapping[str, Any]) -> None:
        """Set what `document` names, leave the rest.

        Raises:
            InvalidFaultsError: Unknown name or impossible value; nothing was changed.
        """
        with self._lock:
            switches, durations = dict(self._switches), dict(self._durations)
            seed = document.get("seed")
            for name, value in document.items():
                if name in SWITCHES:
                    switches[name] = _position(name, value)
                elif name in DURATIONS:
                    durations[name] = _seconds(name, value)
                elif name != "seed":
                    raise InvalidFaultsError(f"unknown switch {name!r}")
            self._switches, self._durations = switches, durations
            if seed is not None:
                self._random.seed(seed)

    def document(self) -> dict[str, Any]:
        """Return the positions as `change` takes them."""
        with self._lock:
            switches = {
                name: {"probability": probability, "next": count}
                for name, (probability, count) in self._switches.items()
            }
            return {**switches, **self._durations}

    def strikes(self, name: str) -> bool:
        """Whether the fault `name` happens this time."""
        with self._lock:
            probability, count = self._switches[name]
            if count > 0:
                self._switches[name] = (probability, count - 1)
                return True
            return probability > 0 and self._random.random() < probability

    @property
    def job_s(self) -> float:
        """How long a job takes at least."""
        return self._durations["jobSeconds"]

    @property
    def late_manifest_s(self) -> float:
        """How long after its COMPLETED event a job's output appears."""
        return self._durations["lateManifestSeconds"]


def _position(name: str, value: Any) -> tuple[float, int]:
    if not isinstance(value, Mapping) or set(value) - {"probability", "next"}:
        raise InvalidFaultsError(f'{name} must be like {{"probability": 0.5, "next": 3}}')
    probability, count = float(value.get("probability", 0)), int(value.get("next", 0))
    if not 0 <= probability <= 1 or count < 0:
        raise InvalidFaultsError(f"{name}: probability is 0 to 1 and next is not negative")
    return probability, count


def _seconds(name: str, value: Any) -> float:
    seconds = float(value)
    if not 0 <= seconds <= 86_400:  # noqa: PLR2004 (a day)
        raise InvalidFaultsError(f"{name} must be 0 to 86400")
    return seconds
