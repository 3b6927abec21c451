"""What the part in C records by itself: in the order that is the promise, and nothing that it does not know."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import shutil
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from contract.keys import BATCHES_PREFIX, MANIFEST_SUFFIX, SHARD_INSTANCES, InstanceKey
from contract.manifest import MAX_BYTES, MAX_INSTANCES, Manifest, Row
from contract.reasons import WireReason
from receiver import _native
from receiver.association import serve
from receiver.batch import Batch
from receiver.journal import Journal
from receiver.recent import RecentContents
from tests.receiver import wire
from tests.receiver.plain import ASSOCIATE, Session, instance, session, statuses
from tests.receiver.scp import context_of, wait_until


@contextmanager
def recording() -> Iterator[Session]:
    """Serve one association whose first two instances have been stored: the next are the recorder's."""
    with session(by_c=True, records=True) as served:
        served.send(ASSOCIATE, *instance(1), *instance(2))
        wait_until(lambda: len(_rows(served)) == 2)
        yield served


def _rows(served: Session) -> list[Row]:
    found = [Journal(fd).read() for fd in served.journals]
    return [Row.decode(json.loads(row)) for one in found if one for row in one.rows]


def _batch(served: Session) -> Batch:
    (batch,) = served.landing._batches.live
    return batch


def test_keys_rows_and_the_batchs_account_are_as_pythons() -> None:
    """Each under its number, in its shard's folder, which Python makes; in the order of acknowledgement."""
    count = 2 * SHARD_INSTANCES + 3
    with recording() as served:
        for n in range(3, count + 1):
            served.send(*instance(n, pixels=200 + n * 10))
        wait_until(lambda: len(_rows(served)) == count)
        rows, batch = _rows(served), _batch(served)
        served.send(wire.RELEASE)
        outcome = served.end()

        assert [row.sop_instance_uid for row in rows] == [
            f"1.2.826.{n}" for n in range(1, count + 1)
        ]
        keys = [InstanceKey.parse(row.key) for row in rows]
        assert [(key.batch, key.shard, key.n) for key in keys] == [
            (batch.id, n // SHARD_INSTANCES, n) for n in range(count)
        ]
        sizes = [(served.root / row.key).stat().st_size for row in rows]
        assert [row.size for row in rows] == sizes
        assert (batch.admitted, batch.pending, batch.acked) == (count, 0, count)
        assert batch.charged_bytes == batch.acked_bytes == sum(sizes)
        assert abs(batch.touched_at - time.time()) < 60
    assert statuses(outcome.answers) == [0] * count
    # The second, and the first of each shard.
    assert served.left == 3
    assert served.recorded == count - 4
    assert outcome.counts["acked"] == outcome.closed["stored"] == count
    assert outcome.counts["bytes_stored"] == outcome.closed["stored_bytes"] == sum(sizes)


def test_what_it_recorded_is_known_to_python_and_the_other_way_round() -> None:
    """A sender's retry is answered without a second file, over whichever association."""
    with recording() as served:
        served.send(*instance(3), *instance(3), *instance(2), *instance(4), wire.RELEASE)
        outcome = served.end()
    assert statuses(outcome.answers) == [0] * 6
    assert len(outcome.files) == len(outcome.rows) == 4
    assert outcome.counts["duplicates_answered"] == 2
    assert served.recorded == 2


def test_another_series_is_learnt_first() -> None:
    """Its rows have other UIDs."""
    other = wire.dataset(b"1.2.826.4").replace(b"1.5\0", b"1.7\0").replace(b"1.6\0", b"1.8\0")
    with recording() as served:
        served.send(*instance(3), *instance(4, other), *instance(5), wire.RELEASE)
        served.end()
        rows = _rows(served)
    plain = {(row.study_instance_uid, row.series_instance_uid) for row in (*rows[:3], rows[4])}
    assert len(plain) == 1
    assert (rows[3].study_instance_uid, rows[3].series_instance_uid) == ("1.7", "1.8")
    assert served.recorded == 1


def _close(batch: Batch) -> None:
    batch.closing = True


def _fill_count(batch: Batch) -> None:
    batch.admitted = MAX_INSTANCES


def _fill_bytes(batch: Batch) -> None:
    batch.charged_bytes = MAX_BYTES - 1


def _let_rest(batch: Batch) -> None:
    batch.touched_at -= 1_000


@pytest.mark.parametrize("change", [_close, _fill_count, _fill_bytes, _let_rest])
def test_what_its_batch_does_not_admit_is_pythons(
    change: Callable[[Batch], None],
) -> None:
    """Which opens another one, and the recorder goes on there."""
    with recording() as served:
        before = _batch(served)
        with served.landing._lock:
            change(before)
        served.send(*instance(3), *instance(4), wire.RELEASE)
        outcome = served.end()
        keys = [InstanceKey.parse(row.key) for row in _rows(served)]
    assert statuses(outcome.answers) == [0] * 4
    assert [key.batch == before.id for key in keys] == [True, True, False, False]
    assert [key.n for key in keys] == [0, 1, 0, 1]
    assert (served.left, served.recorded) == (2, 1)


def test_after_the_end_of_admission_python_decides_too() -> None:
    """The batch's age, or its lease."""
    with recording() as served:
        batch = _batch(served)
        _expect(served, closes_at=time.time(), lease_ends_at=batch.id.deadline)
        served.send(*instance(3), *instance(4), wire.RELEASE)
        outcome = served.end()
    assert len(outcome.rows) == 4
    assert (served.left, served.recorded) == (2, 1)  # told anew by the third, which Python stored


def _expect(served: Session, *, closes_at: float, lease_ends_at: float) -> None:
    landing = served.landing
    batch = _batch(served)
    assert landing.files is not None
    assert landing.files.recorder is not None
    path = f"{batch.id.prefix}00"
    directory = landing._drafts._directories._kept[path]  # type: ignore[union-attr]
    landing.files.recorder.expect(
        batch,
        served.journals[batch.slot],
        closes_at,
        lease_ends_at,
        directory,
        directory.fd,
        0,
        path,
    )


def _end_lease(served: Session) -> None:
    _expect(served, closes_at=float("inf"), lease_ends_at=time.time())


def _remove_folder(served: Session) -> None:
    shutil.rmtree(served.root / _batch(served).id.prefix)


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (_end_lease, WireReason.LEASE_ENDED, "before it was recorded"),
        (_remove_folder, WireReason.STORAGE_FAILED, "name: ENOENT"),
    ],
)
def test_what_could_not_be_recorded_is_refused(
    change: Callable[[Session], None], reason: WireReason, detail: str
) -> None:
    """A700 and the reason in the log; no row, and its place is settled."""
    with recording() as served:
        change(served)
        served.send(*instance(3))
        wait_until(lambda: served.record.counts.get("failed_stores"))
        batch, rows = _batch(served), _rows(served)
        assert (batch.admitted, batch.pending, batch.acked, len(rows)) == (3, 0, 2, 2)
        assert batch.charged_bytes > batch.acked_bytes  # it may lie there all the same
        served.peer.sendall(wire.RELEASE)
        answers = served.peer.recv(65_536)
    assert statuses(answers) == [0, 0, 0xA700]
    assert served.record.counts[f"reason:{reason.value}"] == 1
    (said,) = [fields for name, fields in served.record.events if name == "store_failed"]
    assert (said["reason"], said["detail"]) == (reason.value, detail)


