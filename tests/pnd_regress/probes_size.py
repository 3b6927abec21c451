"""P5 to P9, P18, P20 to P22, P25, P26: bytes, memory, files, processes, threads, descriptors."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
import zlib

from tests.builders import CT_IMAGE, EXPLICIT_LITTLE, make_instance
from tests.pnd_regress.target import Target, answer_of, associated, hold
from tests.processes import MIB, PeakMemory
from tests.raw_scu import RawAssociation
from tests.receiver import wire
from tests.wire.peer import Answer, status

CHECKS_BYTES = MIB
DEFLATED = b"1.2.840.10008.1.2.1.99"
GIANT_BYTES = 128 * MIB
BOUND_BYTES = 64 * MIB
"""Of growth. A good receiver holds two parts of 8 MiB of a giant, and one small instance."""


def a_length_is_checked_before_it_is_read(target: Target) -> None:
    """P5: a PDU of any length is read into memory."""
    with target.peer(timeout_s=3) as peer, PeakMemory(target.pids(), every_s=0.05) as watched:
        base = watched.peak
        with contextlib.suppress(OSError):
            peer.send(struct.pack(">BxL", 1, 0xFFFFFFFF))
            for _ in range(64):
                peer.send(bytes(MIB))
        answer = answer_of(peer)
    hold(watched.peak - base < 24 * MIB, f"{(watched.peak - base) // MIB} MiB for a lie")
    hold(answer == Answer("A-ABORT", (2, 6)), f"{answer}")
    with associated(target) as peer:
        dataset = wire.dataset(pixels=8 * MIB)
        peer.send(wire.data(wire.pdv(1, 3, wire.store_rq())))
        with contextlib.suppress(OSError):
            peer.send(wire.data(wire.pdv(1, wire.LAST, dataset)))
        answer = answer_of(peer)
    hold(answer == Answer("A-ABORT", (2, 6)), f"a PDU over the maximum: {answer}")


def a_giant_is_not_held_in_memory(target: Target) -> None:
    """P6: a data set is collected in memory, however large, and copied."""
    giant = make_instance(size=GIANT_BYTES)
    with (
        RawAssociation(target.port) as association,
        PeakMemory(target.pids(), every_s=0.05) as watched,
    ):
        base = watched.peak
        assert association.store(giant) == 0
    grown = (watched.peak - base) // MIB
    hold(watched.peak - base < BOUND_BYTES, f"{grown} MiB for {giant.size // MIB} MiB")


def who_does_not_wait_is_made_to(target: Target) -> None:
    """P7: requests are read and queued while the one before is being stored."""
    one = wire.dataset(b"1.2.826.7", pixels=MIB - 4096)
    fragments = b"".join(
        wire.data(wire.pdv(1, wire.LAST if at + 16_000 >= len(one) else 0, one[at : at + 16_000]))
        for at in range(0, len(one), 16_000)
    )
    commands = [
        wire.data(wire.pdv(1, 3, wire.store_rq(n + 1, sop_instance=b"1.2.826.7")))
        for n in range(100)
    ]
    with (
        associated(target, timeout_s=3) as peer,
        PeakMemory(target.pids(), every_s=0.05) as watched,
    ):
        base = watched.peak
        until = time.monotonic() + 3
        with contextlib.suppress(OSError):
            for command in commands:
                peer.send(command + fragments)
                if time.monotonic() > until:
                    break
    grown = (watched.peak - base) // MIB
    hold(watched.peak - base < 40 * MIB, f"{grown} MiB queued")


def an_aborted_instance_leaves_no_file(target: Target) -> None:
    """P8: a data set that is written as it comes leaves its file behind when the peer goes."""
    for _ in range(3):
        with associated(target) as peer:
            peer.send(wire.data(wire.pdv(1, 3, wire.store_rq())))
            peer.send(wire.data(wire.pdv(1, 0, wire.dataset()[:150])))
            time.sleep(0.2)  # it is read
    end = time.monotonic() + 4
    while files := target.files():
        hold(time.monotonic() < end, f"{len(files)} files")
        time.sleep(0.1)


def an_acknowledged_instance_is_durable(target: Target) -> None:
    """P9: nothing is synced before Success."""
    with associated(target) as peer:
        peer.send(wire.store())
        assert answer_of(peer) == status(0)
        hold(target.fsyncs(), "no fsync before Success")


def a_deflated_bomb_does_not_burst(target: Target) -> None:
    """P18: a deflated data set is inflated whole."""
    inflated = wire.dataset() + struct.pack("<HH2sxxL", 0x7FE1, 0x10, b"OB", 150 * MIB)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(inflated)
    bomb += b"".join(deflater.compress(bytes(MIB)) for _ in range(150)) + deflater.flush()
    with target.peer(timeout_s=30) as peer:
        peer.send(wire.associate(wire.context(1, wire.CT, DEFLATED)))
        answer = answer_of(peer)
        if answer == Answer("A-ASSOCIATE-AC", (4,)):
            return
        with PeakMemory(target.pids(), every_s=0.02) as watched:
            base = watched.peak
            peer.send(wire.data(wire.pdv(1, 3, wire.store_rq())))
            for at in range(0, len(bomb), 16_000):
                last = wire.LAST if at + 16_000 >= len(bomb) else 0
                peer.send(wire.data(wire.pdv(1, last, bomb[at : at + 16_000])))
            answer_of(peer)
    grown = (watched.peak - base) // MIB
    hold(watched.peak - base < BOUND_BYTES, f"{grown} MiB for {len(bomb) // 1024} KiB")


def associations_share_no_interpreter(target: Target) -> None:
    """P20: one process serves all, so that more senders get less."""
    small = make_instance(size=256 * 1024)
    until = time.monotonic() + 2.5

    def send() -> None:
        with RawAssociation(target.port, [(CT_IMAGE, EXPLICIT_LITTLE)]) as association:
            while time.monotonic() < until:
                assert association.store(small) == 0

    before = target.cpu()
    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    used = [seconds - before[pid] for pid, seconds in target.cpu().items()]
    hold(max(used) < 0.8 * sum(used), f"{max(used) / sum(used):.0%} of the work in one process")


def descriptors_may_have_large_numbers(target: Target) -> None:
    """P21: select fails above 1023, and the peer is closed without a word."""
    with associated(target) as peer:
        peer.send(wire.ECHO)
        hold(answer_of(peer) == status(0), "no answer")


def an_association_costs_one_thread(target: Target) -> None:
    """P22: three threads for each connection."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(associated(target))
        before = target.threads()
        for _ in range(8):
            stack.enter_context(associated(target))
        each = (target.threads() - before) / 8
    hold(each <= 1, f"{each:g} threads for each association")


def checks_of_the_port_cost_nothing(target: Target) -> None:
    """P25: connections of a health check leave memory behind until a forced collection."""
    _check_port(target, 20)
    base = target.memory()
    _check_port(target, 150)
    grown = target.memory() - base
    hold(grown < CHECKS_BYTES, f"{grown / MIB:.1f} MiB for 150 connections")


def _check_port(target: Target, count: int) -> None:
    for _ in range(count):
        target.peer().socket.close()
        time.sleep(0.01)  # more at once than its backlog would wait for a second SYN
    time.sleep(1)


def a_reset_frees_the_descriptor(target: Target) -> None:
    """P26: the socket of a peer that reset its connection is not closed when that is noticed."""
    base = target.descriptors()
    for _ in range(20):
        peer = target.peer()
        peer.send(wire.associate()[:60])
        peer.reset()
    end = time.monotonic() + 4
    while (left := target.descriptors() - base) > 0:
        hold(time.monotonic() < end, f"{left} descriptors are left")
        time.sleep(0.1)
