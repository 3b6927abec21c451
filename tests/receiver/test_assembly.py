"""One instance in memory: bytes, checksum, parts, and memory returned on every path."""

from __future__ import annotations

import os
import threading

import pytest
from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver import assembly
from receiver.assembly import SINGLE_PUT_BYTES
from receiver.filemeta import file_meta
from receiver.memory import BLOCK_BYTES, PART_BYTES
from receiver.ports import StoreError
from tests.receiver.fake_storage import (
    IDENTITY,
    ORIGIN,
    Bench,
    failed,
    receive,
    wait_until,
)

META = file_meta(
    sop_class_uid=IDENTITY.sop_class_uid,
    sop_instance_uid=IDENTITY.sop_instance_uid,
    transfer_syntax_uid=IDENTITY.transfer_syntax_uid,
)
PATTERN = os.urandom(1 << 20)


def _data(size: int) -> bytes:
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _all_memory_is_free(bench: Bench) -> bool:
    return bench.memory.free_blocks == bench.memory.total_blocks


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        BLOCK_BYTES - len(META),
        BLOCK_BYTES,
        3_000_001,
        SINGLE_PUT_BYTES - len(META),
        SINGLE_PUT_BYTES - len(META) + 1,
        SINGLE_PUT_BYTES + PART_BYTES - len(META),
        40_000_003,
    ],
)
def test_the_object_is_file_meta_and_dataset(bench: Bench, size: int) -> None:
    """Whatever the size, the storage holds exactly our file meta and the sender's bytes."""
    data = _data(size)
    bench.store(data)
    (key,) = bench.sink.under("incoming/")

    assert META + data == bench.sink.objects[key]
    assert (size + len(META) > SINGLE_PUT_BYTES) == bool(bench.sink.uploads)
    assert _all_memory_is_free(bench)


@pytest.mark.parametrize("chunk", [1, 4096, 16_370, BLOCK_BYTES, 1 << 20])
def test_checksum_and_size_follow_the_bytes(bench: Bench, chunk: int) -> None:
    """At any moment they are those of the bytes taken so far."""
    data = _data(600_000 if chunk > 1 else 500)
    instance = bench.landing.begin(IDENTITY, ORIGIN)
    receive(instance, data, chunk=chunk)

    assert isinstance(instance, assembly.Instance)
    assert len(META + data) == instance.size
    assert crc64nvme(META + data) == instance.crc64nvme
    instance.discard()
    assert _all_memory_is_free(bench)


def test_space_reaches_to_the_end_of_a_block(bench: Bench) -> None:
    """A block is taken when the one before is full, and no sooner."""
    instance = bench.landing.begin(IDENTITY, ORIGIN)

    assert BLOCK_BYTES - len(META) == len(instance.space(1 << 20))
    instance.advance(BLOCK_BYTES - len(META))
    assert bench.memory.free_blocks == bench.memory.total_blocks - 1
    assert BLOCK_BYTES == len(instance.space(1 << 20))
    assert bench.memory.free_blocks == bench.memory.total_blocks - 2
    instance.discard()


def test_bytes_may_come_short_of_the_space(bench: Bench) -> None:
    """What was offered and not taken is offered again."""
    instance = bench.landing.begin(IDENTITY, ORIGIN)
    instance.space(1 << 20)
    instance.advance(10)

    assert 5 == len(instance.space(5))
    assert len(META) + 10 == instance.size
    instance.discard()


def test_unidentified_above_one_put_is_too_big(bench: Bench) -> None:
    """No upload starts before the header checks passed."""
    instance = bench.landing.begin(IDENTITY, ORIGIN)
    receive(instance, _data(SINGLE_PUT_BYTES - len(META)), identify=False)

    with pytest.raises(StoreError) as raised:
        instance.space(1)
    assert WireReason.TOO_BIG is raised.value.reason
    assert 0 == bench.sink.uploads
    instance.refuse(WireReason.TOO_BIG, "no header")
    assert _all_memory_is_free(bench)


