"""The figures of /api/status, put together so that they never contradict each other."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

TERMINAL = ("imported", "importedWithWarning", "importedNonPrimary", "quarantined")
_RECEIVER = {
    "acked": "acked",
    "rejectedAssociations": "associations_rejected",
    "failedStores": "failed_stores",
}
FRESH_S = 1.0
"""How old figures may be."""


class Status:
    """Asks receiver, ledger and bucket, at most once a second; thread-safe."""

    def __init__(
        self,
        receiver: Callable[[], Mapping[str, Any]],
        ledger: Callable[[], Mapping[str, int]],
        landed: Callable[[float], int],
    ) -> None:
        """Keep whom to ask.

        Args:
            receiver: Returns the document of the receiver's /status.
            ledger: Returns the ledger's sums by the names of /api/status.
            landed: Takes the Unix time, returns the number of landed objects.
        """
        self._receiver = receiver
        self._ledger = ledger
        self._landed = landed
        self._lock = threading.Lock()
        self._known: dict[str, int] = {}
        self._counters: Mapping[str, Any] = {}
        self._at = float("-inf")

    def figures(self) -> dict[str, int]:
        """Return the figures, at most a second old."""
        with self._lock:
            if time.monotonic() - self._at > FRESH_S:
                self._known = self._ask()
                self._at = time.monotonic()
            return self._known

    def _ask(self) -> dict[str, int]:
        # In this order: what is acknowledged has landed, what is terminal has landed.
        with contextlib.suppress(
            OSError, ValueError, KeyError
        ):  # draining or gone: its last word stands
            self._counters = self._receiver()["counters"]
        ledger = self._ledger()
        landed = self._landed(time.time())
        terminal = sum(ledger[name] for name in TERMINAL)
        received = {name: int(self._counters.get(key, 0)) for name, key in _RECEIVER.items()}
        return {
            "acked": received["acked"],
            "landed": landed,
            **{name: ledger[name] for name in TERMINAL},
            "inFlight": landed - terminal,
            "importJobs": ledger["importJobs"],
            "rejectedAssociations": received["rejectedAssociations"],
            "failedStores": received["failedStores"],
        }


def get_json(url: str, timeout_s: float = 2.0) -> dict[str, Any]:
    """Return the JSON object at a loopback URL.

    Raises:
        OSError: Nobody answers, or with an error.
        ValueError: It is no JSON.
    """
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 (loopback)
        document: dict[str, Any] = json.load(answer)
        return document
