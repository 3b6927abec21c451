"""Raw bytes against `association.serve`: what each kind of good and bad peer is answered."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Any

import pytest

from contract.reasons import WireReason
from receiver.ports import StoreError
from tests.receiver import wire
from tests.receiver.scp import LoopbackScp, MemoryAssembly, wait_until
from tests.receiver.wire import COMMAND, LAST, RawScu, context, data, pdu, pdv, store, store_rq

ABORT, REJECT, RELEASED = 7, 3, 6


def test_store_echo_and_release_on_one_association() -> None:
    """An honest peer stores, echoes and releases; everything is counted, nothing is left."""
    with LoopbackScp() as scp:
        with RawScu(scp.port) as scu:
            scu.associate()
            scu.send(store(1))
            response = scu.response()
            assert response[0x0900] == b"\0\0"
            assert response[0x0100] == b"\x01\x80"
            assert response[0x0120] == b"\x01\0"
            assert response[0x1000] == b"1.2.3\0"
            scu.send(wire.ECHO)
            assert scu.status() == 0
            scu.send(wire.RELEASE)
            assert scu.read() == (RELEASED, bytes(4))
            assert scu.read() == (0, b"")
        wait_until(lambda: scp.record.events[-1][0] == "association_closed")
    (stored,) = scp.landing.committed
    assert stored.dataset == wire.dataset()
    assert scp.record.totals == {
        "associations_accepted": 1,
        "acked": 1,
        "bytes_stored": stored.size,
    }
    assert scp.associated == 1
    closed = scp.record.events[-1][1]
    assert (closed["outcome"], closed["stored"], closed["echoed"]) == ("released", 1, 1)


@pytest.mark.parametrize("is_debug", [True, False])
def test_an_instance_is_an_event_only_where_debug_is_written(*, is_debug: bool) -> None:
    """Else a busy receiver would put a line together for each, and throw it away."""
    with LoopbackScp() as scp:
        scp.record.is_debug = is_debug
        with RawScu(scp.port) as scu:
            scu.associate()
            scu.send(store(1))
            assert scu.status() == 0
    names = [name for name, _ in scp.record.events]
    assert ("instance_stored" in names) is is_debug


def _first(content: bytes) -> tuple[LoopbackScp, tuple[int, bytes]]:
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.send(content)
        answer = scu.read()
        assert scu.read() == (0, b"")
    return scp, answer


BEFORE = {
    "row 3: 4 GiB A-ASSOCIATE-RQ": (struct.pack(">BxL", 1, 0xFFFFFFFF), 6, "pdu_too_long"),
    "row 6: HTTP": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, "not_dicom"),
    "row 6: TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 1, "not_dicom"),
    "row 6: SMB": (b"\0\0\0\x45\xffSMB" + bytes(60), 1, "not_dicom"),
    "row 7: unknown 0xFF": (pdu(0xFF, b"abcd"), 1, "pdu_unknown"),
    "row 7: unknown 0x00": (pdu(0x00, b"abcd"), 1, "pdu_unknown"),
    "row 8: A-ASSOCIATE-AC": (pdu(2, bytes(100)), 2, "pdu_unexpected"),
    "row 8: P-DATA first": (store(), 2, "pdu_unexpected"),
    "row 13: duplicate id": (wire.associate(context(1), context(1)), 6, "cx_bad"),
    "row 13: even id": (wire.associate(context(2)), 6, "cx_bad"),
    "row 13: no transfer syntax": (
        wire.associate(wire.item(0x20, b"\1\0\0\0" + wire.item(0x30, wire.CT))),
        6,
        "cx_bad",
    ),
    "item longer than the PDU": (wire.associate()[:-1] + b"", 6, "pdu_invalid"),
    "too short": (pdu(1, bytes(20)), 6, "pdu_invalid"),
}
# One byte less in the PDU's own length too, so that the last item is what lies.
BEFORE["item longer than the PDU"] = (
    pdu(1, wire.associate()[6:-1]),
    6,
    "pdu_invalid",
)


@pytest.mark.parametrize(("content", "reason", "code"), BEFORE.values(), ids=BEFORE.keys())
def test_what_is_no_request_is_aborted(content: bytes, reason: int, code: str) -> None:
    """Rows 3, 6, 7, 8 and 13: A-ABORT with the right reason, the connection closed, one event."""
    scp, (kind, body) = _first(content)
    assert (kind, body) == (ABORT, bytes((0, 0, 2, reason)))
    assert scp.record.reasons("association_aborted") == [code]
    assert scp.associated == 0


def test_a_connection_without_a_byte_is_no_event() -> None:
    """Row 1 and the load balancer: connect and close leave no trace in log and counters."""
    with LoopbackScp() as scp:
        socket.create_connection(("127.0.0.1", scp.port)).close()
        with RawScu(scp.port) as scu:
            scu.associate()
            scu.send(wire.RELEASE)
            assert scu.read()[0] == RELEASED
    assert not scp.record.reasons("association_aborted")


REJECTED = {
    "row 9": ({}, wire.associate(version=2), (1, 2, 2), "proto_version"),
    "row 10": ({}, wire.associate(application=b"1.2.3"), (1, 1, 2), "app_context"),
    "row 11 called": ({"require_called_ae_title": True}, wire.associate(called=b"OTHER"), (1, 1, 7), "aet_called"),
    "row 11 calling": ({"require_calling_ae_title": ("CT1",)}, wire.associate(), (1, 1, 3), "aet_calling"),
    "row 12 called blank": ({}, wire.associate(called=b""), (1, 1, 7), "aet_invalid"),
    "row 12 calling NUL": ({}, wire.associate(calling=b"A\0B"), (1, 1, 3), "aet_invalid"),
    "row 12 calling backslash": ({}, wire.associate(calling=b"A\\B"), (1, 1, 3), "aet_invalid"),
    "row 12 calling CRLF": ({}, wire.associate(calling=b"A\r\nB"), (1, 1, 3), "aet_invalid"),
    "row 12 called not ASCII": ({}, wire.associate(called=b"\xc3\xa9"), (1, 1, 7), "aet_invalid"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "content", "expected", "code"), REJECTED.values(), ids=REJECTED.keys()
)
def test_who_may_not_associate_is_rejected(
    settings: dict[str, Any], content: bytes, expected: tuple[int, ...], code: str
) -> None:
    """Rows 9 to 12: A-ASSOCIATE-RJ with result, source and reason; the title is escaped in the log."""
    with LoopbackScp(**settings) as scp, RawScu(scp.port) as scu:
        scu.send(content)
        kind, body = scu.read()
        assert scu.read() == (0, b"")
    assert (kind, tuple(body[1:])) == (REJECT, expected)
    assert scp.record.reasons("association_rejected") == [code]
    fields = scp.record.events[-1][1]
    assert (str(fields["calling_ae_title"]) + str(fields["called_ae_title"])).isprintable()


def test_the_limit_is_exact_and_given_back_before_the_answer_to_a_release() -> None:
    """Row 14: above the limit RJ 2,3,2; who has released may associate again at once."""
    with (
        LoopbackScp(limit=2) as scp,
        RawScu(scp.port) as first,
        RawScu(scp.port) as second,
        RawScu(scp.port) as third,
        RawScu(scp.port) as fourth,
    ):
        first.associate()
        second.associate()
        third.send(wire.associate())
        assert third.read() == (REJECT, b"\0\2\3\2")
        first.send(wire.RELEASE)
        assert first.read()[0] == RELEASED
        fourth.associate()
    assert scp.record.reasons("association_rejected") == ["limit"]


def test_draining_rejects_and_leaves_others_alone() -> None:
    """While draining, new associations get RJ 2,3,1 and open ones still store."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu, RawScu(scp.port) as late:
        scu.associate()
        scp.draining.set()
        late.send(wire.associate())
        assert late.read() == (REJECT, b"\0\2\3\1")
        scu.send(store())
        assert scu.status() == 0


