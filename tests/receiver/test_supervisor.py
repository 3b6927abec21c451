"""The parent and its workers as real processes: deaths, hangs, drains."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.builders import CT_IMAGE, EXPLICIT_LITTLE, make_instance
from tests.deadline import wait_until
from tests.landed import Landed
from tests.processes import cpu_seconds
from tests.raw_scu import AbortedError, RawAssociation, RejectedError
from tests.receiver.test_proxy import header
from tests.receiver_process import ReceiverProcess, settle

Start = Callable[..., ReceiverProcess]
CONTEXTS = ((CT_IMAGE, EXPLICIT_LITTLE),)


def open_associations(receiver: ReceiverProcess) -> int:
    """Return what the task counts."""
    return int(receiver.get("/status")[1]["associations"])


def test_load_is_spread_over_the_workers(start_receiver: Start) -> None:
    """Each new connection goes to the worker with the fewest."""
    receiver = start_receiver(WORKERS=2)
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(RawAssociation(receiver.port))

        workers = receiver.get("/status")[1]["workers"]

        assert [worker["associations"] for worker in workers] == [3, 3]


def test_limit_is_exact_over_all_workers(start_receiver: Start) -> None:
    """MAXIMUM_ASSOCIATIONS is the task's, not each worker's; the next one gets RJ 2,3,2."""
    receiver = start_receiver(WORKERS=2, MAXIMUM_ASSOCIATIONS=3)
    first, *others = [RawAssociation(receiver.port) for _ in range(3)]

    with pytest.raises(RejectedError) as rejected:
        RawAssociation(receiver.port)
    assert rejected.value.reason == (2, 3, 2)
    assert receiver.get("/status")[1]["reasons"] == {"limit": 1}

    with first:
        pass
    wait_until(lambda: open_associations(receiver) == 2, "the released place is free")
    for association in (*others, RawAssociation(receiver.port)):
        with association:
            pass


def test_killed_worker_is_replaced_within_2_s(start_receiver: Start, landing: Landed) -> None:
    """The new one stores, the dead one's places are free, and its acked instances are sealed in 5 s."""
    receiver = start_receiver(WORKERS=1, MAXIMUM_ASSOCIATIONS=1, BATCH_IDLE=300)
    (old,) = receiver.worker_pids
    association = RawAssociation(receiver.port)
    before = make_instance()
    assert association.store(before) == 0

    os.kill(old, signal.SIGKILL)
    killed_at = time.monotonic()
    with pytest.raises(ConnectionError):
        association.read_response()
    association.close()

    wait_until(
        lambda: any(w["ready"] and w["pid"] != old for w in receiver.get("/status")[1]["workers"]),
        "a new worker is ready",
        within_s=2,
    )
    wait_until(landing.manifests, "the dead worker's batch is sealed", within_s=5)
    assert time.monotonic() - killed_at < 7
    assert [row.sop_instance_uid for row in landing.rows()] == [before.sop_instance_uid]
    with RawAssociation(receiver.port) as after:
        assert after.store(make_instance()) == 0
    assert receiver.get("/status")[1]["counters"]["acked"] == 2


def test_stuck_worker_loses_no_connection_and_is_replaced(start_receiver: Start) -> None:
    """A connection that a stopped worker has not taken goes to another, and the worker is killed."""
    receiver = start_receiver(WORKERS=1)
    (stuck,) = receiver.worker_pids
    os.kill(stuck, signal.SIGSTOP)

    with RawAssociation(receiver.port, timeout_s=30) as association:
        assert association.store(make_instance()) == 0

    assert [event["worker_pid"] for event in receiver.events("worker_stuck")] == [stuck]
    assert stuck not in receiver.worker_pids


def test_no_worker_is_a_fault_of_the_task(start_receiver: Start) -> None:
    """While none is alive the health check says so; then it recovers."""
    receiver = start_receiver(WORKERS=1)
    os.kill(receiver.worker_pids[0], signal.SIGKILL)
    receiver.wait_event("worker_died")

    wait_until(lambda: receiver.get("/healthz") == (200, {"status": "ok"}), "it recovers")
    assert receiver.get("/status")[1]["counters"]["worker_restarts"] == 1


def test_idle_receiver_stops_at_once(start_receiver: Start) -> None:
    """Without associations a drain waits for nothing."""
    receiver = start_receiver()
    began = time.monotonic()

    receiver.stop()

    assert time.monotonic() - began < 2


def test_drain_refuses_new_and_finishes_open_associations(
    start_receiver: Start, landing: Landed
) -> None:
    """After SIGTERM: 503, RJ 2,3,1 for the new, all that is wanted for the old, then exit 0."""
    receiver = start_receiver(STOP_TIMEOUT=120)
    with RawAssociation(receiver.port) as association:
        receiver.terminate()
        receiver.wait_event("draining")
        wait_until(lambda: receiver.get("/healthz") == (503, {"status": "draining"}), "it drains")

        with pytest.raises(RejectedError) as rejected:
            RawAssociation(receiver.port)
        assert rejected.value.reason == (2, 3, 1)
        instance = make_instance()
        assert association.store(instance) == 0
    released_at = time.monotonic()

    assert receiver.wait() == 0
    assert time.monotonic() - released_at < 2
    assert [row.sop_instance_uid for row in landing.rows()] == [instance.sop_instance_uid]


