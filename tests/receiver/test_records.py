"""A manifest's row: the part in C and Python write the same, which the contract reads."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.keys import BatchId
from contract.manifest import Row, row_template
from receiver import _native, native
from receiver.ports import Identity, Origin, Received
from receiver.records import _fill, encode_crc64nvme, encode_row
from receiver.shared import LATENCY_BOUNDS_S, SharedCells, SlotCounters

UIDS = st.from_regex(r"[0-9.]{1,64}", fullmatch=True)
TEXTS = st.text(max_size=20)
WORDS = st.integers(0, 2**64 - 1)


@given(UIDS, st.tuples(TEXTS, TEXTS, TEXTS), WORDS, WORDS, st.floats(0, 1e14))
def test_both_ways_write_the_same_row(
    uid: str, sender: tuple[str, str, str], size: int, crc: int, now: float
) -> None:
    """Whatever a device calls itself; and the row says what it was made from."""
    key = BatchId.new(now=0.0, lease_s=100.0).instance_key(7)
    template = row_template(("1.2", "1.2.840.10008.1.2", "1.5", ""), sender)
    row = _native.fill_row(template, key, uid, size, crc, now)

    assert row == _fill(template, key, uid, size, crc, now)
    found = Row.decode(json.loads(row))
    assert (found.key, found.sop_instance_uid, found.size) == (key, uid, size)
    assert found.crc64nvme == encode_crc64nvme(crc)
    assert (found.calling_ae_title, found.called_ae_title, found.peer) == sender
    assert found.received_at == pytest.approx(now, abs=0.000_51)


def test_a_row_is_what_the_contract_makes_of_the_instance() -> None:
    """Field by field, in the order of the stored manifests."""
    identity = Identity("1.2", "1.2.3", "1.2.4", "1.5", "1.6")
    origin = Origin(association_id="a", calling_ae_title='C"T%s', called_ae_title="S", peer="::1")
    row = encode_row(Received(identity, origin, 5, 6), key="incoming/x.dcm", now=1.25)
    same = Row(
        key="incoming/x.dcm",
        sop_instance_uid="1.2.3",
        sop_class_uid="1.2",
        transfer_syntax_uid="1.2.4",
        study_instance_uid="1.5",
        series_instance_uid="1.6",
        size=5,
        crc64nvme=encode_crc64nvme(6),
        calling_ae_title='C"T%s',
        called_ae_title="S",
        peer="::1",
        received_at=1.25,
    )
    assert Row.decode(json.loads(row)) == same
    assert list(json.loads(row)) == list(json.loads(same.encode()))


@pytest.mark.parametrize("template", ["", "%s", "%s" * 4, "%s" * 6, "%d%s%s%s%s", "%s%s%s%s%"])
def test_what_is_no_template_is_an_error(template: str) -> None:
    """Never a row with a hole in it."""
    with pytest.raises(ValueError, match="template"):
        _native.fill_row(template, "key", "1.2", 1, 2, 3.0)


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -1.0, 1e300])
def test_what_is_no_time_is_an_error(now: float) -> None:
    """JSON has no such number."""
    with pytest.raises(ValueError, match="time"):
        _native.fill_row("%s" * 5, "key", "1.2", 1, 2, now)


@pytest.mark.parametrize("is_native", [True, False])
def test_both_ways_count_the_same(monkeypatch: pytest.MonkeyPatch, *, is_native: bool) -> None:
    """Instances, bytes, and a latency's bucket."""
    monkeypatch.setattr(native, "IS_NATIVE", is_native)
    cells = SharedCells(2)
    counters = SlotCounters(cells, 1)
    counters.add_stored(1000, LATENCY_BOUNDS_S[0])
    counters.add_stored(2**40, LATENCY_BOUNDS_S[0] * 1.01)

    assert cells.totals()["acked"] == 2
    assert cells.totals()["bytes_stored"] == 1000 + 2**40
    assert cells.latency()[:2] == [1, 1]
    assert sum(cells.latency()) == 2
    cells.close()


@pytest.mark.parametrize("places", [(-1, 0, 0), (0, 3, 0), (0, 0, 2)])
def test_a_word_that_is_not_there_is_an_error(places: tuple[int, int, int]) -> None:
    """And nothing is counted."""
    memory = bytearray(24)
    counts = _native.StoredCounts(memoryview(memory).cast("Q"), *places, (0.1,))
    with pytest.raises(IndexError):
        counts.add(5, 0.2)
    assert struct.unpack("QQQ", memory) == (0, 0, 0)
    with pytest.raises(ValueError, match="bounds"):
        _native.StoredCounts(memoryview(memory), 0, 0, 0, (1.0,) * 100)
    with pytest.raises(TypeError):
        _native.StoredCounts(memoryview(memory), 0, 0, 0, ("1",))  # type: ignore[arg-type]