def test_cutting_aborts_idle_associations_at_once() -> None:
    """An association that waits between messages gets its A-ABORT as soon as the worker cuts."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(store())
        assert scu.status() == 0
        began = time.monotonic()
        scp.cut()
        assert scu.read() == (ABORT, b"\0\0\2\0")
        assert time.monotonic() - began < 2
    assert scp.record.reasons("association_aborted") == ["draining"]


def test_cutting_lets_the_instance_being_received_finish() -> None:
    """The message that is on its way when the worker cuts is stored and answered before the A-ABORT."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        content = store()
        scu.send(content[:-50])
        wait_until(lambda: scp.associated)
        wait_until(lambda: not any(w.idle for w in scp.watchdog._watches))
        scp.cut()
        scu.send(content[-50:])
        assert scu.status() == 0
        assert scu.read() == (ABORT, b"\0\0\2\0")
    assert len(scp.landing.committed) == 1


C_RQ = pdv(1, COMMAND | LAST, store_rq())
ABORTS = {
    "row 4: over the maximum": (struct.pack(">BxL", 4, 1_048_576 + 2000), 6, "pdu_over_max"),
    "row 5: PDV too long": (pdu(4, struct.pack(">LBB", 100, 1, 3) + b"ab"), 6, "pdv_len"),
    "row 5: PDV too short": (pdu(4, struct.pack(">LBB", 1, 1, 3) + b"ab"), 6, "pdv_len"),
    "row 5: PDV of 0": (pdu(4, struct.pack(">LBB", 0, 1, 3)), 6, "pdv_len"),
    "row 5: bytes after the last PDV": (pdu(4, pdv(1, COMMAND, b"ab") + b"abc"), 6, "pdv_len"),
    "row 5: no PDV": (pdu(4, b""), 6, "pdv_len"),
    "row 7: unknown PDU": (pdu(0x99, b"abcd"), 1, "pdu_unknown"),
    "row 8: second A-ASSOCIATE-RQ": (wire.associate(), 2, "pdu_unexpected"),
    "row 8: A-RELEASE-RP": (pdu(6, bytes(4)), 2, "pdu_unexpected"),
    "row 17: garbage command": (data(pdv(1, 3, b"garbage garbage!")), 0, "dimse_bad"),
    "row 17: no command field": (data(pdv(1, 3, wire.command(wire.us(0x110, 1), wire.us(0x800, 0)))), 0, "dimse_bad"),
    "row 17: unknown command field": (data(pdv(1, 3, wire.command(wire.us(0x100, 0x77), wire.us(0x110, 1), wire.us(0x800, 0x101)))), 0, "dimse_bad"),
    "row 18: no data set type": (data(pdv(1, 3, wire.command(wire.us(0x100, 1), wire.us(0x110, 1)))), 0, "dimse_bad"),
    "row 21: data set first": (data(pdv(1, LAST, wire.dataset())), 0, "dimse_order"),
    "row 21: empty fragments": (data(*[pdv(1, COMMAND, b"")] * 2000), 0, "dimse_order"),
    "row 21: command without end": (data(*[pdv(1, COMMAND, bytes(8000))] * 9), 0, "dimse_order"),
    "row 21: command within a data set": (data(C_RQ, C_RQ), 0, "dimse_order"),
    "row 22: data set on another context": (data(C_RQ, pdv(3, LAST, wire.dataset())), 5, "cx_mix"),
    "row 23: context not accepted": (data(pdv(99, COMMAND | LAST, store_rq())), 5, "cx_unknown"),
    "row 25: response to nothing": (data(pdv(1, 3, wire.command(wire.us(0x100, 0x8001), wire.us(0x120, 1), wire.us(0x800, 0x101)))), 0, "op_unexpected"),
    "row 25: endless C-CANCEL": (data(pdv(1, 3, wire.command(wire.us(0x100, 0xFFF), wire.us(0x120, 1), wire.us(0x800, 0x101)))) * 1000, 0, "op_unexpected"),
    "release within a message": (data(pdv(1, COMMAND, b"")) + wire.RELEASE, 2, "pdu_unexpected"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "reason", "code"), ABORTS.values(), ids=ABORTS.keys())
