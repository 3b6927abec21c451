from __future__ import annotations

import itertools

import pytest

from contract.metrics import Metric, Unit
from contract.reasons import QuarantineReason, WireReason
from contract.states import TERMINAL_STATES, BatchState, InstanceState


def test_states_have_an_order() -> None:
    """No two states have the same rank, so any two writes have one end whatever their order."""
    assert len(InstanceState) == len({state.rank for state in InstanceState})


@pytest.mark.parametrize("order", list(itertools.permutations(InstanceState)))
def test_any_order_of_writes_ends_the_same(order: tuple[InstanceState, ...]) -> None:
    """Writes that may only replace a lower rank end in the highest, in all 120 orders."""
    stored = InstanceState.SEALED
    for state in order:
        if stored.rank < state.rank:
            stored = state

    assert InstanceState.IMPORTED is stored


def test_import_outranks_quarantine() -> None:
    """A redrive can end well: every imported state replaces QUARANTINED, nothing replaces it back."""
    imported = [state for state in InstanceState if state.value.startswith("IMPORTED")]

    assert 3 == len(imported)
    assert all(InstanceState.QUARANTINED.rank < state.rank for state in imported)


def test_terminal_states() -> None:
    """An instance's fate is known in exactly four states."""
    assert set(InstanceState) - {InstanceState.SEALED} == set(TERMINAL_STATES)
    assert [state for state in InstanceState if state.is_terminal] == list(TERMINAL_STATES)
    assert ["SEALED", "STARTED", "DONE"] == [state.value for state in BatchState]


@pytest.mark.parametrize("codes", [WireReason, QuarantineReason])
def test_reason_codes_are_names(codes: type[WireReason | QuarantineReason]) -> None:
    """Codes are lower case words: fit for a metric, a log query and a link to the docs."""
    for code in codes:
        assert code.value.replace("_", "").isalnum()
        assert code.value == code.value.lower()


def test_metrics_have_names_and_units() -> None:
    """Metric names are unique words in CloudWatch's style; times and sizes carry their unit."""
    assert all(metric.value.isalpha() and metric.value[0].isupper() for metric in Metric)
    assert Unit.MILLISECONDS is Metric.STORE_LATENCY.unit
    assert Unit.BYTES is Metric.BYTES_STORED.unit
    assert Unit.COUNT is Metric.INSTANCES_STORED.unit