def test_a_row_that_finds_no_room_is_no_acknowledgement() -> None:
    """Half of it was written: that is taken back, and what follows is whole."""
    with recording() as served:
        size = os.fstat(served.journals[_batch(served).slot]).st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Enough for the file, and not for the whole of the next row.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
        try:
            served.send(*instance(3, pixels=100))
            wait_until(lambda: served.record.counts.get("failed_stores"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert os.fstat(served.journals[_batch(served).slot]).st_size == size
        served.send(*instance(4), wire.RELEASE)
        outcome = served.end()
    assert statuses(outcome.answers) == [0, 0, 0xA700, 0]
    (said,) = [fields for name, fields in served.record.events if name == "store_failed"]
    assert said["detail"] == "journal: ENOSPC"
    assert len(outcome.rows) == 3
    assert len(outcome.files) == 4  # the one without a row is the Sweep's, as after a sudden death


def test_a_cut_stops_it_at_once_and_all_is_answered() -> None:
    """The sender goes on and on, so it never waits between two messages."""
    with recording() as served:

        def send_on() -> None:
            for n in range(3, 60_000):
                served.peer.sendall(b"".join(instance(n, pixels=500)))

        received: list[bytes] = []

        def read_on() -> None:
            while data := served.peer.recv(65_536):
                received.append(data)

        sending = threading.Thread(target=_until_broken, args=(send_on,))
        reading = threading.Thread(target=_until_broken, args=(read_on,))
        sending.start()
        reading.start()
        wait_until(lambda: len(received) > 20)
        served.cut()
        served._thread.join(10)
        assert not served._thread.is_alive()
        reading.join(10)
        served.peer.shutdown(socket.SHUT_RDWR)  # the session keeps our end open
        sending.join(10)
        rows = len(_rows(served))
    assert served.record.reasons("association_aborted") == [WireReason.DRAINING.value]
    assert statuses(b"".join(received)) == [0] * rows
    assert served.recorded > 10


def _until_broken(run: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        run()


@contextmanager
def _beside(served: Session) -> Iterator[socket.socket]:
    """Serve another association of the same landing; lend its peer's socket."""
    ours, theirs = socket.socketpair()
    context = context_of(
        served.settings,
        served.landing,
        served.record,
        watchdog=served.watchdog,
        draining=served.draining,
        cutting=served.cutting,
    )
    thread = threading.Thread(target=serve, args=(ours, "127.0.0.1", context))
    thread.start()
    theirs.settimeout(20)
    try:
        yield theirs
    finally:
        theirs.close()
        thread.join(20)
        assert not thread.is_alive()


def test_sealing_beside_it_loses_nothing() -> None:
    """Batches are closed and sealed all the time while two series come: each row is in one manifest."""
    count = 1_500
    with session(by_c=True, records=True) as served, _beside(served) as other:
        stop = threading.Event()

        def seal_on() -> None:
            while not stop.wait(0.002):
                with served.landing._lock:
                    for batch in served.landing._batches.live:
                        batch.closing = True
                served.landing.seal_due()

        def send(peer: socket.socket, first: int) -> None:
            peer.sendall(ASSOCIATE)
            for n in range(first, first + count):
                peer.sendall(b"".join(instance(n, pixels=100)))
            peer.sendall(wire.RELEASE)

        sealing = threading.Thread(target=seal_on)
        senders = [
            threading.Thread(target=send, args=args) for args in ((served.peer, 1), (other, 10_000))
        ]
        for thread in (sealing, *senders):
            thread.start()
        answered = [b"".join(iter(lambda p=p: p.recv(65_536), b"")) for p in (served.peer, other)]  # type: ignore[misc]
        for thread in senders:
            thread.join()
        stop.set()
        sealing.join()
        assert served.landing.close(10)
        manifests = [
            Manifest.decode(path.read_bytes())
            for path in (served.root / BATCHES_PREFIX).rglob(f"*{MANIFEST_SUFFIX}")
        ]
        rows = [row for manifest in manifests for row in manifest.rows]
        assert all((served.root / row.key).exists() for row in rows)
    assert [statuses(one) for one in answered] == [[0] * count] * 2
    assert sorted(row.sop_instance_uid for row in rows) == sorted(
        f"1.2.826.{n}" for first in (1, 10_000) for n in range(first, first + count)
    )
    assert len(manifests) > 20
    assert served.recorded > 100
    assert served.record.counts["acked"] == 2 * count


def test_nothing_is_kept_when_a_landing_goes() -> None:
    """The recorder keeps its batch and a folder, the series the recorder, the landing all of them."""
    with recording() as served:
        served.send(*instance(3), wire.RELEASE)
        served.end()
        gone = weakref.ref(served.landing)
    del served
    gc.collect()
    assert gone() is None


def test_a_recorder_says_what_it_is_not_given() -> None:
    """Its callers' mistakes are errors, never a crash."""
    recent = RecentContents(sets=1)

    def make(memory: object, folder_instances: int, suffix: str) -> _native.Recorder:
        return _native.Recorder(
            threading.Lock(),
            memory,  # type: ignore[arg-type]
            recent.secret,
            1.0,
            lambda _size, _latency_s: None,
            1.0,
            1,
            1,
            folder_instances,
            suffix,
        )

    for wrong in (
        (bytearray(8), 1, ""),
        (bytearray(201), 1, ""),
        (recent.memory, 0, ""),
        (recent.memory, 1, "x" * 8),
    ):
        with pytest.raises(ValueError, match="recorder"):
            make(*wrong)
    with pytest.raises(BufferError):
        make(bytes(1_000), 1, "")
    recorder = make(recent.memory, 1, "")
    with pytest.raises(TypeError):
        recorder.expect(object(), 0, 0.0, 0.0, None, 0, 0, "")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="path"):
        recorder.expect(_native.Account(), 0, 0.0, 0.0, None, 0, 0, "x" * 200)
    with pytest.raises(TypeError, match="recorder"):
        _native.Series(
            *(0, 0, _native.Windows(1), object(), None, bytearray(8192), 1, 1, 1.0, 1.0, 1.0)  # type: ignore[arg-type]
        )


def test_a_row_that_may_not_fit_is_pythons() -> None:
    """Which has room for any; none is as long."""
    with recording() as served:
        served.watch.series.expect_row(b'{"x":%s%s%s%s%s}' + b" " * 4_000, "1.5", "1.6")
        served.send(*instance(3), *instance(4), wire.RELEASE)
        outcome = served.end()
    assert len(outcome.rows) == 4
    assert served.recorded == 1


def test_a_place_is_settled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what follows the row fails: one that is settled twice is never due, or too early."""

    def fail(_entry: object) -> None:
        raise MemoryError

    with session(by_c=True) as served:
        served.send(ASSOCIATE, *instance(1))
        wait_until(lambda: len(_rows(served)) == 1)
        with monkeypatch.context() as patched:
            patched.setattr(served.landing._recent, "add", fail)
            served.send(*instance(2))
            wait_until(lambda: served.record.counts.get("failed_stores"))
        served.send(*instance(3), wire.RELEASE)
        outcome = served.end()
        batch = _batch(served)
        assert (batch.admitted, batch.pending, batch.acked) == (3, 0, 3)
    assert statuses(outcome.answers) == [0, 0x0110, 0]