def test_drain_cuts_idle_associations_after_a_quarter_of_its_time(
    start_receiver: Start, landing: Landed
) -> None:
    """A parked association is aborted, what it stored is sealed, exit 0."""
    receiver = start_receiver(STOP_TIMEOUT=8)
    association = RawAssociation(receiver.port)
    assert association.store(make_instance()) == 0
    receiver.terminate()
    began = time.monotonic()

    with pytest.raises(AbortedError):
        association.read_response()

    association.close()
    assert 1.5 < time.monotonic() - began < 4
    assert receiver.wait() == 0
    assert len(landing.rows()) == 1


def test_drain_cuts_a_message_that_does_not_end(start_receiver: Start, landing: Landed) -> None:
    """A sender that stalls within an instance holds nobody up beyond STOP_TIMEOUT."""
    receiver = start_receiver(STOP_TIMEOUT=6)
    association = RawAssociation(receiver.port)
    assert association.store(make_instance()) == 0
    association.send(make_instance(), stop_before_end=10)
    receiver.terminate()
    began = time.monotonic()

    assert receiver.wait() == 0

    association.close()
    assert time.monotonic() - began < 6
    assert len(landing.rows()) == 1


def test_second_signal_cuts_at_once(start_receiver: Start, landing: Landed) -> None:
    """An impatient operator loses associations, never an acked instance."""
    receiver = start_receiver(STOP_TIMEOUT=120)
    association = RawAssociation(receiver.port)
    assert association.store(make_instance()) == 0
    receiver.terminate()
    receiver.wait_event("draining")
    began = time.monotonic()

    receiver.terminate()

    assert receiver.wait() == 0
    association.close()
    assert time.monotonic() - began < 5
    assert len(landing.rows()) == 1


def test_worker_killed_in_a_drain_is_replaced_to_seal(
    start_receiver: Start, landing: Landed
) -> None:
    """Even then no acked instance is left to Sweep."""
    receiver = start_receiver(WORKERS=1, STOP_TIMEOUT=60)
    (worker,) = receiver.worker_pids
    association = RawAssociation(receiver.port)
    assert association.store(make_instance()) == 0
    receiver.terminate()
    receiver.wait_event("draining")

    os.kill(worker, signal.SIGKILL)

    assert receiver.wait() == 0
    association.close()
    assert len(landing.rows()) == 1


def test_workers_without_parent_seal_and_end(start_receiver: Start, landing: Landed) -> None:
    """Kill -9 of the parent: nothing acked is lost, no process is left."""
    receiver = start_receiver(STOP_TIMEOUT=8)
    workers = receiver.worker_pids
    association = RawAssociation(receiver.port)
    assert association.store(make_instance()) == 0

    os.kill(receiver.pid, signal.SIGKILL)
    association.close()

    assert receiver.wait() == -signal.SIGKILL
    wait_until(lambda: not any(map(_lives, workers)), "the workers end", within_s=8)
    assert len(landing.rows()) == 1


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_drains_like_sigterm(start_receiver: Start) -> None:
    """SIGINT reaches every process of a terminal's group: only the parent acts on it."""
    receiver = start_receiver()
    for pid in receiver.pids[::-1]:
        os.kill(pid, signal.SIGINT)

    assert receiver.wait() == 0
    assert not receiver.events("worker_died")


def test_silent_connections_cost_no_worker(start_receiver: Start) -> None:
    """A hundred silent sockets stay in the waiting room; an honest sender is served beside them."""
    receiver = start_receiver(WORKERS=1)
    with ExitStack() as silent:
        for _ in range(100):
            silent.enter_context(socket.create_connection(("127.0.0.1", receiver.port)))
        with RawAssociation(receiver.port) as association:
            assert association.store(make_instance()) == 0
        wait_until(
            lambda: receiver.get("/status")[1]["connections"]["silent"] == 100,
            "all wait in the room",
        )

        wait_until(
            lambda: receiver.get("/status")[1]["workers"][0]["connections"] == 0,
            "no worker has any",
        )
    wait_until(
        lambda: receiver.get("/status")[1]["connections"]["silent"] == 0, "the room is empty"
    )
    assert not receiver.events("connection_cut")


def test_sender_behind_the_balancer_is_known_by_its_own_address(
    start_receiver: Start, landing: Landed
) -> None:
    """The manifest's audit trail has the PROXY header's source."""
    receiver = start_receiver(PROXY_PROTOCOL="true")
    with RawAssociation(receiver.port, prefix=header("192.0.2.7")) as association:
        assert association.store(make_instance()) == 0
    receiver.stop()

    assert [row.peer for row in landing.rows()] == ["192.0.2.7"]


def test_idle_processes_hardly_wake(start_receiver: Start) -> None:
    """Parent and two workers with parked associations use a small part of a core."""
    receiver = start_receiver(WORKERS=2)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(RawAssociation(receiver.port))
        pids = receiver.pids
        before = cpu_seconds(pids)

        settle(2)

        assert cpu_seconds(pids) - before < 0.2
