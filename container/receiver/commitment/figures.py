"""The committer's metrics, in embedded metric format; it has no place in the workers' shared memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contract.metrics import Metric
from receiver.metrics import metrics_document


@dataclass(slots=True)
class Figures:
    """Counted since the last report, but for `open`: requests that are not answered, of all tasks."""

    requested: int = 0
    answered: int = 0
    undelivered: int = 0
    open: int = 0

    def report(self, stack_name: str, write: Callable[[dict[str, Any]], None], now: float) -> None:
        """Write them, zeros too: an alarm needs its data points."""
        values: dict[Metric, Any] = {
            Metric.COMMITMENTS_REQUESTED: self.requested,
            Metric.COMMITMENTS_ANSWERED: self.answered,
            Metric.COMMITMENTS_UNDELIVERED: self.undelivered,
            Metric.COMMITMENTS_OPEN: self.open,
        }
        write(metrics_document(values, stack_name, now))
        self.requested = self.answered = self.undelivered = 0
