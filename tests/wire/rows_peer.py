"""Rows 50 to 55: what is proposed, how a peer goes, and how many come at once."""

from __future__ import annotations

import errno
import select
import socket
import threading

from contract.reasons import WireReason as R
from tests.builders import new_uid
from tests.receiver import wire
from tests.wire.datasets import image, sent
from tests.wire.peer import CLOSED, RELEASED, Answer, Peer, accepted, status
from tests.wire.row import (
    CT,
    EXPLICIT,
    ON_ECHO,
    ON_EXPLICIT,
    PROPOSAL,
    Row,
    Sent,
    Use,
    aborted,
    broken,
)

SHUT_OUT = b"1.2.840.10008.5.1.4.1.1.7"
"""Secondary Capture: not on the strict receiver's list."""


def _class(number: int, name: str, sop_class: bytes) -> Row:
    """Return a case in which an instance of this class is stored."""
    uid = new_uid()
    one = Sent(uid.encode(), image(uid, sop_class=sop_class.decode()), ON_EXPLICIT, sop_class)
    return Row(
        number=number,
        name=name,
        proposal=wire.associate(wire.context(ON_EXPLICIT, sop_class, EXPLICIT)),
        send=one.pdus() + wire.RELEASE,
        answers=(status(0), RELEASED, CLOSED),
        acked=(one,),
    )


def _offer(number: int, name: str, result: int, context: bytes, use: Use = Use.OPEN) -> Row:
    def propose(peer: Peer) -> None:
        peer.send(wire.associate(context))
        assert peer.answer() == accepted(result)
        peer.send(wire.RELEASE)
        assert [peer.answer(), peer.answer()] == [RELEASED, CLOSED]

    return Row(number=number, name=name, play=propose, use=use)


def _begin(peer: Peer) -> None:
    peer.send(PROPOSAL)
    assert peer.answer().what == "A-ASSOCIATE-AC"
    peer.send(sent().pdus()[:-40])


def _abort_within(peer: Peer) -> None:
    peer.send(PROPOSAL)
    assert peer.answer().what == "A-ASSOCIATE-AC"
    one = sent()
    command = wire.data(wire.pdv(ON_EXPLICIT, 3, wire.store_rq(1, CT, one.uid)))
    part = wire.data(wire.pdv(ON_EXPLICIT, wire.DATA, one.dataset[:200]))
    peer.send(command + part + wire.pdu(7, bytes(4)))
    assert peer.answer() == CLOSED


def _reset_within(peer: Peer) -> None:
    _begin(peer)
    peer.reset()


def _leave_within(peer: Peer) -> None:
    _begin(peer)


LEFT_BEHIND = sent()


def _leave_after_the_last_byte(peer: Peer) -> None:
    peer.send(PROPOSAL)
    assert peer.answer().what == "A-ASSOCIATE-AC"
    peer.send(LEFT_BEHIND.pdus())
    peer.socket.shutdown(socket.SHUT_WR)
    assert [peer.answer(), peer.answer()] == [status(0), CLOSED]


def _never_read(peer: Peer) -> None:
    """Ask and never read the answers, until the receiver has had enough."""
    peer.socket.close()
    peer.socket = socket.socket()
    # A small window, and responses cut into fragments of a byte: the buffers on the way fill up soon.
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.socket.bind((peer.address, 0))
    peer.socket.settimeout(45)
    peer.socket.connect(("127.0.0.1", peer.port))
    peer.send(wire.associate(wire.context(ON_ECHO, wire.VERIFICATION, wire.IMPLICIT), maximum=7))
    try:
        for _ in range(20_000):
            peer.send(wire.ECHO * 50)
    except ConnectionError:
        return
    raise AssertionError("still taken")


CHATTY = tuple(sent() for _ in range(200))
SENDERS = 8