def test_a_broken_association_is_aborted(content: bytes, reason: int, code: str) -> None:
    """Rows 4 to 8, 17, 18, 21 to 23 and 25: A-ABORT with the right reason, then the connection closes."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(content)
        assert scu.read() == (ABORT, bytes((0, 0, 2, reason)))
        assert scu.read() == (0, b"")
    assert scp.record.reasons("association_aborted") == [code]
    assert not scp.landing.committed
    assert scp.record.counts["associations_aborted"] == 1


REFUSED = {
    "row 20": (store_rq(), b"", 0xC000, "empty_dataset"),
    "row 24": (store_rq(sop_class=b"1.2.840.10008.5.1.4.1.1.4"), None, 0x0122, "sop_cx_mismatch"),
    "row 27": (store_rq(sop_instance=b"../../etc/passwd"), None, 0x0117, "uid_syntax"),
    "row 28": (store_rq(sop_instance=b"1.2\r\n3"), None, 0x0117, "uid_syntax"),
    "row 28 NUL": (store_rq(sop_instance=b"1.2\0.3"), None, 0x0117, "uid_syntax"),
    "row 29": (store_rq(sop_instance=b"1." * 33), None, 0x0117, "uid_long"),
    "row 29 10k": (store_rq(sop_instance=b"1." * 5000), None, 0x0117, "uid_long"),
    "row 30 instance": (store_rq(sop_instance=b""), None, 0x0117, "uid_missing"),
    "row 30 class": (store_rq(sop_class=b""), None, 0x0122, "uid_missing"),
    "row 31": (store_rq(sop_instance=b"1.2\\1.3"), None, 0x0117, "uid_vm"),
    "row 37 instance": (store_rq(sop_instance=b"1.2.99"), None, 0xA900, "uid_mismatch"),
    "row 37 class": (store_rq(), wire.dataset(sop_class=b"1.2.840.10008.5.1.4.1.1.4"), 0xA900, "uid_mismatch"),
    "row 38": (store_rq(), struct.pack("<HHL", 8, 0x16, 2) + b"1\0" + bytes(200), 0xC000, "ts_mismatch"),
    "row 42": (store_rq(), bytes(128) + b"DICM" + wire.dataset(), 0xC000, "meta_in_ds"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "content", "status", "code"), REFUSED.values(), ids=REFUSED.keys()
)
def test_a_refused_instance_is_kept_and_the_association_goes_on(
    request_: bytes, content: bytes | None, status: int, code: str
) -> None:
    """Rows 20 to 42: the status of the row, the bytes kept with the reason, the next one stored."""
    content = wire.dataset() if content is None else content
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(data(pdv(1, COMMAND | LAST, request_), pdv(1, LAST, content)))
        assert scu.status() == status
        scu.send(store(2))
        assert scu.status() == 0
    ((kept, reason, _),) = scp.landing.refused
    assert (kept.dataset, reason) == (content, code)
    assert kept.identified is None
    assert len(kept.identity.sop_instance_uid) <= 64
    assert kept.identity.sop_instance_uid.isprintable()
    assert scp.record.reasons("instance_refused") == [code]
    assert (scp.record.counts["refused_instances"], scp.record.counts["acked"]) == (1, 1)


def test_a_store_without_data_set_is_mistyped() -> None:
    """Row 19: 0212 and an event; there are no bytes to keep."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(data(pdv(1, COMMAND | LAST, store_rq(dataset_type=0x0101))))
        assert scu.status() == 0x0212
    assert scp.record.reasons("instance_refused") == ["no_dataset"]
    assert not scp.landing.refused


