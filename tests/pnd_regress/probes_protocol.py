"""P3, P10, P12, P14 to P17, P29 to P31: what is answered, what is said, who is counted."""

from __future__ import annotations

import contextlib
import struct
import time

from tests.pnd_regress.target import Target, answer_of, associated, hold
from tests.receiver import wire
from tests.wire.datasets import LITTLE, image
from tests.wire.peer import CLOSED, Answer, accepted, status
from tests.wire.row import CANARY, MR

UNKNOWN_OPERATION = wire.data(
    wire.pdv(1, 3, wire.command(wire.us(0x100, 0x77), wire.us(0x110, 1), wire.us(0x800, 0x101)))
)
ABORTED = "A-ABORT"


def unnegotiated_connections_take_no_place(target: Target) -> None:
    """P3: the limit of associations counts sockets that never said what they are."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(target.peer()).send(b"\x01")
        time.sleep(0.5)  # each has its thread
        stack.enter_context(associated(target))


def a_broken_storage_is_out_of_resources(target: Target) -> None:
    """P10: whatever fails in the handler is 'cannot understand', which no sender tries again."""
    with associated(target, timeout_s=20) as peer:
        target.break_storage()
        peer.send(wire.store(1, b"1.2.826.10.1"))
        answer = answer_of(peer)
        target.mend_storage()
        peer.send(wire.store(2, b"1.2.826.10.2"))
        assert answer_of(peer) == status(0)
        hold(answer == status(0xA700), f"{answer}")


def a_malformed_message_is_answered(target: Target) -> None:
    """P12: the reading thread dies, and the peer gets the end of the connection."""
    with associated(target) as peer:
        peer.send(UNKNOWN_OPERATION)
        answer = answer_of(peer)
        hold(answer.what == ABORTED, f"{answer}")


def a_message_agrees_with_its_context(target: Target) -> None:
    """P14: the SOP class of a message is not compared with its context's, nor its data set's context."""
    with associated(target) as peer:
        peer.send(
            wire.data(wire.pdv(1, 3, wire.store_rq(1, MR)), wire.pdv(1, wire.LAST, wire.dataset()))
        )
        answer = answer_of(peer)
        hold(answer == status(0x0122), f"another class: {answer}")
    with associated(target) as peer:
        peer.send(
            wire.data(wire.pdv(1, 3, wire.store_rq()), wire.pdv(3, wire.LAST, wire.dataset()))
        )
        answer = answer_of(peer)
        hold(answer.what == ABORTED, f"a data set on another context: {answer}")


def a_bad_uid_costs_one_instance(target: Target) -> None:
    """P15: a UID of 65 characters ends the association, and the good images after it are lost."""
    with associated(target) as peer:
        peer.send(wire.store(1, b"1." * 32 + b"1"))
        answer = answer_of(peer)
        hold(answer == status(0x0117), f"{answer}")
        peer.send(wire.store(2, b"1.2.826.15"))
        hold(answer_of(peer) == status(0), "the next one is lost")


def a_bad_title_is_rejected(target: Target) -> None:
    """P16: a calling AE title that is not ASCII is aborted, so that nobody is told why."""
    with target.peer() as peer:
        peer.send(wire.associate(calling=b"CT\xe9"))
        answer = answer_of(peer)
        hold(answer == Answer("A-ASSOCIATE-RJ", (1, 1, 3)), f"{answer}")


def an_invented_syntax_is_refused(target: Target) -> None:
    """P17: taking every SOP class takes every transfer syntax too, also one that does not exist."""
    with target.peer() as peer:
        peer.send(wire.associate(wire.context(1, b"1.3.46.670589.11.0.0.12.1", b"9.9.9.9")))
        answer = answer_of(peer)
        hold(answer == accepted(4), f"{answer}")


def no_value_is_quoted(target: Target) -> None:
    """P29: warnings about invalid values quote them."""
    with associated(target) as peer:
        # Frame of Reference UID that is none.
        dataset = image("1.2.826.29", before_study=LITTLE.text(0x00200052, "UI", CANARY))
        peer.send(wire.store(1, b"1.2.826.29", dataset))
        assert answer_of(peer) == status(0)
    time.sleep(0.5)  # what it has to say
    hold(CANARY not in target.output(), "a patient's data is in the log")


def a_dying_thread_is_logged(target: Target) -> None:
    """P30: a thread's death is a traceback on stderr, not a log line."""
    with associated(target) as peer:
        peer.send(UNKNOWN_OPERATION)
        answer_of(peer)
    time.sleep(0.5)  # what it has to say
    hold("Traceback" not in target.output(), "a traceback on stderr")
    hold('"reason"' in target.output(), "no log line gives a reason")


def a_context_without_syntax_leaks_nothing(target: Target) -> None:
    """P31: the association's thread dies, the peer is not answered, and its place is lost."""
    context = wire.item(0x20, struct.pack("BBBB", 1, 0, 0, 0) + wire.item(0x30, wire.CT))
    with contextlib.ExitStack() as stack:
        base = target.threads(), target.descriptors()
        peers = [stack.enter_context(target.peer(timeout_s=2)) for _ in range(20)]
        for peer in peers:
            peer.send(wire.associate(context))
        for peer in peers:
            answers = [answer_of(peer), answer_of(peer)]
            hold(answers == [Answer(ABORTED, (2, 6)), CLOSED], f"{answers}")
        end = time.monotonic() + 5
        while target.threads() > base[0] or target.descriptors() > base[1]:
            hold(time.monotonic() < end, f"{target.threads() - base[0]} threads are left")
            time.sleep(0.1)
