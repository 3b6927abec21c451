"""The receiver's promises under faults: a killed worker, a stop in the middle of transfers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests.builders import CT_IMAGE, EXPLICIT_LITTLE, make_instance
from tests.deadline import wait_until
from tests.landed import Landed
from tests.raw_scu import SUCCESS, Acks, RawAssociation, RejectedError
from tests.receiver_process import ReceiverProcess

pytestmark = pytest.mark.slow

Start = Callable[..., ReceiverProcess]

LOADED = 3.0
"""How much longer than promised a loaded machine may take; bench/ measures the promise itself."""
STORES_BEFORE_KILL = 1_000
LIVE_TRANSFERS = 20
PATIENCE_S = 90.0


class Sender(threading.Thread):
    """Sends instances until it is told to stop, the receiver says no more, or the connection breaks.

    Attributes:
        acks: What was answered with Success.
        statuses: Every status that was not Success.
        broke: What ended it, None if nothing did.
    """

    def __init__(self, port: int, *, size: int) -> None:
        super().__init__()
        self.association = RawAssociation(port)
        self.acks: Acks = self.association.acks
        self.statuses: list[int] = []
        self.broke: OSError | None = None
        self._size = size
        self._stopping = threading.Event()

    def run(self) -> None:
        """Send."""
        try:
            while not self._stopping.is_set():
                status = self.association.store(make_instance(size=self._size))
                if status != SUCCESS:
                    self.statuses.append(status)
            self.association.release()
        except OSError as error:
            self.broke = error
        finally:
            self.association.close()

    def stop(self) -> None:
        """Ask it to end after the instance in hand."""
        self._stopping.set()


def test_killed_worker_loses_nothing_acknowledged(start_receiver: Start, landing: Landed) -> None:
    """Kill -9 of a worker in a transfer: the sender sees a break, another worker stores, all is sealed."""
    receiver = start_receiver(WORKERS=1, BATCH_AGE=600, BATCH_IDLE=300)
    sender = Sender(receiver.port, size=1_000)
    sender.start()
    wait_until(lambda: len(sender.acks.digests) >= STORES_BEFORE_KILL, "1,000 stores", within_s=60)
    first = receiver.worker_pids

    os.kill(first[0], signal.SIGKILL)
    killed_at = time.monotonic()
    sender.join(30)
    with RawAssociation(receiver.port) as association:
        status = association.store(make_instance())
    served_s = time.monotonic() - killed_at
    wait_until(landing.manifests, "the dead worker's batch is sealed", within_s=5 * LOADED)
    sealed_s = time.monotonic() - killed_at

    assert isinstance(sender.broke, ConnectionError)
    assert not sender.statuses
    assert status == SUCCESS
    assert receiver.worker_pids != first
    assert served_s < 2 * LOADED
    assert sealed_s < 5 * LOADED
    landing.assert_holds(sender.acks.digests)
    assert ["replacement"] == [manifest.sealed_by.value for manifest in landing.manifests()]
    receiver.stop()
    landing.assert_holds(sender.acks.digests | association.acks.digests)


@pytest.mark.parametrize("round_number", range(3))
def test_every_worker_killed_at_once_is_replaced(
    start_receiver: Start, landing: Landed, round_number: int
) -> None:
    """Kill -9 of all workers under load: the parent survives, replaces each, nothing acknowledged is lost."""
    del round_number  # the moment differs each time
    receiver = start_receiver(WORKERS=2, BATCH_AGE=600, BATCH_IDLE=300)
    senders = [Sender(receiver.port, size=20_000) for _ in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(len(s.acks.digests) > 20 for s in senders), "stores of all senders")
    victims = receiver.worker_pids

    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    for sender in senders:
        sender.join(30)
    wait_until(lambda: len(set(receiver.worker_pids) - set(victims)) == 2, "two new workers")
    with RawAssociation(receiver.port) as association:
        status = association.store(make_instance())
    receiver.stop()

    assert status == SUCCESS
    assert all(isinstance(sender.broke, ConnectionError) for sender in senders)
    acked = set.union(association.acks.digests, *(sender.acks.digests for sender in senders))
    landing.assert_holds(acked)


def test_sigterm_with_live_transfers_loses_nothing(start_receiver: Start, landing: Landed) -> None:
    """SIGTERM with 20 transfers in progress: exit 0, every acknowledged instance sealed, none half there."""
    receiver = start_receiver(STOP_TIMEOUT=10)
    senders = [Sender(receiver.port, size=400_000) for _ in range(LIVE_TRANSFERS)]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(s.acks.digests for s in senders), "a store of every sender")

    receiver.terminate()
    receiver.wait_event("draining")
    with pytest.raises((RejectedError, ConnectionError)) as refusal:
        RawAssociation(receiver.port)
    code = receiver.wait(within_s=40)
    for sender in senders:
        sender.join(10)

    assert code == 0, receiver.tail()
    assert not receiver.noise
    if isinstance(refusal.value, RejectedError):
        assert refusal.value.reason == (2, 3, 1)
    acked = set.union(*(sender.acks.digests for sender in senders))
    assert len(acked) >= LIVE_TRANSFERS
    landing.assert_holds(acked)
    assert {row.key for row in landing.rows()} == set(landing.keys())
    assert all(sender.broke is not None for sender in senders)


class PatientSender(threading.Thread):
    """Sends as a modality does: an instance that breaks or is refused is sent again, until it is acknowledged.

    Args:
        target: Returns the port to connect to, as a load balancer decides it for each connection.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        super().__init__()
        self.acks = Acks()
        self.associations = 0
        self._target = target
        self._in_hand = make_instance(size=400_000)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Send until told to stop, then until the instance in hand is acknowledged."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self.associations += 1
            with contextlib.suppress(OSError, RejectedError):
                with RawAssociation(self._target()) as association:
                    while not self._is_done(association):
                        pass
                return

    def stop(self) -> None:
        """Ask it to end after the instance in hand."""
        self._stopping.set()

    def _is_done(self, association: RawAssociation) -> bool:
        if association.store(self._in_hand) == SUCCESS:
            self.acks.add(self._in_hand)
            if self._stopping.is_set():
                return True
            self._in_hand = make_instance(size=400_000)
        return False


