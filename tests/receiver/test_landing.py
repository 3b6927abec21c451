"""The landing: order of durability, batches to manifests, recovery, refusals."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.keys import BatchId
from contract.manifest import Manifest, Sealer
from contract.reasons import WireReason
from receiver.journal import Journal, make_journals
from receiver.landing import make_landing
from receiver.ports import ObjectExistsError, StoreError
from receiver.recent import RecentContents
from receiver.settings import Settings
from tests.receiver.fake_storage import (
    IDENTITY,
    ORIGIN,
    STUDY,
    Bench,
    FakeCounters,
    FakeLog,
    failed,
    receive,
    wait_until,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _manifests(bench: Bench) -> list[Manifest]:
    return [Manifest.decode(bench.sink.objects[key]) for key in bench.sink.under("batches/")]


def test_a_batch_becomes_one_manifest(bench: Bench) -> None:
    """Every stored instance is a row of it, with what the object is and who sent it."""
    for _ in range(5):
        bench.store(b"x" * 1000, STUDY)
    bench.clock.now += 10
    bench.landing.seal_due()
    (manifest,) = _manifests(bench)
    row = manifest.rows[0]

    assert bench.sink.under("incoming/") == sorted(row.key for row in manifest.rows)
    assert Sealer.WORKER is manifest.sealed_by
    assert len(bench.sink.objects[row.key]) == row.size
    assert ("1.2.3.4", "1.2.3", "1.2.3.1") == (
        row.sop_instance_uid,
        row.study_instance_uid,
        row.series_instance_uid,
    )
    assert ("CT1", "STORE", "10.0.0.9") == (row.calling_ae_title, row.called_ae_title, row.peer)
    assert bench.clock.now - 10 == row.received_at
    assert {"batches_sealed": 1} == bench.counters.counts
    assert [5] == [event["count"] for event in bench.log.named("batch_sealed")]


def test_the_object_carries_what_sweep_needs(bench: Bench) -> None:
    """Without a manifest the metadata says what the object is."""
    bench.store(b"x", STUDY)
    (key,) = bench.sink.under("incoming/")

    assert "1.2.3.4" == bench.sink.metadata[key]["sop-instance-uid"]
    assert "1.2.3" == bench.sink.metadata[key]["study-instance-uid"]
    assert "CT1" == bench.sink.metadata[key]["calling-ae-title"]


def test_the_row_is_written_before_commit_returns(bench: Bench) -> None:
    """At the moment of the acknowledgement the parent's memory has it."""
    bench.store(b"x")

    assert 2 == os.pread(bench.fds[0], 10_000, 0).count(b"\n")


def test_no_row_for_what_failed(bench: Bench) -> None:
    """An instance that was not acknowledged is in no manifest."""
    bench.store(b"x")
    bench.sink.before = failed
    with pytest.raises(StoreError):
        bench.store(b"y")
    bench.sink.before = lambda _: None
    bench.clock.now += 10
    bench.landing.seal_due()

    assert [1] == [len(manifest.rows) for manifest in _manifests(bench)]


def test_a_batch_of_failures_leaves_no_manifest(bench: Bench) -> None:
    """Its journal is free again; a day of failing storage does not use them up."""
    bench.sink.before = failed
    for _ in range(50):
        with pytest.raises(StoreError, match="SlowDown"):
            bench.store(b"x")
        bench.clock.now += 61
        bench.landing.seal_due()

    assert {} == bench.sink.objects
    assert set() == bench.batches.taken


def test_nothing_is_acknowledged_after_the_lease(bench: Bench) -> None:
    """An object whose confirmation came too late is no Success, and in no manifest."""

    def late(_: str) -> None:
        bench.clock.now += 121

    bench.sink.after = late
    with pytest.raises(StoreError) as raised:
        bench.store(b"x")
    bench.sink.after = lambda _: None
    bench.landing.seal_due()

    assert WireReason.LEASE_ENDED is raised.value.reason
    assert [] == _manifests(bench)
    assert 1 == len(bench.sink.under("incoming/"))


def test_a_seal_waits_for_the_puts_in_progress(bench: Bench) -> None:
    """An instance that is being stored when its batch closes is in its manifest."""
    sealed: list[int] = []

    def meanwhile(key: str) -> None:
        if key.startswith("incoming/"):
            bench.clock.now += 61
            bench.landing.seal_due()
            sealed.append(len(bench.sink.under("batches/")))

    bench.sink.after = meanwhile
    bench.store(b"x")
    bench.landing.seal_due()

    assert [0] == sealed
    assert [1] == [len(manifest.rows) for manifest in _manifests(bench)]


