"""Every row of the bad-input table against `python -m receiver`, and what must be true after all of them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.keys import BATCHES_PREFIX, INCOMING_PREFIX, REFUSED_PREFIX, InstanceKey
from tests.conftest import MEMORY_DISK, ROOM_BYTES
from tests.deadline import wait_until
from tests.processes import MIB
from tests.wire.row import CANARY, Row
from tests.wire.stage import Theatre, open_theatre
from tests.wire.table import CASES

pytestmark = pytest.mark.slow

ADDRESSES = {row.id: f"127.1.{n // 200}.{n % 200 + 1}" for n, row in enumerate(CASES)}
QUICK_FIRST = sorted(CASES, key=lambda row: row.slow)
"""Slow rows go on beside the others and are asked for last."""
PEAK_BYTES = 256 * MIB
"""Of 512 MiB of task memory half may hold datasets; the rows that need most send 8 and 40 MiB."""


@pytest.fixture(scope="module")
def theatre(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Theatre]:
    """Lend the receivers; slow rows that were selected are under way."""
    has_room = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > ROOM_BYTES
    directory = MEMORY_DISK if has_room else tmp_path_factory.mktemp("wire")
    with open_theatre(directory) as theatre:
        for item in request.session.items:
            row = getattr(item, "callspec", None) and item.callspec.params.get("row")  # type: ignore[attr-defined]  # of a parametrized item
            if isinstance(row, Row) and row.slow:
                theatre.start_slow(row, ADDRESSES[row.id])
        yield theatre


def test_the_table_is_complete() -> None:
    """Every row of the table has a case, and every case a name of its own."""
    assert {row.number for row in CASES} == set(range(1, 57))
    assert len(ADDRESSES) == len(CASES)


@pytest.mark.parametrize("row", QUICK_FIRST, ids=lambda row: row.id)
def test_row(theatre: Theatre, row: Row) -> None:
    """The row's answer, its log lines and counts, what landed; then an honest C-STORE within 2 s."""
    theatre.play(row, ADDRESSES[row.id])


def test_nothing_is_held_after_the_table(theatre: Theatre) -> None:
    """Threads and descriptors return to what they were, memory was and is bounded."""
    for stage in theatre.running:
        wait_until(stage.is_at_rest, f"{stage.base} again, now {stage.usage()}", within_s=20)
        assert stage.peak is not None
        assert stage.peak.peak < stage.base.memory_bytes + PEAK_BYTES
        known = stage.receiver.get("/status")[1]
        assert known["associations"] == 0
        assert known["counters"]["worker_restarts"] == 0


def test_each_refusal_is_one_line_that_names_its_sender(theatre: Theatre) -> None:
    """Lines with a reason: as many as the rows say, each with ids, peer and an escaped calling AE title."""
    for stage in theatre.stages:
        wanted = Counter(line.reason for row in stage.cases.values() for line in row.logs)
        assert stage.said() == wanted
        for line in stage.all_lines():
            assert line["peer"] in stage.cases, line
            assert line.get("association_id") or line.get("connection"), line
            assert line["event"] == "connection_cut" or line["calling_ae_title"].isascii(), line


def test_each_refusal_is_counted_once(theatre: Theatre) -> None:
    """The counters, and the metrics made of them, say what the log says."""
    for stage in theatre.running:
        assert stage.reasons() == stage.said()
        wait_until(lambda stage=stage: stage.reported() == stage.said(), "metrics")  # type: ignore[misc]  # bound now


def test_nothing_of_a_patient_is_logged(theatre: Theatre) -> None:
    """No line, at the finest level, has a value of any dataset or token; none is cut or not JSON."""
    for stage in theatre.stages:
        assert not stage.receiver.noise
        for event in stage.receiver.all_events():
            assert CANARY not in json.dumps(event)


def test_everything_acknowledged_landed_under_our_own_keys(theatre: Theatre) -> None:
    """Bytes read back are the bytes sent; no key or name has anything of the wire in it."""
    for stage in theatre.stages:
        stage.expect_digests()
        top = {path.name + "/" for path in stage.landed.root.iterdir() if path.is_dir()}
        assert top <= {INCOMING_PREFIX, BATCHES_PREFIX, REFUSED_PREFIX}
        for key in stage.landed.keys(INCOMING_PREFIX):
            InstanceKey.parse(key)
        assert not list(Path(stage.landed.root).glob("*.dcm"))
        wanted = Counter(
            line.reason for row in stage.cases.values() for line in row.logs if row.kept
        )
        assert Counter(record["reason"] for record in stage.landed.refusals()) == wanted
