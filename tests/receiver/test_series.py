"""Instances by the part in C: what it leaves behind is what Python would have."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from awscrt.checksums import crc64nvme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.reasons import WireReason
from receiver import _native, native
from receiver.deadlines import FOREVER
from receiver.peers import Peer
from receiver.ports import StoreError
from receiver.syntaxes import STORAGE_COMMITMENT
from tests.receiver import wire
from tests.receiver.plain import (
    ASSOCIATE,
    CONTEXTS,
    Session,
    fragments,
    instance,
    outcomes,
    session,
    statuses,
    uid_of,
)
from tests.receiver.scp import wait_until
from tests.receiver.wire import COMMAND, IMPLICIT, LAST, context, data, pdv, store_rq

ABORT = wire.pdu(7, bytes(4))


def _open_descriptors() -> int:
    gc.collect()  # what an earlier test has left
    return len(list(Path("/proc/self/fd").iterdir()))


def test_all_but_the_first_of_a_series_come_by_the_part_in_c() -> None:
    """Same files, rows, answers and counts as without it; nothing stays open."""
    open_before = _open_descriptors()
    pieces = [ASSOCIATE, *(piece for n in range(1, 8) for piece in instance(n)), wire.RELEASE]
    with_c, without, by_c = outcomes(pieces)

    assert with_c == without
    assert by_c == 6
    assert len(with_c.files) == 7
    assert _open_descriptors() <= open_before


def _element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    if vr in {b"SQ", b"OB", b"OW", b"UN", b"UT"}:
        return struct.pack("<HH2sxxL", group, number, vr, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def _undefined(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return struct.pack("<HH2sxxL", group, number, vr, 0xFFFFFFFF) + value + end


def _item(value: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def _open_item(value: bytes) -> bytes:
    end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    return struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + value + end


CLASS = wire.explicit_ui(8, 0x16, wire.CT)
STUDY = wire.explicit_ui(0x20, 0x0D, b"1.5")
SERIES = wire.explicit_ui(0x20, 0x0E, b"1.6")
PIXELS = struct.pack("<HH2sxxL", 0x7FE0, 0x10, b"OW", 300) + bytes(300)
REFERENCE = wire.explicit_ui(8, 0x1150, wire.CT) + wire.explicit_ui(8, 0x1155, b"9.9")
SOP = CLASS + wire.explicit_ui(8, 0x18, uid_of(2))
END = STUDY + SERIES + PIXELS

HEADERS: dict[str, tuple[bytes, bool]] = {
    "plain": (SOP + END, True),
    "sequence": (SOP + _element(8, 0x1140, b"SQ", _item(REFERENCE)) + END, True),
    "open sequence": (SOP + _undefined(8, 0x1140, b"SQ", _open_item(REFERENCE)) + END, True),
    "open sequence, items with a length": (
        SOP + _undefined(8, 0x1140, b"SQ", _item(REFERENCE) * 3) + END,
        True,
    ),
    "sequence within a sequence": (
        SOP
        + _undefined(
            8, 0x1140, b"SQ", _open_item(_undefined(8, 0x1199, b"SQ", _open_item(REFERENCE)))
        )
        + END,
        True,
    ),
    "a UID of a reference is not the instance's": (
        CLASS
        + _undefined(8, 0x0006, b"SQ", _open_item(wire.explicit_ui(8, 0x18, b"6.6")))
        + wire.explicit_ui(8, 0x18, uid_of(2))
        + END,
        True,
    ),
    "private": (SOP + _element(0x0009, 0x0010, b"LO", b"ME") + END, True),
    "UT and UN with a length": (SOP + _element(0x10, 0x4000, b"UT", b"text") * 2 + END, True),
    "the first of a tag counts": (SOP + wire.explicit_ui(8, 0x18, b"7.7") + END, True),
    "UN of undefined length": (
        SOP + _undefined(9, 0x1010, b"UN", _item(struct.pack("<HHL", 8, 0x16, 0))) + END,
        False,
    ),
    "unknown VR": (SOP + _element(0x10, 0x4000, b"ZZ", b"text") + END, False),
    "item out of place": (SOP + _item(b"") + END, False),
    "end out of place": (SOP + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) + END, False),
    "sequence without an end": (SOP + _undefined(8, 0x1140, b"SQ", b"")[:-8] + END, False),
    "no study": (SOP + SERIES + PIXELS, False),
    "no series": (SOP + STUDY + PIXELS, False),
    "study that is no UID": (SOP + wire.explicit_ui(0x20, 0x0D, b"name") + SERIES + PIXELS, False),
    "another instance": (CLASS + wire.explicit_ui(8, 0x18, uid_of(9)) + END, False),
    "another class": (wire.explicit_ui(8, 0x16, b"1.2.3") + SOP[len(CLASS) :] + END, False),
    "a longer instance UID": (CLASS + wire.explicit_ui(8, 0x18, uid_of(2) + b".1") + END, False),
    "padded by a blank": (
        CLASS + struct.pack("<HH2sH", 8, 0x18, b"UI", 10) + uid_of(2) + b" " + END,
        True,
    ),
    "UID of another VR": (CLASS + _element(8, 0x18, b"LO", uid_of(2) + b" ") + END, False),
    "group 0": (struct.pack("<HHL", 0, 0, 4) + bytes(4) + SOP + END, False),
    "file meta": (wire.explicit_ui(2, 2, wire.CT) + SOP + END, False),
    "Part 10 file": (bytes(128) + b"DICM" + SOP + END, False),
    "implicit VR": (struct.pack("<HHL", 8, 0x16, 26) + wire.CT + b"\0" + END, False),
    "out of order": (STUDY + SERIES + SOP + PIXELS, True),
    "beyond first": (PIXELS + SOP + STUDY + SERIES, False),
    "a value longer than all": (
        SOP + struct.pack("<HH2sxxL", 9, 1, b"OB", 1_000_000) + bytes(400),
        False,
    ),
    "shorter than a preamble": (SOP[:60], False),
    "nonsense": (bytes(range(1, 256)) * 4, False),
    "a header of 200 KB": (SOP + _element(9, 1, b"OB", bytes(200_000)) + END, False),
    "just within what is looked at": (SOP + _element(9, 1, b"OB", bytes(60_000)) + END, True),
}


@pytest.mark.parametrize(("content", "is_plain"), HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("size", [100_000, 700], ids=["whole", "in pieces"])
def test_each_kind_of_header(content: bytes, size: int, *, is_plain: bool) -> None:
    """It takes what it surely knows, and leaves the rest to the walk in Python."""
    pieces = [ASSOCIATE, *instance(1), *instance(2, content, size), *instance(3), wire.RELEASE]
    with_c, without, by_c = outcomes(pieces)

    assert with_c == without
    assert by_c == is_plain + 1


@pytest.mark.parametrize("before", [0, 60_000])
def test_a_part_that_fills_the_window(before: int) -> None:
    """A header that takes thought, in a fragment longer than the window."""
    content = SOP + _undefined(9, 0x1010, b"UN", _item(b"")) + _element(9, 2, b"OB", bytes(400_000))
    content += END
    second = [
        instance(2)[0],
        *([data(pdv(1, 0, content[:before]))] if before else []),
        data(pdv(1, LAST, content[before:])),
    ]
    pieces = [ASSOCIATE, *instance(1), *second, *instance(3), wire.RELEASE]
    with_c, without, by_c = outcomes([pieces[0], b"".join(pieces[1:])], maximum_pdu_size=1 << 20)

    assert with_c == without
    assert by_c == 1
    assert len(with_c.files) == 3


def test_empty_fragments_count_within_a_message() -> None:
    """Row 21: as many as are let through, in each of two messages."""
    empty = [data(pdv(1, 0, b""))] * 16
    pieces = [ASSOCIATE, *instance(1)]
    for n in (2, 3):
        command, first, *rest = instance(n)
        pieces += [command, first, *empty, *rest]
    with_c, without, by_c = outcomes([*pieces, wire.RELEASE])

    assert with_c == without
    assert by_c == 0
    assert len(with_c.files) == 3


def test_implicit_vr_and_open_sequences_in_it() -> None:
    """The other encoding of nearly all modalities."""

    def element(group: int, number: int, value: bytes, length: int | None = None) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HHL", group, number, len(value) if length is None else length) + value

    def one(number: int) -> list[bytes]:
        uid = uid_of(number)
        inside = _open_item(element(8, 0x1150, wire.CT) + element(8, 0x1155, b"9.9"))
        content = (
            element(8, 0x16, wire.CT)
            + element(8, 0x18, uid)
            + element(8, 0x1140, inside + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), 0xFFFFFFFF)
            + element(0x20, 0x0D, b"1.5")
            + element(0x20, 0x0E, b"1.6")
            + element(0x7FE0, 0x10, bytes(99_000))
        )
        command = data(pdv(5, COMMAND | LAST, store_rq(number, sop_instance=uid)))
        return [command, *fragments(5, content, 40_000)]

    with_c, without, by_c = outcomes([ASSOCIATE, *one(1), *one(2), *one(3), wire.RELEASE])
    assert with_c == without
    assert by_c == 2


def test_big_endian_and_a_command_of_many_elements_stay_with_python() -> None:
    """Retired, or not what a series' command looks like: nothing is told to the part in C."""
    order = wire.command(
        wire.us(0x0110, 1),  # before (0000,0002)
        wire.ui(0x0002, wire.CT),
        wire.us(0x0100, 1),
        wire.us(0x0800, 0),
        wire.ui(0x1000, uid_of(1)),
    )
    odd = [data(pdv(1, COMMAND | LAST, order)), *fragments(1, wire.dataset(uid_of(1)), 9_000)]
    with_c, without, by_c = outcomes([ASSOCIATE, *odd, *odd, *odd, wire.RELEASE])
    assert with_c == without
    assert by_c == 0


