"""Rows 17 to 31: command sets, operations and the UIDs in them."""

from __future__ import annotations

import struct

from contract.reasons import WireReason as R
from tests.receiver import wire
from tests.wire.datasets import IMPLICIT, LITTLE, image, sent
from tests.wire.peer import CLOSED, RELEASED, Answer, Peer, status
from tests.wire.row import (
    CT,
    MR,
    ON_ECHO,
    ON_EXPLICIT,
    PROPOSAL,
    Line,
    Row,
    Sent,
    broken,
    command_pdu,
    dataset_pdus,
    not_stored,
    raw_command,
    refused,
    stored,
    window_item,
)

COMMAND, DATA, LAST = wire.COMMAND, wire.DATA, wire.LAST
STORE_RQ, CANCEL_RQ, STORE_RSP = 0x0001, 0x0FFF, 0x8001
NO_DATASET = wire.us(0x0800, 0x0101)
C_STORE = command_pdu(wire.store_rq())
ANY = image("1.2.3")


def _pieces(content: bytes, size: int, *, last: int = COMMAND | LAST) -> list[bytes]:
    """Return fragments of a command set, `size` bytes each."""
    starts = range(0, len(content), size)
    return [
        wire.pdv(
            ON_EXPLICIT,
            last if start + size >= len(content) else COMMAND,
            content[start : start + size],
        )
        for start in starts
    ]


def _store_without(*numbers: int) -> bytes:
    """Return a C-STORE-RQ that lacks these elements."""
    elements = {
        0x0002: wire.ui(0x0002, CT),
        0x0100: wire.us(0x0100, STORE_RQ),
        0x0110: wire.us(0x0110, 1),
        0x0700: wire.us(0x0700, 0),
        0x0800: wire.us(0x0800, 0),
        0x1000: wire.ui(0x1000, b"1.2.3"),
    }
    return wire.command(*(value for number, value in elements.items() if number not in numbers))


def _operation(field: int) -> Row:
    request = wire.command(
        wire.ui(2, CT), wire.us(0x100, field), wire.us(0x110, 5), wire.us(0x800, 0)
    )
    return Row(
        number=25,
        name=f"operation {field:04X}",
        proposal=PROPOSAL,
        send=command_pdu(request) + dataset_pdus(ON_EXPLICIT, ANY),
        answers=(status(0x0211),),
        goes_on=True,
        logs=(Line("operation_refused", R.OP_UNEXPECTED),),
    )


def _command_refused(
    number: int, name: str, command: bytes, code: int, reason: R, *, context_id: int = ON_EXPLICIT
) -> Row:
    """Return a case in which a good data set follows a bad C-STORE-RQ."""
    return Row(
        number=number,
        name=name,
        proposal=PROPOSAL,
        send=command_pdu(command, context_id) + dataset_pdus(context_id, ANY),
        answers=(status(code),),
        goes_on=True,
        logs=(refused(reason),),
        kept=1,
    )


def _uid(number: int, name: str, uid: bytes, reason: R) -> Row:
    return not_stored(number, name, Sent(uid, ANY), 0x0117, reason)


def _lenient(number: int, name: str, uid: bytes) -> Row:
    """Return a case in which command and data set have the same odd UID, and all is well."""
    return stored(number, name, Sent(uid, image(uid.decode("latin-1"))))


QUEUED = tuple(sent() for _ in range(3))


def _one_id_twice(peer: Peer) -> list[Sent]:
    """Send two instances with one Message ID at once, until the first was not answered in between."""
    peer.granted_window(wire.associate(wire.context(ON_EXPLICIT), user=(window_item(8, 8),)))
    acked = []
    for _ in range(200):
        first = sent(pixels=LITTLE.head(0x7FE00010, "OW", 1 << 20) + bytes(1 << 20))
        second = sent()
        peer.send(first.pdus(7) + second.pdus(7))
        answers = [peer.answer(), peer.answer()]
        assert answers[0] == status(0)
        acked.append(first)
        if answers[1] == status(0x0210):
            peer.send(wire.RELEASE)
            assert [peer.answer(), peer.answer()] == [RELEASED, CLOSED]
            return acked
        assert answers[1] == status(0)
        acked.append(second)
    raise AssertionError("never outstanding")


TINY_FRAGMENTS = sent()
VERIFICATION_AS_IMAGE = Sent(
    b"1.2.3",
    image("1.2.3", sop_class=wire.VERIFICATION.decode(), write=IMPLICIT),
    ON_ECHO,
    wire.VERIFICATION,
)

