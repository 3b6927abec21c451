"""Rows 1 to 16: what comes before there is an association, and what one may propose."""

from __future__ import annotations

import select
import struct
import time

from contract.reasons import WireReason as R
from tests.receiver import wire
from tests.wire.datasets import sent
from tests.wire.peer import CLOSED, RELEASED, Answer, Peer, accepted, status
from tests.wire.row import (
    CANARY,
    CT,
    ON_EXPLICIT,
    PROPOSAL,
    Line,
    Row,
    Sent,
    Use,
    aborted,
    broken,
    dataset_pdus,
    rejected,
    stored,
    window_item,
)

ARTIM_S = 30.0
LATEST_S = ARTIM_S + 8
"""A deadline of 30 s on a busy machine."""
MAXIMUM_PDU = 1_048_576


def _abort(reason: int) -> tuple[Answer, Answer]:
    return Answer("A-ABORT", (2, reason)), CLOSED


def _before(
    number: int, name: str, send: bytes, abort: int, reason: R, *, within_s: float = 5
) -> Row:
    return Row(
        number=number,
        name=name,
        send=send,
        answers=_abort(abort),
        logs=(aborted(reason),),
        within_s=within_s,
    )


def _refused(
    number: int,
    name: str,
    send: bytes,
    numbers: tuple[int, int, int],
    reason: R,
    *,
    use: Use = Use.OPEN,
) -> Row:
    return Row(
        number=number,
        name=name,
        send=send,
        answers=(Answer("A-ASSOCIATE-RJ", numbers), CLOSED),
        logs=(rejected(reason),),
        use=use,
    )


def _silent(number: int, name: str, *, proposal: bytes | None, send: bytes) -> Row:
    return Row(
        number=number,
        name=name,
        proposal=proposal,
        send=send,
        answers=_abort(0),
        logs=(aborted(R.SLOWLORIS),),
        within_s=LATEST_S,
        slow=True,
    )


def _connect_and_close(peer: Peer) -> None:
    """Do nothing: the connection is closed when the row is over."""


def _drip(peer: Peer) -> None:
    """Send a good request, one byte every 10 s."""
    began = time.monotonic()
    for byte in wire.associate():
        peer.send(bytes((byte,)))
        if select.select([peer.socket], [], [], 10.0)[0]:
            break
    assert [peer.answer(), peer.answer()] == list(_abort(0))
    assert time.monotonic() - began < LATEST_S


def _fill_all_places(peer: Peer) -> None:
    """Hold both places, be refused the third, get it when one is released."""
    with peer.again() as second, peer.again() as third, peer.again() as fourth:
        for member in (peer, second):
            member.send(PROPOSAL)
            assert member.answer().what == "A-ASSOCIATE-AC"
        third.send(PROPOSAL)
        assert [third.answer(), third.answer()] == [Answer("A-ASSOCIATE-RJ", (2, 3, 2)), CLOSED]
        second.send(wire.RELEASE)
        assert second.answer() == RELEASED
        fourth.send(PROPOSAL)
        assert fourth.answer().what == "A-ASSOCIATE-AC"
        for member in (fourth, peer):
            member.send(wire.RELEASE)
            assert member.answer() == RELEASED


PIPELINED = tuple(sent() for _ in range(12))


def _use_the_window(peer: Peer) -> None:
    """Propose any number of operations, be granted 8, send 12 at once."""
    proposal = wire.associate(wire.context(ON_EXPLICIT), user=(window_item(0, 0),))
    assert peer.granted_window(proposal) == (8, 8)
    peer.send(b"".join(one.pdus(n) for n, one in enumerate(PIPELINED, 1)) + wire.RELEASE)
    ids = [peer.response()[0x0120] for _ in PIPELINED]
    assert ids == [struct.pack("<H", n) for n in range(1, 13)]
    assert peer.answer() == RELEASED


def _propose(number: int, name: str, proposal: bytes, *results: int) -> Row:
    """Return a case whose proposal is answered context by context."""

    def propose(peer: Peer) -> None:
        peer.send(proposal)
        assert peer.answer() == accepted(*results)
        peer.send(wire.RELEASE)
        assert [peer.answer(), peer.answer()] == [RELEASED, CLOSED]

    return Row(number=number, name=name, play=propose)