MESSAGES = st.one_of(
    st.builds(
        lambda n, pixels, size, together: [
            data(pdv(1, COMMAND | LAST, store_rq(n, sop_instance=uid_of(n)))),
            *fragments(1, wire.dataset(uid_of(n), pixels=pixels), size, together=together),
        ],
        st.integers(1, 6),
        st.sampled_from((0, 1, 500, 70_000, 300_000)),
        st.sampled_from((300, 16_372, 65_000, 131_060)),
        st.booleans(),
    ),
    st.builds(lambda name: instance(2, HEADERS[name][0], 5_000), st.sampled_from(sorted(HEADERS))),
    st.just([wire.ECHO]),
    # In one PDU with its data set; its command in two fragments; with an empty fragment; in another context.
    st.just(
        [data(pdv(1, 3, store_rq(1, sop_instance=uid_of(1))), pdv(1, 2, wire.dataset(uid_of(1))))]
    ),
    st.just(
        [
            data(pdv(1, 1, store_rq(4, sop_instance=uid_of(4))[:50])),
            data(pdv(1, 3, store_rq(4, sop_instance=uid_of(4))[50:])),
            *fragments(1, wire.dataset(uid_of(4)), 9_000),
        ]
    ),
    st.just([*instance(5)[:2], data(pdv(1, 0, b"")), *instance(5)[2:]]),
    st.just([*instance(5)[:-1], data(pdv(1, 0, instance(5)[-1][12:])), data(pdv(1, 2, b""))]),
    st.just(
        [
            data(pdv(7, 3, store_rq(6, b"1.2.840.10008.5.1.4.1.1.4", uid_of(6)))),
            *fragments(7, wire.dataset(uid_of(6), b"1.2.840.10008.5.1.4.1.1.4"), 9_000),
        ]
    ),
)
LAST_MESSAGES = st.one_of(
    st.just([wire.RELEASE]),
    st.just([ABORT]),
    st.just([]),
    st.builds(lambda n: instance(5)[:n], st.integers(1, 3)),
    st.builds(lambda n: [*instance(5)[:2], instance(5)[2][:n]], st.integers(1, 1_000)),
    st.builds(lambda n: [*instance(5)[:n], wire.RELEASE], st.integers(1, 3)),
    st.builds(lambda n: [*instance(5)[:n], ABORT], st.integers(1, 3)),
    st.builds(lambda n: [*instance(5)[:n], wire.ECHO], st.integers(1, 3)),
    st.builds(lambda n: [*instance(5)[:2], data(pdv(n, 0, bytes(50)))], st.sampled_from((3, 99))),
    st.builds(lambda n: [*instance(5)[:2], data(pdv(1, n, bytes(50)))], st.sampled_from((1, 3))),
    st.builds(
        lambda kind, length: [*instance(5)[:2], struct.pack(">BxL", kind, length) + bytes(40)],
        st.sampled_from((0, 4, 9, 255)),
        st.sampled_from((0, 3, 6, 20, 200_000_000, 0xFFFFFFFF)),
    ),
    st.builds(
        lambda length: [
            *instance(5)[:2],
            wire.pdu(4, struct.pack(">LBB", length, 1, 0) + bytes(9)),
        ],
        st.sampled_from((0, 1, 2, 12, 0xFFFFFFFF)),
    ),
)


