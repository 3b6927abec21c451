from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver.batch import MAX_INSTANCE_BYTES
from receiver.drafted import FLUSH_BYTES, DraftedInstance
from receiver.filemeta import file_meta
from receiver.memory import BLOCK_BYTES, MINIMUM_BYTES, Memory
from receiver.ports import Draft, Identity, Origin, Part, StoreError
from receiver.records import Described
from receiver.sinks.directory import DirectorySink

IDENTITY = Identity(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid="1.2.4")
ORIGIN = Origin(association_id="a", calling_ae_title="CT", called_ae_title="S", peer="127.0.0.1")
META = file_meta(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid="1.2.4")
KEY = "incoming/20260101T00/b/00/0000/x.dcm"


@dataclass
class Store:
    """Names every draft `KEY`."""

    kept: list[WireReason] = field(default_factory=list)

    def store_draft(self, instance: Described, draft: Draft) -> bool:
        draft.publish(KEY, size=instance.size)
        return True

    def keep_refused_draft(
        self, instance: Described, draft: Draft, reason: WireReason, detail: str
    ) -> None:
        assert detail
        draft.publish(KEY, size=instance.size)
        self.kept.append(reason)


@dataclass
class Bench:
    """A drafted instance in a directory, and what it takes."""

    memory: Memory
    sink: DirectorySink
    root: Path
    store: Store = field(default_factory=Store)

    def begin(self, draft: Draft | None = None) -> DraftedInstance:
        return DraftedInstance(
            self.store, self.memory.claim(), draft or self.sink.draft(), IDENTITY, ORIGIN
        )

    def content(self) -> bytes:
        return (self.root / KEY).read_bytes()

    @property
    def is_idle(self) -> bool:
        return self.memory.free_blocks == self.memory.total_blocks


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    sink = DirectorySink(tmp_path)
    yield Bench(Memory(MINIMUM_BYTES), sink, tmp_path)
    sink.close()


def _receive(instance: DraftedInstance, data: bytes, chunk: int) -> None:
    while data:
        view = instance.space(min(chunk, len(data)))
        view[:] = data[: len(view)]
        data = data[len(view) :]
        instance.advance(len(view))


@pytest.mark.parametrize("chunk", [1000, 65_536, 131_060, BLOCK_BYTES, 1 << 20])
def test_what_was_received_is_what_is_stored(bench: Bench, chunk: int) -> None:
    """File meta and dataset, byte for byte, with the checksum of both, in one block of memory."""
    data = bytes(range(256)) * 4000
    instance = bench.begin()
    _receive(instance, data, chunk)
    assert bench.memory.free_blocks == bench.memory.total_blocks - 1
    instance.commit()

    assert META + data == bench.content()
    assert (len(META + data), crc64nvme(META + data)) == (instance.size, instance.crc64nvme)
    assert bench.is_idle


def test_a_discarded_instance_leaves_nothing(bench: Bench) -> None:
    """No file and no memory."""
    instance = bench.begin()
    _receive(instance, bytes(300_000), 100_000)
    instance.discard()

    assert not list(bench.root.rglob("*.dcm"))
    assert bench.is_idle


def test_a_refused_instance_is_kept(bench: Bench) -> None:
    """Its bytes get a name too, and its reason is passed on."""
    instance = bench.begin()
    _receive(instance, b"half", 4)
    instance.refuse(WireReason.TRUNCATED, "half of it")

    assert META + b"half" == bench.content()
    assert [WireReason.TRUNCATED] == bench.store.kept
    assert bench.is_idle


class FullDisk:
    """A draft that takes one piece."""

    def __init__(self) -> None:
        self.taken = 0

    def append(self, data: memoryview) -> None:
        if self.taken:
            raise StoreError(WireReason.STORAGE_FAILED, "ENOSPC")
        self.taken += len(data)

    def publish(self, key: str, *, size: int) -> None:
        raise AssertionError((key, size))

    def discard(self) -> None:
        self.taken = 0


def test_a_failed_write_is_told_before_more_is_received(bench: Bench) -> None:
    """The next request for space raises it, so nobody receives 2 GB for nothing."""
    instance = bench.begin(FullDisk())
    _receive(instance, bytes(100_000), 100_000)
    _receive(instance, bytes(100_000), 100_000)

    with pytest.raises(StoreError, match="ENOSPC"):
        instance.space(1)
    with pytest.raises(StoreError, match="ENOSPC"):
        instance.commit()
    assert bench.is_idle


def test_an_instance_above_the_limit_is_refused(bench: Bench) -> None:
    """HealthImaging would not take it."""
    instance = bench.begin()
    instance.size = MAX_INSTANCE_BYTES - 10

    assert 10 == len(instance.space(100))
    instance.advance(10)
    with pytest.raises(StoreError, match="above"):
        instance.space(1)
    instance.discard()


@pytest.mark.parametrize("held", [100, FLUSH_BYTES, BLOCK_BYTES])
def test_a_part_goes_on_where_it_stopped(bench: Bench, held: int) -> None:
    """What is in the file, what follows it, and what is still to come: also where that fills the window."""
    whole = META + os.urandom(held + 70_000)
    written = 50_000
    fd = os.open(bench.root, os.O_TMPFILE | os.O_RDWR)
    os.pwrite(fd, whole[:written], 0)
    part = Part(
        fd=fd,
        size=written,
        crc64nvme=crc64nvme(whole[:written]),
        meta_bytes=len(META),
        held=whole[written : written + held],
        study_instance_uid="",
        series_instance_uid="",
        failure=None,
    )
    draft = bench.sink.adopt(fd, written)
    instance = DraftedInstance(
        bench.store, bench.memory.claim(), draft, IDENTITY, ORIGIN, part=part
    )
    assert len(instance.space(9_000))
    _receive(instance, whole[written + held :], 9_000)

    assert instance.commit()
    assert bench.content() == whole
    assert instance.crc64nvme == crc64nvme(whole)
    assert bench.is_idle