def _user_identity(kind: int, length: int) -> bytes:
    token = (CANARY * (length // len(CANARY) + 1)).encode()[:length]
    content = struct.pack(">BBH", kind, 0, length) + token + b"\0\0"
    return wire.associate(user=(wire.item(0x58, content),))


CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
FOUR_GIB = struct.pack(">BxL", 1, 0xFFFFFFFF)
WITHOUT_SYNTAX = wire.item(0x20, b"\1\0\0\0" + wire.item(0x30, CT))
JUST_OVER = sent(
    pixels=struct.pack("<HH2sxxL", 0x7FE0, 0x10, b"OW", MAXIMUM_PDU) + bytes(MAXIMUM_PDU)
)


def _overshooting(one: Sent) -> bytes:
    """Return an instance in a P-DATA-TF that is 900 bytes longer than was offered, as some senders do."""
    size = MAXIMUM_PDU + 900 - 6
    first, rest = one.dataset[:size], one.dataset[size:]
    return (
        wire.data(wire.pdv(ON_EXPLICIT, 3, wire.store_rq(1, sop_instance=one.uid)))
        + wire.data(wire.pdv(ON_EXPLICIT, wire.DATA, first))
        + dataset_pdus(ON_EXPLICIT, rest)
    )


ROWS = (
    Row(
        number=1,
        name="connects and says nothing",
        answers=(CLOSED,),
        logs=(Line("connection_cut", R.CONN_IDLE),),
        within_s=LATEST_S,
        slow=True,
    ),
    Row(number=1, name="connects and leaves", play=_connect_and_close),
    _silent(2, "one byte", proposal=None, send=b"\x01"),
    _silent(2, "five bytes", proposal=None, send=wire.associate()[:5]),
    _silent(2, "half an A-ASSOCIATE-RQ", proposal=None, send=wire.associate()[:90]),
    _silent(2, "half a data set", proposal=PROPOSAL, send=sent().pdus()[:-40]),
    Row(
        number=2,
        name="a byte every 10 s",
        play=_drip,
        logs=(aborted(R.SLOWLORIS),),
        slow=True,
    ),
    _before(3, "4 GiB announced", FOUR_GIB, 6, R.PDU_TOO_LONG),
    _before(3, "4 GiB announced, 8 MiB sent", FOUR_GIB + bytes(8 << 20), 6, R.PDU_TOO_LONG),
    _before(3, "1 MiB and a byte", struct.pack(">BxL", 1, (1 << 20) + 1), 6, R.PDU_TOO_LONG),
    broken(4, "over the maximum", struct.pack(">BxL", 4, MAXIMUM_PDU + 1025), 6, R.PDU_OVER_MAX),
    broken(4, "4 GiB of P-DATA-TF", struct.pack(">BxL", 4, 0xFFFFFFFF), 6, R.PDU_OVER_MAX),
    Row(
        number=4,
        name="900 bytes over, as DCMTK's relatives do",
        proposal=PROPOSAL,
        send=_overshooting(JUST_OVER),
        answers=(status(0),),
        goes_on=True,
        acked=(JUST_OVER,),
    ),
    broken(5, "too long", wire.pdu(4, struct.pack(">LBB", 100, 1, 3) + b"ab"), 6, R.PDV_LEN),
    broken(5, "too short", wire.pdu(4, struct.pack(">LBB", 1, 1, 3) + b"ab"), 6, R.PDV_LEN),
    broken(5, "0", wire.pdu(4, struct.pack(">LBB", 0, 1, 3)), 6, R.PDV_LEN),
    broken(5, "4 GiB", wire.pdu(4, struct.pack(">LBB", 0xFFFFFFFF, 1, 3)), 6, R.PDV_LEN),
    broken(5, "bytes behind", wire.pdu(4, wire.pdv(1, 1, b"ab") + b"abc"), 6, R.PDV_LEN),
    broken(5, "none at all", wire.pdu(4, b""), 6, R.PDV_LEN),
    _before(6, "HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, R.NOT_DICOM, within_s=2),
    _before(6, "TLS", CLIENT_HELLO, 1, R.NOT_DICOM, within_s=2),
    _before(6, "SMB", b"\0\0\0\x45\xffSMB" + bytes(60), 1, R.NOT_DICOM, within_s=2),
    _before(7, "0xFF first", wire.pdu(0xFF, b"abcd"), 1, R.PDU_UNKNOWN),
    _before(7, "0x00 first", wire.pdu(0x00, b"abcd"), 1, R.PDU_UNKNOWN),
    broken(7, "0xFF later", wire.pdu(0xFF, bytes(5000)), 1, R.PDU_UNKNOWN),
    broken(7, "0x00 later", wire.pdu(0x00, b""), 1, R.PDU_UNKNOWN),
    broken(8, "second A-ASSOCIATE-RQ", PROPOSAL, 2, R.PDU_UNEXPECTED),
    broken(8, "A-ASSOCIATE-AC later", wire.pdu(2, bytes(100)), 2, R.PDU_UNEXPECTED),
    _before(8, "A-ASSOCIATE-AC first", wire.pdu(2, bytes(100)), 2, R.PDU_UNEXPECTED),
    _before(8, "A-ASSOCIATE-RJ first", wire.pdu(3, bytes(4)), 2, R.PDU_UNEXPECTED),
    _before(8, "P-DATA-TF first", sent().pdus(), 2, R.PDU_UNEXPECTED),
    _before(8, "A-RELEASE-RQ first", wire.RELEASE, 2, R.PDU_UNEXPECTED),
    _refused(9, "2", wire.associate(version=2), (1, 2, 2), R.PROTO_VERSION),
    _refused(9, "0", wire.associate(version=0), (1, 2, 2), R.PROTO_VERSION),
    _propose(9, "3, which has bit 0", wire.associate(version=3), 0, 0),
    _refused(10, "another", wire.associate(application=b"1.2.3"), (1, 1, 2), R.APP_CONTEXT),
    _refused(10, "empty", wire.associate(application=b""), (1, 1, 2), R.APP_CONTEXT),
    _refused(
        11,
        "called unknown",
        wire.associate(called=b"OTHER"),
        (1, 1, 7),
        R.AET_CALLED,
        use=Use.STRICT,
    ),
    _refused(
        11,
        "calling unknown",
        wire.associate(calling=b"OTHER"),
        (1, 1, 3),
        R.AET_CALLING,
        use=Use.STRICT,
    ),
    _refused(
        11,
        "other case",
        wire.associate(called=b"storescp"),
        (1, 1, 7),
        R.AET_CALLED,
        use=Use.STRICT,
    ),
    _refused(12, "called not ASCII", wire.associate(called=b"\xc3\xa9"), (1, 1, 7), R.AET_INVALID),
    _refused(12, "called all blanks", wire.associate(called=b""), (1, 1, 7), R.AET_INVALID),
    _refused(12, "calling not ASCII", wire.associate(calling=b"CT\xe9"), (1, 1, 3), R.AET_INVALID),
    _refused(12, "calling all blanks", wire.associate(calling=b""), (1, 1, 3), R.AET_INVALID),
    _refused(12, "backslash", wire.associate(calling=b"A\\B"), (1, 1, 3), R.AET_INVALID),
    _refused(12, "CR and LF", wire.associate(calling=b"A\r\n{}"), (1, 1, 3), R.AET_INVALID),
    _refused(12, "NUL", wire.associate(calling=b"A\0B"), (1, 1, 3), R.AET_INVALID),
    _propose(13, "0 contexts", wire.associate(b"")),
    _propose(
        13, "128 contexts", wire.associate(*(wire.context(n) for n in range(1, 256, 2))), *[0] * 128
    ),
    _propose(13, "not storage", wire.associate(wire.context(1, b"1.2.840.10008.5.1.4.31")), 3),
    _propose(13, "no UID", wire.associate(wire.context(1, b"../../x"), wire.context(3)), 3, 0),
    _before(13, "duplicate id", wire.associate(wire.context(1), wire.context(1)), 6, R.CX_BAD),
    _before(13, "even id", wire.associate(wire.context(2)), 6, R.CX_BAD),
    _before(13, "no transfer syntax", wire.associate(WITHOUT_SYNTAX), 6, R.CX_BAD),
    Row(
        number=14,
        name="all places taken",
        play=_fill_all_places,
        logs=(rejected(R.LIMIT),),
        use=Use.STRICT,
    ),
    _refused(14, "draining", PROPOSAL, (2, 3, 1), R.DRAINING, use=Use.DRAINING),
    _propose(15, "60 KB user name", _user_identity(1, 60_000), 0, 0),
    _propose(15, "SAML", _user_identity(4, 5000), 0, 0),
    _propose(15, "JWT", _user_identity(5, 5000), 0, 0),
    Row(number=16, name="any number", play=_use_the_window, acked=PIPELINED),
    stored(16, "no window: one by one", *(sent() for _ in range(5))),
)