def test_a_failed_seal_is_tried_again_unchanged(bench: Bench) -> None:
    """With a pause that grows; the batch's journal is held until the manifest is there."""
    bench.store(b"x")
    bench.clock.now += 10
    bench.sink.before = failed
    bench.landing.seal_due()
    bench.landing.seal_due()
    assert 1 == len(bench.log.named("batch_seal_failed")), "the second call came too early"
    bench.clock.now += 5
    bench.landing.seal_due()
    bench.sink.before = lambda _: None
    bench.clock.now += 30
    bench.landing.seal_due()

    assert 2 == len(bench.log.named("batch_seal_failed"))
    (manifest,) = _manifests(bench)
    assert bench.clock.now - 35 == manifest.sealed_at
    assert set() == bench.batches.taken


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_seal_without_a_thread_is_tried_again(
    error: Exception, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that has no thread to give for a moment goes on sealing afterwards."""
    bench.store(b"x")
    bench.clock.now += 10
    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", _raises(error))
        with pytest.raises(type(error)):
            bench.landing.tick()
    bench.landing.tick()
    wait_until(lambda: bench.sink.under("batches/") != [])

    assert [1] == [len(manifest.rows) for manifest in _manifests(bench)]


def test_a_seal_without_memory_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest that could not be prepared is prepared by the next tick."""
    bench.store(b"x")
    bench.clock.now += 10
    with monkeypatch.context() as exhausted:
        exhausted.setattr(Journal, "rows", _raises(MemoryError()))
        with pytest.raises(MemoryError):
            bench.landing.seal_due()
    bench.landing.seal_due()

    assert [1] == [len(manifest.rows) for manifest in _manifests(bench)]


@pytest.mark.parametrize(("owner", "name"), [(Journal, "append"), (BatchId, "instance_key")])
def test_a_batch_that_could_not_be_opened_takes_nothing(
    owner: type, name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next instance's row would be its journal's first line, which no manifest holds."""
    with monkeypatch.context() as exhausted:
        exhausted.setattr(owner, name, _raises(MemoryError()))
        with pytest.raises(MemoryError):
            bench.store(b"x")
    bench.store(b"y")
    bench.store(b"z")
    bench.clock.now += 10
    bench.landing.seal_due()

    assert [2] == [len(manifest.rows) for manifest in _manifests(bench)]
    assert set() == bench.batches.taken


def _raises(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_manifest_of_somebody_else_stays(bench: Bench) -> None:
    """The first writer wins; the worker says so and goes on."""
    bench.store(b"x")
    key = next(iter(bench.batches.live)).id.manifest_key
    bench.sink.objects[key] = b"sweep's"
    bench.clock.now += 10
    bench.landing.seal_due()

    assert b"sweep's" == bench.sink.objects[key]
    assert 1 == len(bench.log.named("batch_sealed_elsewhere"))
    assert [] == bench.batches.live


def test_when_every_journal_waits_the_sender_is_told(bench: Bench) -> None:
    """Manifests that cannot be written end in A700, never in an unrecorded instance."""

    def no_manifests(key: str) -> None:
        if key.startswith("batches/"):
            failed(key)

    bench.sink.before = no_manifests
    for _ in range(8):
        bench.store(b"x")
        bench.clock.now += 61
        bench.landing.seal_due()
    with pytest.raises(StoreError, match="manifest"):
        bench.store(b"x")
    bench.sink.before = lambda _: None
    bench.clock.now += 60
    bench.landing.seal_due()
    bench.store(b"x")

    assert 8 == len(_manifests(bench))


def test_a_replacement_seals_what_the_dead_left(bench: Bench) -> None:
    """From the parent's memory files, without waiting for age or lease."""
    for _ in range(3):
        bench.store(b"x")
    heir = Bench(journals=bench.fds)
    heir.landing.recover()
    (manifest,) = _manifests(heir)

    assert Sealer.REPLACEMENT is manifest.sealed_by
    assert bench.sink.under("incoming/") == sorted(row.key for row in manifest.rows)
    heir.store(b"y")
    assert set() == heir.batches.taken - {0}


def test_new_batches_leave_the_dead_ones_journals_alone(bench: Bench) -> None:
    """Instances that come before the recovery are in a batch of their own, which it leaves open."""
    bench.store(b"x")
    heir = Bench(journals=bench.fds)
    heir.store(b"y")
    heir.landing.recover()
    heir.store(b"z")
    heir.clock.now += 10
    heir.landing.seal_due()

    assert [1, 2] == sorted(len(manifest.rows) for manifest in _manifests(heir))


def test_recovery_goes_on_while_the_storage_fails(bench: Bench) -> None:
    """What cannot be sealed at start is tried again later."""
    bench.store(b"x")
    heir = Bench(journals=bench.fds)
    heir.sink.before = failed
    heir.landing.recover()
    assert [] == _manifests(heir)
    heir.sink.before = lambda _: None
    heir.clock.now += 60
    heir.landing.seal_due()

    assert [Sealer.REPLACEMENT] == [manifest.sealed_by for manifest in _manifests(heir)]
    assert set() == heir.batches.taken


def test_an_empty_batch_of_the_dead_is_forgotten(bench: Bench) -> None:
    """A worker that died between opening and acknowledging leaves nothing to seal."""
    bench.sink.after = failed
    with pytest.raises(StoreError):
        bench.store(b"x")
    heir = Bench(journals=bench.fds)
    heir.landing.recover()

    assert [] == _manifests(heir)
    assert set() == heir.batches.taken


def test_a_refused_instance_is_kept_with_its_reason(bench: Bench) -> None:
    """Under refused/, where no import job looks, and in no batch."""
    assembly = bench.landing.begin(IDENTITY, ORIGIN)
    receive(assembly, b"no dataset", identify=False)
    assembly.refuse(WireReason.UID_MISMATCH, "instance UID")
    record_key, object_key = sorted(bench.sink.under("refused/"), key=lambda k: k.endswith(".dcm"))
    record = json.loads(bench.sink.objects[record_key])

    assert bench.sink.objects[object_key].endswith(b"no dataset")
    assert ("uid_mismatch", object_key) == (record["reason"], record["key"])
    assert "CT1" == record["calling_ae_title"]
    assert [] == bench.sink.under("incoming/")
    assert [] == bench.batches.live


def test_a_refusal_that_cannot_be_kept_raises_nothing(bench: Bench) -> None:
    """The sender has its answer anyway; the log says that the bytes are gone."""
    bench.sink.before = failed
    assembly = bench.landing.begin(IDENTITY, ORIGIN)
    assembly.refuse(WireReason.UID_MISMATCH, "instance UID")

    assert ["SlowDown"] == [event["detail"] for event in bench.log.named("refused_not_kept")]
    assert bench.memory.total_blocks == bench.memory.free_blocks


def test_a_refused_giant_leaves_its_record(bench: Bench) -> None:
    """Its upload is aborted, the record says that there are no bytes."""
    assembly = bench.landing.begin(IDENTITY, ORIGIN)
    receive(assembly, bytes(20_000_000))
    assembly.refuse(WireReason.TRUNCATED, "ended early")
    wait_until(lambda: bool(bench.sink.aborted))
    (key,) = bench.sink.under("refused/")

    assert "" == json.loads(bench.sink.objects[key])["key"]
    wait_until(lambda: not bench.batches.live[0].pending)


def test_an_existing_object_is_an_error(bench: Bench) -> None:
    """A key of ours that is taken on the first try is nothing that we stored."""

    def exists(_: str) -> None:
        raise ObjectExistsError(WireReason.STORAGE_FAILED, "PreconditionFailed")

    bench.sink.before = exists
    with pytest.raises(StoreError):
        bench.store(b"x")


def test_close_seals_everything_and_admits_nothing() -> None:
    """At shutdown no batch waits for its age, and a late instance is told so."""
    bench = Bench()
    bench.store(b"x")
    bench.store(bytes(20_000_000))

    assert bench.landing.close(10)
    assert 2 == len(_manifests(bench))
    with pytest.raises(StoreError) as raised:
        bench.store(b"y")
    assert WireReason.DRAINING is raised.value.reason


def test_many_threads_store_at_once(bench: Bench) -> None:
    """Every acknowledged instance is in exactly one manifest, while batches close and leases end."""
    acked: list[int] = []

    def send(number: int) -> None:
        for n in range(40):
            try:
                bench.store(f"{number}.{n}".encode())
            except StoreError:
                continue
            acked.append(1)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        bench.clock.now += 20
        bench.landing.tick()
    for thread in threads:
        thread.join()
    assert bench.landing.close(10)
    keys = [row.key for manifest in _manifests(bench) for row in manifest.rows]

    assert 0 < len(acked) == len(keys) == len(set(keys))


def test_make_landing_lands_in_a_directory(tmp_path: Path) -> None:
    """From settings to files: instance and manifest lie under the directory of the URL."""
    settings = Settings.from_env(
        {"LANDING_URL": f"file://{tmp_path}", "MEMORY_MIB": "512", "WORKERS": "1"}
    )
    landing = make_landing(settings, make_journals(4), RecentContents(), FakeCounters(), FakeLog())
    assembly = landing.begin(IDENTITY, ORIGIN)
    receive(assembly, b"dataset")
    assembly.commit()

    assert landing.close(10)
    root = settings.landing_url.removeprefix("file://")
    found = [name for _, _, names in os.walk(root) for name in names]
    assert 1 == sum(name.endswith(".dcm") for name in found)
    (manifest,) = [name.removesuffix(".json") for name in found if name.endswith(".json")]
    ahead = BatchId.parse(manifest).deadline - time.time()
    assert settings.batch_lease_s - 30 < ahead <= settings.batch_lease_s