def test_above_the_largest_instance_is_too_big(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is exact: the byte beyond it is refused before it is read."""
    monkeypatch.setattr(assembly, "MAX_INSTANCE_BYTES", 20_000_000)
    instance = bench.landing.begin(IDENTITY, ORIGIN)
    receive(instance, _data(20_000_000 - len(META)))

    with pytest.raises(StoreError) as raised:
        instance.space(1)
    assert WireReason.TOO_BIG is raised.value.reason
    instance.refuse(WireReason.TOO_BIG, "above the limit")
    wait_until(lambda: _all_memory_is_free(bench))
    assert 1 == len(bench.sink.aborted)


def test_a_giant_holds_three_parts_at_most(bench: Bench) -> None:
    """Two in flight and one being filled; the receiver waits for the storage beyond that."""
    gate = threading.Event()

    def hold(_: int) -> None:
        gate.wait(20)

    bench.sink.before_part = hold
    most = 0
    instance = bench.landing.begin(IDENTITY, ORIGIN)
    receiver = threading.Thread(target=receive, args=(instance, _data(80_000_000)), daemon=True)
    receiver.start()
    wait_until(lambda: bench.memory.total_blocks - bench.memory.free_blocks >= 96)
    for _ in range(20):
        most = max(most, bench.memory.total_blocks - bench.memory.free_blocks)
    assert receiver.is_alive()
    gate.set()
    receiver.join(20)
    instance.commit()

    assert 3 * PART_BYTES // BLOCK_BYTES == most
    (key,) = bench.sink.under("incoming/")
    assert META + _data(80_000_000) == bench.sink.objects[key]


def test_a_failed_part_stops_the_giant(bench: Bench) -> None:
    """The sender is not made to send the rest of what cannot be stored."""
    bench.sink.before_part = lambda number: failed("") if number == 2 else None
    instance = bench.landing.begin(IDENTITY, ORIGIN)

    with pytest.raises(StoreError, match="SlowDown"):
        receive(instance, _data(100_000_000))
    instance.discard()
    wait_until(lambda: _all_memory_is_free(bench))
    assert 1 == len(bench.sink.aborted)
    assert [] == bench.sink.under("incoming/")


def test_a_failed_store_returns_the_memory(bench: Bench) -> None:
    """A sink that refuses costs an A700, not memory."""
    bench.sink.before = failed

    with pytest.raises(StoreError, match="SlowDown"):
        bench.store(_data(1_000_000))
    assert _all_memory_is_free(bench)


def test_a_failed_completion_returns_the_memory(bench: Bench) -> None:
    """Likewise for a giant, whose upload is aborted."""
    bench.sink.after = failed

    with pytest.raises(StoreError, match="SlowDown"):
        bench.store(_data(20_000_000))
    wait_until(lambda: _all_memory_is_free(bench))
    assert 1 == len(bench.sink.aborted)


def test_a_giant_that_outlives_its_lease_is_refused(bench: Bench) -> None:
    """No part starts after the lease, so nothing lands that nobody could acknowledge."""
    instance = bench.landing.begin(IDENTITY, ORIGIN)
    receive(instance, _data(20_000_000))
    bench.clock.now += 7 * 3600

    with pytest.raises(StoreError) as raised:
        receive(instance, _data(20_000_000))
    assert WireReason.LEASE_ENDED is raised.value.reason
    instance.discard()
    wait_until(lambda: _all_memory_is_free(bench))


def test_small_instances_pass_a_giant_that_waits(bench: Bench) -> None:
    """Parts that hang hold their own memory and no one else's way."""
    gate = threading.Event()

    def hold(_: int) -> None:
        gate.wait(20)

    bench.sink.before_part = hold
    giant = bench.landing.begin(IDENTITY, ORIGIN)
    receive(giant, _data(SINGLE_PUT_BYTES + 1000))
    for _ in range(3):
        bench.store(_data(500_000))

    assert 3 == len(bench.sink.under("incoming/"))
    gate.set()
    giant.commit()
    assert 4 == len(bench.sink.under("incoming/"))


def test_a_task_without_threads_fails_the_giant_and_keeps_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory and its place in the batch come back, or the batch would wait for its lease."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assembly = bench.landing.begin(IDENTITY, ORIGIN)
    with pytest.raises(StoreError) as raised:
        receive(assembly, bytes(SINGLE_PUT_BYTES + 1))
    assembly.discard()

    assert WireReason.INTERNAL is raised.value.reason
    assert bench.memory.total_blocks == bench.memory.free_blocks
    assert [0] == [batch.pending for batch in bench.batches.live]