@pytest.mark.parametrize("uid", [b"1.02.3", b"1..2", b".1", b"1.2.", b"1.2.3\0"])
def test_uids_that_real_modalities_send_are_stored(uid: bytes) -> None:
    """Rows 28 and 32: wrong components and legal padding do not keep an image out."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(store(1, uid))
        assert scu.status() == 0
    assert scp.landing.committed[0].identity.sop_instance_uid == uid.rstrip(b"\0").decode()


@pytest.mark.parametrize("field", [0x10, 0x20, 0x21, 0x100, 0x110, 0x120, 0x130, 0x140, 0x150])
def test_another_service_is_not_recognized(field: int) -> None:
    """Row 25: 0211 for every other operation, its data set skipped, the association goes on."""
    request = wire.command(
        wire.ui(0x0002, wire.CT), wire.us(0x100, field), wire.us(0x110, 5), wire.us(0x800, 0)
    )
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(data(pdv(1, COMMAND | LAST, request), pdv(1, 0, b"ab"), pdv(1, LAST, b"cd")))
        response = scu.response()
        assert response[0x0900] == b"\x11\x02"
        assert response[0x0100] == struct.pack("<H", field | 0x8000)
        scu.send(store(6))
        assert scu.status() == 0


def test_a_failing_storage_is_a700_and_the_association_goes_on() -> None:
    """An instance that could not be made durable is never acknowledged; the next one may be."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:

        def fail(_assembly: MemoryAssembly) -> None:
            scp.landing.on_commit = lambda _assembly: None
            raise StoreError(WireReason.STORAGE_FAILED, "SlowDown")

        scp.landing.on_commit = fail
        scu.associate()
        scu.send(store(1))
        response = scu.response()
        assert response[0x0900] == b"\x00\xa7"
        assert response[0x0902].rstrip() == b"storage_failed"
        scu.send(store(2))
        assert scu.status() == 0
    assert scp.record.counts["acked"] == scp.record.counts["failed_stores"] == 1
    assert scp.record.reasons("store_failed") == ["storage_failed"]