@given(
    messages=st.lists(MESSAGES, max_size=6),
    last=LAST_MESSAGES,
    cuts=st.lists(st.integers(1, 40_000), min_size=1, max_size=12),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_session_ends_as_without_it(
    messages: list[list[bytes]], last: list[bytes], cuts: list[int]
) -> None:
    """Whatever comes, in whatever pieces: the same bytes back, the same files, rows and counts."""
    first = [instance(1), instance(2)]
    whole = b"".join(piece for message in [*first, *messages, last] for piece in message)
    pieces = [ASSOCIATE]
    at = n = 0
    while at < len(whole):
        pieces.append(whole[at : at + cuts[n % len(cuts)] + 400])
        at += len(pieces[-1])
        n += 1
    with_c, without, by_c = outcomes(pieces)

    assert with_c == without
    assert by_c >= 1


@contextlib.contextmanager
def _no_file_above(size: int) -> Iterator[None]:
    """Let the system refuse what makes a file of this process longer: EFBIG, as a full disk does ENOSPC."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_is_refused_and_read_to_its_end() -> None:
    """A700 for that one, with the reason in the log; the next is stored."""
    big, small = instance(2, pixels=400_000), instance(3, pixels=100_000)
    pieces = [ASSOCIATE, *instance(1), *big, *small, *instance(4), wire.RELEASE]
    with _no_file_above(300_000):
        with_c, without, by_c = outcomes(pieces)

    assert with_c == without
    assert by_c == 2
    assert statuses(with_c.answers) == [0, 0xA700, 0, 0]
    assert with_c.counts[f"reason:{WireReason.STORAGE_FAILED.value}"] == 1


def _fails(error: Exception) -> Callable[..., None]:
    def publish(*_: object) -> None:
        raise error

    return publish


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreError(WireReason.STORAGE_FAILED, "EIO"), 0xA700), (ValueError("a bug"), 0x0110)],
)
def test_what_gets_no_name_is_answered_so(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage fails at the last moment, or we do: no Success, and the series goes on."""
    with session(by_c=True) as served:
        served.send(ASSOCIATE, *instance(1))
        with monkeypatch.context() as patched:
            patched.setattr(served.landing._drafts, "publish", _fails(error))
            served.send(*instance(2))
            wait_until(lambda: served.record.counts.get("failed_stores"))
        served.send(*instance(3), wire.RELEASE)
        outcome = served.end()

    assert served.by_c == 2
    assert statuses(outcome.answers) == [0, status, 0]
    assert len(outcome.files) == len(outcome.rows) == 2


def test_a_repeated_instance_is_answered_without_a_second_file() -> None:
    """A sender's retry."""
    pieces = [ASSOCIATE, *instance(1), *instance(2), *instance(2), wire.RELEASE]
    with_c, without, by_c = outcomes(pieces)

    assert with_c == without
    assert by_c == 2
    assert with_c.counts["duplicates_answered"] == 1
    assert len(with_c.files) == 2


@pytest.mark.parametrize("windows", [0, 1])
def test_without_a_window_an_instance_goes_the_whole_way(windows: int) -> None:
    """None is waited for; each is given back."""
    with session(by_c=True, windows=windows) as served:
        served.send(ASSOCIATE, *instance(1), *instance(2), *instance(3), wire.RELEASE)
        outcome = served.end()

    assert served.by_c == 2 * windows
    assert statuses(outcome.answers) == [0, 0, 0]


def test_where_others_send_too_responses_are_sent_in_turn() -> None:
    """With storage commitment on the association, reports may leave at any time."""
    commitment = context(11, STORAGE_COMMITMENT.encode(), IMPLICIT)
    pieces = [
        wire.associate(*CONTEXTS, commitment, maximum=131_072, calling=b"PEER"),
        *(piece for n in range(1, 4) for piece in instance(n)),
        wire.RELEASE,
    ]
    peers = (Peer("PEER", "127.0.0.1", 104),)
    with_c, without, by_c = outcomes(pieces, committer=b"\0nobody", commitment_peers=peers)
    assert with_c == without
    assert by_c == 2


def test_a_peer_that_takes_small_pdus_alone_gets_its_responses_in_pieces() -> None:
    """Nothing is told to the part in C, which knows whole responses only."""
    small = wire.associate(*CONTEXTS, maximum=60)
    pieces = [small, *instance(1), *instance(2), wire.RELEASE]
    with_c, without, by_c = outcomes(pieces)
    assert with_c == without
    assert by_c == 0


def _in_series(served: Session) -> Session:
    """Let three instances come, and with a recorder the last be its: it waits in its own loop."""
    served.send(ASSOCIATE, *instance(10), *instance(11), *instance(12))
    wait_until(lambda: served.record.counts.get("acked") == 3)
    wait_until(lambda: served.watch.series is not None and served.watch.is_idle)
    assert served.watch.series.stored == (not served.record.is_debug)
    return served


@pytest.mark.parametrize("records", [False, True])
def test_an_idle_series_is_cut_at_once(*, records: bool) -> None:
    """The worker is going away: A-ABORT between two messages."""
    with session(by_c=True, records=records) as served:
        _in_series(served).cut()
        outcome = served.end()
    assert outcome.closed["outcome"] == "aborted"
    assert served.record.reasons("association_aborted") == [WireReason.DRAINING.value]
    assert statuses(outcome.answers) == [0, 0, 0]


@pytest.mark.parametrize("records", [False, True])
def test_an_instance_on_its_way_is_finished_before_the_cut(*, records: bool) -> None:
    """What has begun is stored and answered."""
    with session(by_c=True, records=records) as served:
        command, *rest = instance(3)
        _in_series(served).send(command, rest[0])
        served.cut()
        served.send(*rest[1:])
        outcome = served.end()
    assert served.by_c == 3
    assert served.record.reasons("association_aborted") == [WireReason.DRAINING.value]
    assert statuses(outcome.answers) == [0, 0, 0, 0]


@pytest.mark.parametrize("records", [False, True])
def test_a_series_that_ends_in_silence_is_closed_as_idle(*, records: bool) -> None:
    """The network timeout holds between two messages."""
    with session(by_c=True, records=records, network_timeout_s=60) as served:
        _in_series(served).later(59)
        assert not served.watch.expired
        served.later(61)
        outcome = served.end()
    assert served.record.reasons("association_aborted") == [WireReason.CONN_IDLE.value]
    assert statuses(outcome.answers) == [0, 0, 0]


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("taken", [0.5, 1, 2, 3])
def test_a_series_that_stops_within_an_instance_is_cut(taken: float, *, records: bool) -> None:
    """No more than the credit, wherever it stops; nothing of it is kept."""
    with session(by_c=True, records=records) as served:
        pieces = instance(3)
        whole = b"".join(pieces[: int(taken)]) + pieces[int(taken)][: len(pieces[0]) // 2]
        _in_series(served).send(whole)
        wait_until(
            lambda: served.watch.series.deadline != FOREVER or served.watch.deadline != FOREVER
        )
        served.later(29)
        assert not served.watch.expired
        served.later(31)
        outcome = served.end()
    assert served.record.reasons("association_aborted") == [WireReason.SLOWLORIS.value]
    assert len(outcome.files) == 3


@pytest.mark.parametrize("records", [False, True])
def test_a_peer_that_takes_no_response_is_cut(*, records: bool) -> None:
    """Row 53: it sends on and reads nothing."""
    with session(by_c=True, records=records) as served:
        series = _in_series(served).watch.series

        def send_on() -> None:
            with contextlib.suppress(OSError):
                for n in range(13, 5_000):
                    served.peer.sendall(b"".join(instance(n, pixels=100)))

        def is_stuck() -> bool:
            before = series.send_deadline  # another one for each response
            time.sleep(0.1)
            return bool(before == series.send_deadline != FOREVER)

        sending = threading.Thread(target=send_on)
        sending.start()
        wait_until(is_stuck, 60)
        served.later(29)
        assert not served.watch.stalled
        served.later(31)
        served.end()
        sending.join()
    assert served.record.reasons("association_aborted") == [WireReason.SEND_STALL.value]


def test_the_part_in_c_says_what_it_is_not_given() -> None:
    """Its callers' mistakes are errors, never a crash."""
    windows = _native.Windows(1)
    with pytest.raises(ValueError, match="windows"):
        _native.Windows(100_000)
    with pytest.raises(ValueError, match="lookahead"):
        _native.Series(0, 0, windows, None, None, bytearray(10), 1, 1, 1.0, 1.0, 1.0)
    series = _native.Series(0, 0, windows, None, None, bytearray(8192), 1, 1, 1.0, 1.0, 1.0)
    with pytest.raises(RuntimeError, match="expected"):
        series.next(1.0, bool(1))
    with pytest.raises(RuntimeError, match="no part"):
        series.take()
    with pytest.raises(RuntimeError, match="response"):
        series.response()
    with pytest.raises(ValueError, match="lookahead"):
        series.go_on(5, 4, 0, 0)
    with pytest.raises(ValueError, match="starts with"):
        series.expect(1, bool(0), (b"",) * 8)
    with pytest.raises(IndexError):
        series.expect(1, bool(0), ())


@given(st.binary(max_size=3_000), st.binary(max_size=700), st.integers(0, 2**64 - 1))
def test_the_checksum_is_awscrts(first: bytes, second: bytes, before: int) -> None:
    """Of any bytes, and in pieces."""
    if not native.HAS_CRC64NVME:
        pytest.skip("this processor has no carry-less multiplication: awscrt's is used")
    ours = _native.crc64nvme(second, _native.crc64nvme(first, before))
    assert ours == crc64nvme(second, crc64nvme(first, before))


def test_the_checksum_of_a_large_file_too() -> None:
    """At the length of a window."""
    if not native.HAS_CRC64NVME:
        pytest.skip("this processor has no carry-less multiplication: awscrt's is used")
    data_ = os.urandom(_native.WINDOW_BYTES + 77)
    assert _native.crc64nvme(b"123456789", 0) == 0xAE8B14860A799888
    assert _native.crc64nvme(data_, 0) == crc64nvme(data_)


def test_without_a_checksum_of_its_own_it_asks_for_awscrts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another processor: the same rows."""
    pieces = [ASSOCIATE, *(p for n in range(1, 4) for p in instance(n, pixels=600_000))]
    with_c, without, by_c = outcomes([*pieces, wire.RELEASE])
    monkeypatch.setattr(native, "HAS_CRC64NVME", False)
    asked, _, by_c_too = outcomes([*pieces, wire.RELEASE])
    assert asked == with_c == without
    assert by_c == by_c_too == 2
