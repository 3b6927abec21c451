"""Journals: rows that outlive the process that wrote them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from contract.keys import BatchId
from contract.manifest import Row
from receiver.journal import Journal, make_journals
from receiver.ports import StoreError

BATCH = BatchId.new(now=1_800_000_000, lease_s=120)


def _row(n: int, size: int = 10) -> bytes:
    return Row(
        key=f"{BATCH.prefix}00/{n:04d}/0123456789abcdef.dcm",
        sop_instance_uid=f"1.2.{n}",
        sop_class_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2",
        size=size,
        crc64nvme="AAAAAAAAAAA=",
    ).encode()


@pytest.fixture
def fd() -> Iterator[int]:
    (journal,) = make_journals(1)
    yield journal
    os.close(journal)


def test_a_new_journal_is_empty(fd: int) -> None:
    """Nothing is recorded before a batch is opened."""
    assert Journal(fd).is_empty
    assert Journal(fd).read() is None


def test_another_process_reads_what_a_dead_one_wrote(fd: int) -> None:
    """A child that is killed after its rows leaves them in the parent's memory file."""
    worker = (
        "import os, sys; from contract.keys import BatchId; from receiver.journal import Journal\n"
        "journal = Journal(int(sys.argv[1])); journal.open(BatchId.parse(sys.argv[2]))\n"
        "for row in sys.argv[3:]: journal.append(row.encode())\n"
        "os.kill(os.getpid(), 9)"
    )
    rows = [_row(0).decode(), _row(1, 32).decode()]
    ended = subprocess.run(
        [sys.executable, "-c", worker, str(fd), str(BATCH), *rows],
        pass_fds=[fd],
        check=False,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert -9 == ended.returncode
    found = Journal(fd).read()

    assert found is not None
    assert (BATCH, (_row(0), _row(1, 32)), 42, 0) == (
        found.batch,
        found.rows,
        found.total_bytes,
        found.torn,
    )


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_torn_last_line_is_no_row(fd: int, cut: int) -> None:
    """A line without its end was not acknowledged, even if only the line end is missing."""
    journal = Journal(fd)
    journal.open(BATCH)
    journal.append(_row(0))
    journal.append(_row(1))
    os.ftruncate(fd, os.fstat(fd).st_size - cut)
    found = Journal(fd).read()

    assert found is not None
    assert (_row(0),) == found.rows
    assert 10 == found.total_bytes
    assert 1 == found.torn


def test_a_torn_header_is_no_batch(fd: int) -> None:
    """A worker that died while it opened a batch had acknowledged nothing."""
    os.write(fd, b'{"batch":"2026')

    assert Journal(fd).read() is None


def test_own_rows_are_those_appended(fd: int) -> None:
    """Sealing reads the rows as they were appended."""
    journal = Journal(fd)
    journal.open(BATCH)
    journal.append(_row(0))
    journal.append(_row(1))

    assert _row(0) + b"\n" + _row(1) + b"\n" == journal.rows()


def test_a_reset_journal_takes_another_batch(fd: int) -> None:
    """After the manifest the slot is used again from its start."""
    journal = Journal(fd)
    journal.open(BATCH)
    journal.append(_row(0))
    journal.reset()
    other = BatchId.new(now=1_800_000_100, lease_s=120)
    journal.open(other)
    found = Journal(fd).read()

    assert found is not None
    assert (other, ()) == (found.batch, found.rows)


def test_a_short_write_leaves_no_half_row(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """When memory runs out in a row, it is taken back, and the next one is whole."""
    journal = Journal(fd)
    journal.open(BATCH)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
        with pytest.raises(StoreError, match="short write"):
            journal.append(_row(0))
    journal.append(_row(1))
    found = Journal(fd).read()

    assert found is not None
    assert ((_row(1),), 0) == (found.rows, found.torn)


def test_a_half_row_that_could_not_be_taken_back_is_not_sealed(fd: int) -> None:
    """Its instance was not acknowledged, and would break the manifest."""
    journal = Journal(fd)
    journal.open(BATCH)
    journal.append(_row(0))
    os.write(fd, _row(1)[:7])

    assert _row(0) + b"\n" == journal.rows()


def test_no_memory_is_a_store_error(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that cannot be recorded is no acknowledgement."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(fd)
    monkeypatch.setattr(os, "write", full)

    with pytest.raises(StoreError, match="No space left"):
        journal.open(BATCH)