def _one_image_each(peer: Peer) -> None:
    """Open 200 associations, eight at a time, each for one image."""
    failures: list[object] = []

    def run(share: tuple[Sent, ...]) -> None:
        for one in share:
            with peer.again() as sender:
                sender.send(PROPOSAL)
                answers = [sender.answer().what]
                sender.send(one.pdus() + wire.RELEASE)
                if [*answers, sender.answer(), sender.answer()] != [
                    "A-ASSOCIATE-AC",
                    status(0),
                    RELEASED,
                ]:
                    failures.append(answers)

    threads = [threading.Thread(target=run, args=(CHATTY[n::SENDERS],)) for n in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def _many_at_once(peer: Peer) -> None:
    """Open 500 connections within a moment; all get through, and all go without a word."""
    waiting = {}
    try:
        for _ in range(500):
            one = socket.socket()
            one.settimeout(0)
            one.bind((peer.address, 0))
            assert one.connect_ex(("127.0.0.1", peer.port)) in (0, errno.EINPROGRESS)
            waiting[one.fileno()] = one
        poll = select.poll()
        for number in waiting:
            poll.register(number, select.POLLOUT)
        left = set(waiting)
        while left:
            ready = poll.poll(10_000)
            assert ready, f"{len(left)} connections were not accepted"
            for number, _ in ready:
                assert waiting[number].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                poll.unregister(number)
                left.discard(number)
    finally:
        for one in waiting.values():
            one.close()


BEFORE_RELEASE = (sent(), sent())
TRANSFER = "1.2.840.10008.1.2.4."

ROWS = (
    _class(50, "private", b"1.3.46.670589.11.0.0.12.1"),
    _class(50, "retired", b"1.2.840.10008.5.1.4.1.1.6"),
    _class(50, "unknown public", b"1.2.840.10008.5.1.4.1.1.9999"),
    _offer(50, "not on the list", 3, wire.context(1, SHUT_OUT, EXPLICIT), Use.STRICT),
    *(
        _offer(51, name, result, wire.context(1, CT, syntax.encode()))
        for name, syntax, result in (
            ("MPEG4", TRANSFER + "102", 0),
            ("HEVC", TRANSFER + "107", 0),
            ("JPEG XL", TRANSFER + "112", 0),
            ("HTJ2K", TRANSFER + "201", 0),
            ("JPIP", TRANSFER + "94", 4),
            ("JPIP deflated", TRANSFER + "95", 4),
            ("JPIP HTJ2K", TRANSFER + "204", 4),
            ("invented", "9.9.9.9", 4),
        )
    ),
    Row(number=52, name="A-ABORT", play=_abort_within, logs=(aborted(R.ABORTED),)),
    Row(number=52, name="reset", play=_reset_within, logs=(aborted(R.ABORTED),)),
    Row(number=52, name="end", play=_leave_within, logs=(aborted(R.ABORTED),)),
    Row(
        number=52,
        name="end after the last byte",
        play=_leave_after_the_last_byte,
        logs=(aborted(R.ABORTED),),
        acked=(LEFT_BEHIND,),
    ),
    Row(
        number=53,
        name="never reads",
        play=_never_read,
        logs=(aborted(R.SEND_STALL),),
        slow=True,
    ),
    Row(
        number=54,
        name="release before the responses",
        proposal=PROPOSAL,
        send=BEFORE_RELEASE[0].pdus(1) + BEFORE_RELEASE[1].pdus(2) + wire.RELEASE,
        answers=(status(0), status(0), RELEASED, CLOSED),
        acked=BEFORE_RELEASE,
    ),
    broken(54, "A-RELEASE-RP to nothing", wire.pdu(6, bytes(4)), 2, R.PDU_UNEXPECTED),
    Row(
        number=54,
        name="release within a data set",
        proposal=PROPOSAL,
        send=wire.data(wire.pdv(ON_EXPLICIT, 3, wire.store_rq())) + wire.RELEASE,
        answers=(Answer("A-ABORT", (2, 2)), CLOSED),
        logs=(aborted(R.PDU_UNEXPECTED),),
    ),
    Row(number=55, name="an association per image", play=_one_image_each, acked=CHATTY),
    Row(number=55, name="500 connections at once", play=_many_at_once),
)
