"""Logger and metrics of the functions, made once; JSON lines and embedded metric format on stdout."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from contract.metrics import DIMENSION, NAMESPACE, Metric

logger = Logger(service="importer")
metrics = Metrics(namespace=NAMESPACE)


class PowertoolsTelemetry:
    """`ports.Telemetry` on Powertools."""

    def __init__(self, *, stack_name: str, log_level: str) -> None:
        logger.setLevel(log_level)
        metrics.set_default_dimensions(**{DIMENSION: stack_name})

    def count(self, metric: Metric, value: float = 1) -> None:
        """Add a value to a metric; written by `flush`."""
        metrics.add_metric(name=metric.value, unit=MetricUnit(metric.unit.value), value=value)

    def flush(self) -> None:
        """Write the metrics gathered; nothing if there are none."""
        if metrics.metric_set:
            metrics.flush_metrics()

    def info(self, event: str, **fields: object) -> None:
        """Log what happened."""
        logger.info(event, extra=fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what somebody may have to look at."""
        logger.warning(event, extra=fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what somebody has to look at."""
        logger.error(event, extra=fields)