def test_rolling_restart_under_20_live_associations(start_receiver: Start, landing: Landed) -> None:
    """A new task comes, the old one is stopped in the middle of 20 transfers: all that was sent arrives."""
    old = start_receiver(STOP_TIMEOUT=8)
    ports = [old.port]
    senders = [PatientSender(lambda: ports[-1]) for _ in range(LIVE_TRANSFERS)]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(sender.acks.digests for sender in senders), "all are in the middle")

    new = start_receiver()
    ports.append(new.port)
    old.terminate()
    code = old.wait(within_s=60)
    for sender in senders:
        sender.stop()
    for sender in senders:
        sender.join(PATIENCE_S)
        assert not sender.is_alive()
    new.stop()

    acked = set[tuple[str, str]]().union(*(sender.acks.digests for sender in senders))
    assert code == 0, old.tail()
    assert not old.noise
    assert min(sender.associations for sender in senders) >= 2, "all were cut"
    landing.assert_holds(acked)


def test_sigterm_lets_the_instance_in_hand_finish(start_receiver: Start, landing: Landed) -> None:
    """An instance half received when SIGTERM comes is received to its end, stored and acknowledged."""
    receiver = start_receiver(STOP_TIMEOUT=60)
    instance = make_instance(size=1_000_000)

    def stop_receiver() -> None:
        receiver.terminate()
        receiver.wait_event("draining")

    with RawAssociation(receiver.port, [(CT_IMAGE, EXPLICIT_LITTLE)]) as association:
        association.send(instance, stop_before_end=100_000, wait=stop_receiver)
        status = association.read_status(instance)
    code = receiver.wait(within_s=40)

    assert status == SUCCESS
    assert code == 0, receiver.tail()
    landing.assert_holds(association.acks.digests)


def test_aborted_instance_leaves_nothing(start_receiver: Start, landing: Landed) -> None:
    """A sender that aborts or vanishes within a dataset leaves no object, no row, and no open place."""
    receiver = start_receiver(MAXIMUM_ASSOCIATIONS=2)
    instance = make_instance(size=3_000_000)
    for leave in (RawAssociation.abort, RawAssociation.close) * 3:
        association = RawAssociation(receiver.port)
        last_fragment = instance.size % (association.maximum_length - 6)
        association.send(instance, stop_before_end=last_fragment)
        leave(association)
        wait_until(lambda: receiver.get("/status")[1]["associations"] == 0, "its place is free")
    receiver.stop()

    assert not landing.keys()
    assert not landing.manifests()
    assert len(receiver.events("association_closed")) == 6


def test_a_retry_over_another_association_is_one_object(
    start_receiver: Start, landing: Landed
) -> None:
    """The same instance again and again, to whichever worker: Success each time, stored once."""
    receiver = start_receiver(WORKERS=2)
    instance = make_instance()
    statuses = []
    for _ in range(8):
        with RawAssociation(receiver.port) as association:
            statuses.append(association.store(instance))
        acked = association.acks.digests
    counters = receiver.get("/status")[1]["counters"]
    receiver.stop()

    assert statuses == [SUCCESS] * 8
    assert (counters["acked"], counters["duplicates_answered"]) == (1, 7)
    assert [row.sop_instance_uid for row in landing.rows()] == [instance.sop_instance_uid]
    landing.assert_holds(acked)
