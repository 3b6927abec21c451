"""P1, P2, P4, P11, P13, P19, P24, P27, P28: peers that are silent, slow, gone; clocks and shutdowns."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from tests.pnd_regress.target import SILENCE, Target, answer_of, associated, hold
from tests.receiver import wire
from tests.wire.peer import CLOSED, RELEASED, Peer, status

SLACK_S = 6.0
"""A deadline may be missed by so much on a busy machine."""


@contextlib.contextmanager
def _three_silent(target: Target) -> Iterator[list[Peer]]:
    """Connect three peers that stop within their first byte, their request and their data set."""
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(target.peer()) for _ in range(2))
        first.send(b"\x01")
        second.send(wire.associate()[:100])
        third = stack.enter_context(associated(target))
        third.send(wire.store()[:-20])
        yield [first, second, third]


def a_silent_peer_is_closed(target: Target) -> None:
    """P1: no timeout applies while a PDU is incomplete."""
    with _three_silent(target) as peers:
        end = time.monotonic() + max(target.artim_s, target.idle_s) + SLACK_S
        for peer in peers:
            answer = SILENCE
            while answer != CLOSED:
                left = end - time.monotonic()
                hold(left > 0, f"still open after its time, {answer}")
                peer.socket.settimeout(left)
                answer = answer_of(peer)


def a_silent_peer_costs_nothing_afterwards(target: Target) -> None:
    """P2: the association's thread waits for a stuck one for ever."""
    with associated(target) as peer:
        peer.send(wire.RELEASE)
        assert answer_of(peer) == RELEASED
    time.sleep(1)  # bare pynetdicom's threads of the first association end
    threads, descriptors = target.threads(), target.descriptors()
    with _three_silent(target):
        end = time.monotonic() + max(target.artim_s, target.idle_s) + SLACK_S
        while (target.threads(), target.descriptors()) > (threads, descriptors):
            hold(time.monotonic() < end, f"{target.threads() - threads} threads are left")
            time.sleep(0.2)
        hold(target.descriptors() <= descriptors, "descriptors are left")


def a_stalled_handshake_blocks_nobody(target: Target) -> None:
    """P4: the TLS handshake is made in the thread that accepts."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):  # with the honest one, as many as the backlog of bare pynetdicom
            silent = stack.enter_context(target.peer())
            silent.send(b"\x16\x03\x01\x00\xc8\x01")  # a ClientHello's beginning
        honest = stack.enter_context(target.peer(timeout_s=4))
        try:
            assert target.tls is not None
            honest.socket = target.tls.wrap_socket(honest.socket)
            honest.send(wire.associate())
            answer = answer_of(honest)
        except TimeoutError:
            answer = None
        hold(answer is not None and answer.what == "A-ASSOCIATE-AC", f"blocked: {answer}")


def a_slow_store_is_not_idleness(target: Target) -> None:
    """P11: the idle timer runs on while the instance is stored; Success, then A-ABORT."""
    with associated(target, timeout_s=40) as peer:
        for number in (1, 2):
            with contextlib.suppress(ConnectionError):
                peer.send(wire.store(number, b"1.2.826.11.%d" % number))
            hold(answer_of(peer) == status(0), f"store {number} on one association failed")


def an_aborted_peer_is_closed(target: Target) -> None:
    """P13: after A-ABORT the socket stays open until the peer goes."""
    with associated(target, timeout_s=target_patience(target)) as peer:
        peer.send(wire.pdu(0xFF, bytes(20)) + b"\x04\x00")
        answers = [answer_of(peer), answer_of(peer)]
        hold(answers[-1] == CLOSED, f"{answers}")


def target_patience(target: Target) -> float:
    """Return how long to wait for the close that follows an A-ABORT: ARTIM, but 3 s are enough."""
    return min(target.artim_s, 3.0) + 2


def idle_associations_cost_no_processor(target: Target) -> None:
    """P19: every association polls its queue and its socket a thousand times a second."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(associated(target))
        before = sum(target.cpu().values())
        time.sleep(2.0)
        used = sum(target.cpu().values()) - before
    hold(used < 0.2, f"{used / 2.0:.0%} of a core for 20 idle associations")


def a_vanished_peer_is_probed(target: Target) -> None:
    """P24: no keepalive, so that a peer whose host is gone is never noticed."""
    with associated(target) as peer:
        own = f":{peer.socket.getsockname()[1]:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        theirs = [line for line in lines if line[2].endswith(own) and line[3] == "01"]
        timers = [line[5].split(":")[0] for line in theirs]
        # 2: the keepalive timer is running.
        hold(timers == ["02"], f"timer {timers}")


def the_wall_clock_may_step(target: Target) -> None:
    """P27: timers use the wall clock, so that a step of NTP ends them."""
    clock = Path(target.hooks["PROBE_CLOCK"])
    with associated(target) as peer:
        clock.write_text("36000")
        with contextlib.suppress(TimeoutError):
            # Bare pynetdicom looks at its timer within milliseconds; give it a second to.
            select.select([peer.socket], [], [], 1.0)
        peer.send(wire.ECHO)
        hold(answer_of(peer) == status(0), "the association ended when the clock stepped")


def an_instance_in_hand_is_finished(target: Target) -> None:
    """P28: shutting down aborts the instance that is being received."""
    with associated(target, timeout_s=20) as peer:
        content = wire.store()
        peer.send(content[:-20])
        time.sleep(0.3)  # the half is read
        target.terminate()
        time.sleep(0.5)  # bare pynetdicom aborts at once
        with contextlib.suppress(ConnectionError):
            peer.send(content[-20:] + wire.RELEASE)
        answers = [answer_of(peer), answer_of(peer)]
        hold(answers[0] == status(0), f"{answers}")
    hold(target.wait() == 0, "exit code")


def a_backlog_of_connections_is_taken(target: Target) -> None:
    """P23: five connections wait in the kernel, the sixth's SYN is dropped."""
    os.kill(target.pid, 19)  # SIGSTOP: nobody accepts
    sockets = {}
    try:
        for _ in range(64):
            one = socket.socket()
            one.settimeout(0)
            one.connect_ex(("127.0.0.1", target.port))
            sockets[one.fileno()] = one
        poll = select.poll()
        for number in sockets:
            poll.register(number, select.POLLOUT)
        connected: set[int] = set()
        end = time.monotonic() + 0.9  # before the first SYN is sent again
        while time.monotonic() < end and len(connected) < len(sockets):
            for number, _ in poll.poll(100):
                connected.add(number)
                poll.unregister(number)
    finally:
        os.kill(target.pid, 18)  # SIGCONT
        for one in sockets.values():
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
    hold(len(connected) == len(sockets), f"{len(connected)} of {len(sockets)} connected")
