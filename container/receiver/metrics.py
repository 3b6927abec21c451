"""CloudWatch metrics in embedded metric format, from what changed in the shared cells since the last line.

The parent writes them, so that no count is lost with a worker that dies.
Format: AmazonCloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from contract.metrics import DIMENSION, NAMESPACE, Metric
from receiver.shared import LATENCY_BOUNDS_S, REASON_COUNTERS, SharedCells

_COUNTED = {
    Metric.INSTANCES_STORED: "acked",
    Metric.BYTES_STORED: "bytes_stored",
    Metric.DUPLICATES_ANSWERED: "duplicates_answered",
    Metric.FAILED_STORES: "failed_stores",
    Metric.REFUSED_INSTANCES: "refused_instances",
    Metric.ASSOCIATIONS_ACCEPTED: "associations_accepted",
    Metric.ASSOCIATIONS_REJECTED: "associations_rejected",
    Metric.ASSOCIATIONS_ABORTED: "associations_aborted",
    Metric.TLS_HANDSHAKES_FAILED: "tls_handshakes_failed",
    Metric.BATCHES_SEALED: "batches_sealed",
    Metric.WORKER_RESTARTS: "worker_restarts",
    Metric.LOG_LINES_DROPPED: "log_lines_dropped",
}


def _bucket_values_ms() -> tuple[float, ...]:
    """Return what a latency in each bucket is reported as: the middle; the last one's lower bound."""
    lower = (0.0, *LATENCY_BOUNDS_S[:-1])
    middles = [(a + b) / 2 for a, b in zip(lower, LATENCY_BOUNDS_S, strict=True)]
    return tuple(round(value * 1000, 2) for value in (*middles, LATENCY_BOUNDS_S[-1]))


_BUCKET_VALUES_MS = _bucket_values_ms()


class MetricsReporter:
    """Turns the cells' totals into one EMF document per interval.

    Args:
        cells: Read, never written.
        stack_name: The metrics' only dimension.
        write: Takes each document; nothing may be cut from it.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        cells: SharedCells,
        stack_name: str,
        write: Callable[[dict[str, Any]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cells = cells
        self._stack_name = stack_name
        self._write = write
        self._clock = clock
        self._totals = cells.totals()
        self._latency = cells.latency()

    def report(self) -> None:
        """Write what was counted since the last report, zeros too: an alarm needs its data points."""
        totals, latency = self._cells.totals(), self._cells.latency()
        changed = {name: totals[name] - self._totals[name] for name in totals}
        values: dict[Metric, Any] = {metric: changed[name] for metric, name in _COUNTED.items()}
        values[Metric.ASSOCIATIONS_OPEN] = self._cells.open_associations()
        reasons = {name: changed[name] for name in REASON_COUNTERS if changed[name]}
        self._write(self._document(values, **reasons))
        if histogram := _histogram(self._latency, latency):
            # A document of its own: the two together might not fit one line of a pipe.
            self._write(self._document({Metric.STORE_LATENCY: histogram}))
        self._totals, self._latency = totals, latency

    def _document(self, values: dict[Metric, Any], **properties: object) -> dict[str, Any]:
        return metrics_document(values, self._stack_name, self._clock(), **properties)


def metrics_document(
    values: dict[Metric, Any], stack_name: str, now: float, **properties: object
) -> dict[str, Any]:
    """Return an EMF document of `values` at Unix time `now`."""
    names = [{"Name": metric.value, "Unit": metric.unit.value} for metric in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": names}
    return {
        "event": "metrics",
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]},
        DIMENSION: stack_name,
        **properties,
        **{metric.value: value for metric, value in values.items()},
    }


def _histogram(before: list[int], now: list[int]) -> dict[str, Any]:
    """Return a values-and-counts member of what came in between; empty if nothing did."""
    counts = [n - old for n, old in zip(now, before, strict=True)]
    filled = [
        (value, count) for value, count in zip(_BUCKET_VALUES_MS, counts, strict=True) if count
    ]
    if not filled:
        return {}
    return {
        "Values": [value for value, _ in filled],
        "Counts": [count for _, count in filled],
        "Min": filled[0][0],
        "Max": filled[-1][0],
        "Count": sum(counts),
        "Sum": round(sum(value * count for value, count in filled), 2),
    }