ROWS = (
    broken(17, "garbage", command_pdu(b"garbage garbage!"), 0, R.DIMSE_BAD),
    broken(17, "element beyond the end", command_pdu(wire.store_rq()[:-3]), 0, R.DIMSE_BAD),
    broken(
        17, "another group", command_pdu(struct.pack("<HHL", 8, 0x16, 2) + b"1\0"), 0, R.DIMSE_BAD
    ),
    broken(17, "empty", command_pdu(b""), 0, R.DIMSE_BAD),
    broken(17, "no command field", command_pdu(_store_without(0x0100)), 0, R.DIMSE_BAD),
    broken(17, "no message id", command_pdu(_store_without(0x0110)), 0, R.DIMSE_BAD),
    broken(
        17,
        "unknown command field",
        raw_command((wire.us(0x100, 0x77), wire.us(0x110, 1), NO_DATASET)),
        0,
        R.DIMSE_BAD,
    ),
    broken(18, "no data set type", command_pdu(_store_without(0x0800)), 0, R.DIMSE_BAD),
    Row(
        number=19,
        name="no data set announced",
        proposal=PROPOSAL,
        send=command_pdu(wire.store_rq(dataset_type=0x0101)),
        answers=(status(0x0212),),
        goes_on=True,
        logs=(refused(R.NO_DATASET),),
    ),
    not_stored(20, "no byte", Sent(b"1.2.3", b""), 0xC000, R.EMPTY_DATASET),
    broken(21, "data set first", dataset_pdus(ON_EXPLICIT, ANY), 0, R.DIMSE_ORDER),
    broken(
        21, "2000 empty fragments", wire.data(*[wire.pdv(1, COMMAND, b"")] * 2000), 0, R.DIMSE_ORDER
    ),
    broken(
        21,
        "60 MB command set",
        wire.data(*[wire.pdv(1, COMMAND, bytes(60_000))] * 17) * 60,
        0,
        R.DIMSE_ORDER,
    ),
    broken(21, "command within a data set", C_STORE * 2, 0, R.DIMSE_ORDER),
    Row(
        number=21,
        name="command set in fragments of a byte",
        proposal=PROPOSAL,
        send=wire.data(*_pieces(wire.store_rq(1, CT, TINY_FRAGMENTS.uid), 1))
        + dataset_pdus(ON_EXPLICIT, TINY_FRAGMENTS.dataset),
        answers=(status(0),),
        goes_on=True,
        acked=(TINY_FRAGMENTS,),
    ),
    broken(22, "data set on another", C_STORE + dataset_pdus(ON_ECHO, ANY), 5, R.CX_MIX),
    broken(
        22,
        "command on two",
        wire.data(wire.pdv(1, COMMAND, b"ab"), wire.pdv(3, COMMAND, b"cd")),
        5,
        R.CX_MIX,
    ),
    broken(23, "never proposed", command_pdu(wire.store_rq(), 99), 5, R.CX_UNKNOWN),
    Row(
        number=23,
        name="refused",
        proposal=wire.associate(wire.context(1), wire.context(3, b"1.2.840.10008.5.1.4.31")),
        send=command_pdu(wire.store_rq(), 3),
        answers=(Answer("A-ABORT", (2, 5)), CLOSED),
        logs=(Line("association_aborted", R.CX_UNKNOWN),),
    ),
    _command_refused(24, "another class", wire.store_rq(1, MR), 0x0122, R.SOP_CX_MISMATCH),
    _command_refused(
        24, "on Verification's", wire.store_rq(1, CT), 0x0122, R.SOP_CX_MISMATCH, context_id=ON_ECHO
    ),
    not_stored(24, "Verification itself", VERIFICATION_AS_IMAGE, 0x0122, R.SOP_CX_MISMATCH),
    broken(
        25,
        "response to nothing",
        raw_command((wire.us(0x100, STORE_RSP), wire.us(0x120, 1), NO_DATASET)),
        0,
        R.OP_UNEXPECTED,
    ),
    broken(
        25,
        "1000 C-CANCELs",
        raw_command((wire.us(0x100, CANCEL_RQ), wire.us(0x120, 1), NO_DATASET)) * 1000,
        0,
        R.OP_UNEXPECTED,
    ),
    *(_operation(field) for field in (0x10, 0x20, 0x21, 0x100, 0x110, 0x120, 0x130, 0x140, 0x150)),
    Row(
        number=26,
        name="both outstanding",
        play=_one_id_twice,
        logs=(refused(R.DUP_INVOCATION),),
        kept=1,
    ),
    Row(
        number=26,
        name="one by one",
        proposal=PROPOSAL,
        send=b"".join(one.pdus(7) for one in QUEUED),
        answers=(status(0),) * 3,
        goes_on=True,
        acked=QUEUED,
    ),
    _uid(27, "parent folders", b"../../x", R.UID_SYNTAX),
    _uid(27, "absolute", b"/etc/cron.d/x", R.UID_SYNTAX),
    _uid(27, "backslashes", b"..\\\\x", R.UID_SYNTAX),
    _uid(27, "percent", b"%2e%2e%2fx", R.UID_SYNTAX),
    _uid(28, "NUL within", b"1.2\x003", R.UID_SYNTAX),
    _uid(28, "CR and LF", b'1.2\r\n{"event":"x"}', R.UID_SYNTAX),
    _uid(28, "U+202E", "1.2.\u202e3".encode(), R.UID_SYNTAX),
    _uid(28, "blank in front", b" 1.2.3", R.UID_SYNTAX),
    _uid(28, "terminal escape", b"1.2\x1b[2J", R.UID_SYNTAX),
    _lenient(28, "trailing NUL", b"1.2.826.0.28\0"),
    _lenient(28, "trailing blank", b"1.2.826.0.28.1 "),
    _uid(29, "65", b"1." * 32 + b"1", R.UID_LONG),
    _uid(29, "256", b"1." * 128, R.UID_LONG),
    _uid(29, "10,000", b"1." * 5000, R.UID_LONG),
    _uid(30, "instance empty", b"", R.UID_MISSING),
    _command_refused(30, "instance absent", _store_without(0x1000), 0x0117, R.UID_MISSING),
    _command_refused(30, "class absent", _store_without(0x0002), 0x0122, R.UID_MISSING),
    _uid(31, "two values", b"1.2.3\\4.5.6", R.UID_VM),
    _lenient(32, "leading zero", b"1.02.3"),
    _lenient(32, "empty component", b"1..2"),
    _lenient(32, "dot in front", b".1"),
    _lenient(32, "dot behind", b"1.2."),
    _lenient(32, "64 characters", (b"1." * 32)[:63] + b"2"),
)