def test_an_instance_above_the_size_limit_is_read_to_its_end_and_a700() -> None:
    """Row 44: when the landing takes no more, the rest is skipped and the sender told so."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scp.landing.space_error = StoreError(WireReason.TOO_BIG, "above the limit")
        scu.send(store(1, content=wire.dataset(pixels=300_000)))
        assert scu.status() == 0xA700
        scp.landing.space_error = None
        scu.send(store(2))
        assert scu.status() == 0
    assert len(scp.landing.discarded) == 1


def test_a_bug_in_the_landing_is_0110() -> None:
    """An unexpected exception costs one instance, not the association, and shows no message."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:

        def fail(_assembly: MemoryAssembly) -> None:
            raise ValueError("Doe^John")

        scp.landing.on_commit = fail
        scu.associate()
        scu.send(store(1))
        assert scu.status() == 0x0110
    assert "Doe" not in str(scp.record.events)


@pytest.mark.parametrize("end", ["abort", "close", "reset"])
def test_an_instance_that_stops_half_way_is_forgotten(end: str) -> None:
    """Row 52: A-ABORT, FIN or RST in the middle leaves nothing stored and nothing counted."""
    with LoopbackScp() as scp:
        with RawScu(scp.port) as scu:
            scu.associate()
            scu.send(data(C_RQ, pdv(1, 0, wire.dataset()[:60])))
            if end == "abort":
                scu.send(pdu(7, bytes(4)))
            elif end == "reset":
                scu.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: scp.landing.discarded)
    assert not scp.landing.committed
    assert scp.record.reasons("association_aborted") == ["aborted"]
    assert scp.record.totals == {"associations_accepted": 1, "associations_aborted": 1}


def test_release_right_after_a_store_is_answered_in_order() -> None:
    """Row 54: a release that is sent before the response gets the response first."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        scu.send(store(1) + store(2) + wire.RELEASE)
        assert scu.status() == 0
        assert scu.status() == 0
        assert scu.read()[0] == RELEASED
    assert len(scp.landing.committed) == 2


WINDOW = wire.item(0x53, struct.pack(">HH", 0, 0))


def test_a_window_overlaps_stores_and_answers_in_order() -> None:
    """Row 16: with 0/0 proposed 8 are granted, 8 run at once, and responses keep the request order."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        gate = threading.Event()
        running: list[str] = []

        def wait(assembly: MemoryAssembly) -> None:
            running.append(assembly.identity.sop_instance_uid)
            assert gate.wait(10)

        scp.landing.on_commit = wait
        answer = scu.associate(user=(WINDOW,))
        assert wire.item(0x53, struct.pack(">HH", 8, 8)) in answer
        scu.send(b"".join(store(n, b"1.2.%d" % n) for n in range(1, 13)) + wire.RELEASE)
        wait_until(lambda: len(running) == 8)
        gate.set()
        ids = [scu.response()[0x0120] for _ in range(12)]
        assert ids == [struct.pack("<H", n) for n in range(1, 13)]
        assert scu.read()[0] == RELEASED
    assert scp.record.counts["acked"] == 12


