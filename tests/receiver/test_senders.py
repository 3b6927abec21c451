"""One sender that takes all it can get, and what is left for the others: the receiver as a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event, Semaphore, Thread

import pytest

from tests.builders import Instance, make_instance
from tests.deadline import wait_until
from tests.processes import MIB
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError
from tests.receiver.sinks import fake_s3
from tests.receiver.sinks.fake_s3 import FakeS3
from tests.receiver.test_proxy import header
from tests.receiver_process import ReceiverProcess, settle

Start = Callable[..., ReceiverProcess]
LOCAL_LIMIT = (2, 3, 2)
GREEDY, QUIET = "203.0.113.1", "203.0.113.2"


def _open(port: int, calling: str, source: str) -> RawAssociation:
    return RawAssociation(port, calling=calling, prefix=header(source), timeout_s=60)


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    with fake_s3.running() as server:
        yield server


def _refused(port: int, calling: str, source: str) -> tuple[int, int, int]:
    with pytest.raises(RejectedError) as rejected:
        _open(port, calling, source)
    return rejected.value.reason


def test_full_task_keeps_the_next_place_for_who_was_refused(start_receiver: Start) -> None:
    """Over two workers and by the address of the PROXY header: the greedy one waits, the other gets in."""
    receiver = start_receiver(WORKERS=2, MAXIMUM_ASSOCIATIONS=4, PROXY_PROTOCOL="true")
    with ExitStack() as stack:
        first = _open(receiver.port, "A0", GREEDY)
        for n in range(1, 4):
            stack.enter_context(_open(receiver.port, f"A{n}", GREEDY))
        assert _refused(receiver.port, "QUIET", QUIET) == LOCAL_LIMIT
        first.abort()
        wait_until(lambda: receiver.get("/status")[1]["associations"] == 3, "a place is free")

        assert _refused(receiver.port, "A9", GREEDY) == LOCAL_LIMIT
        with _open(receiver.port, "QUIET", QUIET) as quiet:
            assert quiet.store(make_instance()) == SUCCESS

        said = [(line["reason"], line["peer"]) for line in receiver.events("association_rejected")]
        assert said == [("limit", QUIET), ("address_limit", GREEDY)]
        reasons = receiver.get("/status")[1]["reasons"]
        assert (reasons["limit"], reasons["address_limit"]) == (1, 1)


def test_fixed_limit_of_a_title_holds_over_all_workers(start_receiver: Start) -> None:
    """The number of the setting, whatever is free; others are not counted with it."""
    receiver = start_receiver(WORKERS=2, MAXIMUM_ASSOCIATIONS_PER_AE_TITLE=2)
    with ExitStack() as stack:
        for calling in ("CT", "CT", "MR"):
            stack.enter_context(RawAssociation(receiver.port, calling=calling))

        with pytest.raises(RejectedError) as rejected:
            RawAssociation(receiver.port, calling="CT")

        assert rejected.value.reason == LOCAL_LIMIT
        assert receiver.wait_event("association_rejected")["reason"] == "aet_limit"


def test_sender_that_fills_the_memory_holds_nobody_else(start_receiver: Start, s3: FakeS3) -> None:
    """Eight instances that stop before their end want more than there is; another's gets through."""
    receiver = start_receiver(
        WORKERS=1, MEMORY_MIB=128, PROXY_PROTOCOL="true", NETWORK_TIMEOUT=300, **s3.settings
    )
    instances = [make_instance(size=15 * MIB) for _ in range(8)]
    stopped, go_on = Semaphore(0), Event()
    statuses: list[int] = []

    def stop() -> None:
        stopped.release()
        go_on.wait(60)

    def send(association: RawAssociation, instance: Instance) -> None:
        association.send(instance, stop_before_end=100_000, wait=stop)
        statuses.append(association.read_status(instance))

    with ExitStack() as stack:
        stack.callback(go_on.set)
        greedy = [stack.enter_context(_open(receiver.port, "GREEDY", GREEDY)) for _ in instances]
        threads = [Thread(target=send, args=pair) for pair in zip(greedy, instances, strict=True)]
        for thread in threads[
            :3
        ]:  # one after the other: at once, each would get a part of what there is
            thread.start()
            assert stopped.acquire(timeout=30)
        for thread in threads[3:]:
            thread.start()
        settle(0.5)  # three hold 45 of 64 MiB, the others have what they can get

        with _open(receiver.port, "QUIET", QUIET) as quiet:
            assert quiet.store(make_instance(size=4 * MIB)) == SUCCESS

        assert not statuses
        go_on.set()
        for thread in threads:
            thread.join(60)
    assert statuses == [SUCCESS] * len(instances)
