"""Mutated sessions over TCP to a whole receiver: it lives, holds nothing, and serves the honest all the while."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.builders import make_instance
from tests.deadline import wait_until
from tests.fuzz.mutate import mutate
from tests.fuzz.target import ViolationError
from tests.landed import Landed
from tests.processes import MIB, descriptor_count, own_bytes, thread_count
from tests.raw_scu import SUCCESS, Acks, RawAssociation
from tests.receiver_process import ReceiverProcess, running_receiver

HONEST_EVERY = 50
HONEST_S = 2.0
GROWTH_BYTES = 24 * MIB
"""Pools and allocators that are warm afterwards."""
_BUGS = {"association_failed", "connection_failed", "store_failed", "refused_not_kept", "worker_died", "worker_stuck", "tick_failed", "unhandled_exception"}  # fmt: skip


class Live:
    """A running receiver and the honest sender beside the mutated sessions."""

    def __init__(self, receiver: ReceiverProcess, landed: Landed) -> None:
        self.acks = Acks()
        self._receiver = receiver
        self._landed = landed
        self._pids = receiver.pids
        for _ in range(8):  # each worker has served: its pools and threads are there
            self.be_honest(within_s=60)
        self._base = self._usage()

    def be_honest(self, within_s: float) -> None:
        """Store an honest instance, in time.

        Raises:
            ViolationError: It was not stored, or it took longer.
        """
        began = time.monotonic()
        with RawAssociation(self._receiver.port) as association:
            status = association.store(make_instance())
        took_s = time.monotonic() - began
        if status != SUCCESS or took_s > within_s:
            raise ViolationError(f"an honest C-STORE: {status:04X} after {took_s:.1f} s")
        self.acks.digests |= association.acks.digests

    def play(self, session: bytes) -> bytes:
        """Send a session, say that it is all, and return what the receiver answered to its end."""
        answer = bytearray()
        with socket.create_connection(("127.0.0.1", self._receiver.port), 60) as peer:
            # A receiver that has heard enough may reset; what it said before is not always to be had then.
            with contextlib.suppress(ConnectionError):
                peer.sendall(session)
                peer.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while data := peer.recv(65_536):
                    answer += data
        return bytes(answer)

    def hold(self) -> None:
        """Hold what must be true when the sessions are over.

        Raises:
            ViolationError: A promise was broken.
        """
        if self._receiver.pids != self._pids:
            raise ViolationError("a process was replaced")
        bugs = [event for event in self._receiver.all_events() if event.get("event") in _BUGS]
        if bugs:
            raise ViolationError(f"{bugs[:3]}")
        wait_until(self._is_at_rest, f"{self._base} again, not {self._usage()}", within_s=30)

    def hold_sum(self) -> None:
        """After the receiver has stopped: acknowledged is landed and sealed, and nothing else is.

        Raises:
            ViolationError: The sum does not come out.
        """
        acked = sum(event["stored"] for event in self._receiver.events("association_closed"))
        rows = self._landed.rows()
        if acked != len(rows) or {row.key for row in rows} != set(self._landed.keys()):
            raise ViolationError(f"{acked} acknowledged, {len(rows)} in manifests")
        self._landed.assert_holds(self.acks.digests)

    def _usage(self) -> tuple[int, int, int]:
        pids = self._receiver.pids
        return (
            thread_count(pids),
            descriptor_count(pids, outside=self._landed.root),
            own_bytes(pids),
        )

    def _is_at_rest(self) -> bool:
        now = self._usage()
        return (
            now[0] <= self._base[0]
            and now[1] <= self._base[1]
            and now[2] < self._base[2] + GROWTH_BYTES
        )


@contextmanager
def running_live(directory: Path) -> Iterator[Live]:
    """Run a receiver that lands in `directory`; at the end everything is held."""
    with running_receiver(directory, WORKERS=2) as receiver:
        live = Live(receiver, Landed(directory))
        yield live
        live.hold()
        receiver.stop()
        live.hold_sum()


def play_mutated(
    live: Live, sessions: Sequence[bytes], *, cases: int, seed: int, honest_s: float = HONEST_S
) -> None:
    """Play `cases` mutations of `sessions`, an honest store now and then between them."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    for n in range(cases):
        live.play(mutate(rng.choice(sessions), rng, sessions))
        if n % HONEST_EVERY == 0:
            live.be_honest(honest_s)