def test_an_outstanding_message_id_is_a_duplicate_invocation() -> None:
    """Row 26: with a window, the same Message ID before its response is 0210."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        gate = threading.Event()

        def wait(_assembly: MemoryAssembly) -> None:
            assert gate.wait(10)

        scp.landing.on_commit = wait
        scu.associate(user=(WINDOW,))
        scu.send(store(1, b"1.2.1") + store(1, b"1.2.2"))
        wait_until(lambda: scp.landing.refused)
        gate.set()
        assert [scu.status(), scu.status()] == [0, 0x0210]
    assert scp.record.reasons("instance_refused") == ["dup_invocation"]


def test_without_a_window_a_pipelining_peer_is_served_one_by_one() -> None:
    """P7: a thousand requests sent at once are read one at a time and all answered."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.associate()
        everything = b"".join(store(n % 7, b"1.2.%d" % n) for n in range(1000))
        sender = threading.Thread(target=scu.send, args=(everything,))
        sender.start()
        assert [scu.status() for _ in range(1000)] == [0] * 1000
        sender.join()


def _expire(scp: LoopbackScp, after_s: float) -> None:
    """Let the watchdog look from `after_s` seconds ahead."""
    scp.watchdog.scan(time.monotonic() + after_s)


@pytest.mark.parametrize(
    ("sent", "after_s", "code"),
    [
        (b"\x01", 31, "slowloris"),
        (wire.associate()[:50], 31, "slowloris"),
        (wire.associate(), 91, "conn_idle"),
        (wire.associate() + wire.ECHO[:3], 31, "slowloris"),
        (wire.associate() + store()[:150], 31, "slowloris"),
    ],
    ids=["row 2: one byte", "half a request", "idle", "half a header", "half a data set"],
)
def test_a_silent_peer_is_cut(sent: bytes, after_s: float, code: str) -> None:
    """Rows 1 and 2: at the deadline of its state, and not before, a peer gets A-ABORT and is closed."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.send(sent)
        if len(sent) > 200:
            assert scu.read()[0] == 2
        wait_until(lambda: scp.watchdog._watches)
        (watch,) = scp.watchdog._watches
        wait_until(lambda: after_s - 2 < watch.deadline - time.monotonic() < after_s)
        _expire(scp, after_s - 5)
        assert not watch.expired
        _expire(scp, after_s)
        assert scu.read() == (ABORT, b"\0\0\2\0")
        assert scu.read() == (0, b"")
    assert scp.record.reasons("association_aborted") == [code]


def test_user_identity_and_extended_negotiation_are_tolerated() -> None:
    """Row 15: 60 KB of user identity and extended items are ignored and never logged."""
    token = b"SECRET" * 10_000
    user = (
        wire.item(0x58, b"\4\1" + struct.pack(">H", len(token)) + token + b"\0\0"),
        wire.item(0x56, struct.pack(">H", len(wire.CT)) + wire.CT + b"\2\0\0\0\0\0"),
        wire.item(0x57, struct.pack(">H", len(wire.CT)) + wire.CT + b"\0\0\0\0"),
    )
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        answer = scu.associate(user=user)
        assert b"SECRET" not in answer
        scu.send(store())
        assert scu.status() == 0
    assert "SECRET" not in str(scp.record.events)


def test_responses_respect_the_maximum_length_of_the_peer() -> None:
    """A peer that takes 40 bytes a PDU gets its response in pieces of at most that."""
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.send(wire.associate(maximum=40))
        assert scu.read()[0] == 2
        scu.send(wire.ECHO)
        whole = b""
        control = 0
        while not control & LAST:
            kind, body = scu.read()
            assert kind == 4
            assert len(body) <= 40
            control = body[5]
            whole += body[6:]
        assert wire.elements_of(whole)[0x0900] == b"\0\0"


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_bytes_may_come_in_any_pieces(size: int) -> None:
    """The same session sent in small pieces, in one-byte PDVs, has the same outcome."""
    content = wire.dataset(pixels=3000)
    fragments = [pdv(1, COMMAND, bytes((b,))) for b in store_rq()[:-1]]
    fragments.append(pdv(1, COMMAND | LAST, store_rq()[-1:]))
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    fragments += [pdv(1, 0, piece) for piece in pieces] + [pdv(1, LAST, b"")]
    with LoopbackScp() as scp, RawScu(scp.port) as scu:
        scu.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        scu.associate()
        everything = b"".join(data(*fragments[i : i + 9]) for i in range(0, len(fragments), 9))
        for start in range(0, len(everything), size + 3):
            scu.send(everything[start : start + size + 3])
        assert scu.status() == 0
    assert scp.landing.committed[0].dataset == content
