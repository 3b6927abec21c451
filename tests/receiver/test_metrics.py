from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contract.metrics import Metric
from contract.reasons import WireReason
from receiver.logs import MAX_LINE_BYTES, encode
from receiver.metrics import MetricsReporter
from receiver.shared import LATENCY_BOUNDS_S, SharedCells, SlotCounters


@pytest.fixture
def cells() -> Iterator[SharedCells]:
    cells = SharedCells(2)
    yield cells
    cells.close()


def test_each_count_is_reported_once(cells: SharedCells) -> None:
    """The sum over all reports is the total, whichever worker counted and lives."""
    written: list[dict[str, Any]] = []
    reporter = MetricsReporter(cells, "stack-1", written.append)

    SlotCounters(cells, 0).add("acked", 2)
    reporter.report()
    SlotCounters(cells, 1).add("acked", 3)
    reporter.report()
    reporter.report()

    assert [document["InstancesStored"] for document in written] == [2, 3, 0]


def test_counts_from_before_the_reporter_are_not_reported(cells: SharedCells) -> None:
    """A reporter reports changes."""
    SlotCounters(cells, 0).add("acked", 7)
    written: list[dict[str, Any]] = []

    MetricsReporter(cells, "stack-1", written.append).report()

    assert written[0]["InstancesStored"] == 0


def test_document_is_embedded_metric_format(cells: SharedCells) -> None:
    """Namespace, time in milliseconds, the stack as the only dimension, a value for each name."""
    written: list[dict[str, Any]] = []
    cells.set_associations(1, 1)

    MetricsReporter(cells, "stack-1", written.append, clock=lambda: 1_700_000_000.5).report()

    (document,) = written
    assert document["_aws"]["Timestamp"] == 1_700_000_000_500
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("StoreSCP", [["Stack"]])
    assert document["Stack"] == "stack-1"
    for metric in directive["Metrics"]:
        assert Metric(metric["Name"]).unit.value == metric["Unit"]
        assert isinstance(document[metric["Name"]], int)
    assert document["AssociationsOpen"] == 1


def test_latency_is_a_histogram_of_values_and_counts(cells: SharedCells) -> None:
    """Each store counts once, at most 13 % off, and only in the report after it."""
    written: list[dict[str, Any]] = []
    reporter = MetricsReporter(cells, "stack-1", written.append)
    for seconds in (0.020, 0.020, 1.0):
        SlotCounters(cells, 0).add_stored(1, seconds)

    reporter.report()
    reporter.report()

    (document,) = [d for d in written if "StoreLatency" in d]
    latency = document["StoreLatency"]
    assert latency["Counts"] == [2, 1]
    assert latency["Values"] == [pytest.approx(20, rel=0.13), pytest.approx(1000, rel=0.13)]
    assert (latency["Count"], latency["Min"]) == (3, latency["Values"][0])
    assert latency["Min"] * 3 < latency["Sum"] < latency["Max"] * 3


def test_reasons_are_properties_not_metrics(cells: SharedCells) -> None:
    """Reasons can be searched in the log without a dimension for each."""
    written: list[dict[str, Any]] = []
    reporter = MetricsReporter(cells, "stack-1", written.append)
    SlotCounters(cells, 0).add_reason(WireReason.LIMIT)

    reporter.report()

    assert written[0]["reason:limit"] == 1
    assert "reason:slowloris" not in written[0]
    names = {m["Name"] for m in written[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names <= {metric.value for metric in Metric}


def test_fullest_documents_fit_one_line(cells: SharedCells) -> None:
    """Every reason and every bucket at nine digits: nothing is cut from a metric."""
    written: list[dict[str, Any]] = []
    reporter = MetricsReporter(cells, "s" * 128, written.append)
    counters = SlotCounters(cells, 0)
    for reason in WireReason:
        counters.add_reason(reason)
    for bound in (*LATENCY_BOUNDS_S, 1e6):
        counters.add_stored(1, bound)
    for slot_word in range(cells.base(0) + 8, cells.base(1)):
        cells.words[slot_word] *= 123_456_789

    reporter.report()

    assert len(written) == 2
    for document in written:
        line = encode({"time": "2026-01-01T00:00:00.000Z", "level": "INFO", **document})
        assert b'"cut"' not in line
        assert len(line) <= MAX_LINE_BYTES
