"""The receiver's promises under load: parked senders, giants, and many large instances at once."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.builders import BREAST_TOMOSYNTHESIS, EXPLICIT_LITTLE, make_instance
from tests.deadline import wait_until
from tests.landed import Landed
from tests.processes import MIB, PeakMemory, cpu_seconds, pss_bytes
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError
from tests.receiver.sinks import fake_s3
from tests.receiver.sinks.fake_s3 import FakeS3, dataset_digest
from tests.receiver_process import ReceiverProcess, settle

Start = Callable[..., ReceiverProcess]
LOADED = 5.0
"""How much longer than promised a loaded machine may take; bench/ measures the promise itself."""
PARKED = 300
GIANT_BYTES = 2_000_000_000
STOPPED_S = 3.0
"""How long a sender stops; far below the credit that it has."""


@pytest.fixture(autouse=True)
def enough_descriptors() -> Iterator[None]:
    """Let this process hold both ends' worth of sockets: many systems start with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_parked_associations_cost_next_to_nothing(start_receiver: Start, landing: Landed) -> None:
    """300 idle associations that each stored an image: quick to accept, no CPU, little memory, no 301st."""
    receiver = start_receiver(MAXIMUM_ASSOCIATIONS=PARKED, NETWORK_TIMEOUT=300)
    parked: list[RawAssociation] = []
    try:
        began = time.monotonic()
        parked.extend(RawAssociation(receiver.port) for _ in range(PARKED))
        accepted_s = time.monotonic() - began
        statuses = {association.store(make_instance(size=64_000)) for association in parked}
        pids = receiver.pids
        before, began = cpu_seconds(pids), time.monotonic()
        settle(3.0)
        cpu_share = (cpu_seconds(pids) - before) / (time.monotonic() - began)
        memory = pss_bytes(pids)
        with pytest.raises(RejectedError) as refusal:
            RawAssociation(receiver.port)
        still_served = parked[0].store(make_instance())
    finally:
        for association in parked:
            association.close()
    receiver.stop()

    assert accepted_s < 2 * LOADED
    assert statuses == {SUCCESS}
    assert cpu_share < 0.05
    assert memory < 300 * MIB
    assert refusal.value.reason == (2, 3, 2)
    assert still_served == SUCCESS
    landing.assert_holds(set.union(*(association.acks.digests for association in parked)))


@pytest.mark.slow
def test_giant_instance_needs_little_memory(start_receiver: Start, landing: Landed) -> None:
    """One 2 GB instance is stored while the receiver's memory grows by at most 64 MiB."""
    receiver = start_receiver(WORKERS=1)
    giant = make_instance(size=GIANT_BYTES, sop_class_uid=BREAST_TOMOSYNTHESIS)
    with RawAssociation(receiver.port) as association:
        association.store(make_instance(size=1_000_000))
    before = pss_bytes(receiver.pids)
    with (
        PeakMemory(receiver.pids, every_s=0.05) as memory,
        RawAssociation(receiver.port, [(BREAST_TOMOSYNTHESIS, EXPLICIT_LITTLE)]) as association,
    ):
        status = association.store(giant)
    receiver.stop()

    assert status == SUCCESS
    assert memory.peak - before <= 64 * MIB
    [row] = [row for row in landing.rows() if row.sop_instance_uid == giant.sop_instance_uid]
    assert row.size > GIANT_BYTES - 1000


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    """Storage that needs the memory budget: a file is written while it is received, an object is not."""
    with fake_s3.running() as server:
        server.keep = dataset_digest
        yield server


@pytest.mark.slow
def test_giant_instance_in_parts_needs_little_memory(start_receiver: Start, s3: FakeS3) -> None:
    """The same giant through a multipart upload: three parts at the most are in memory."""
    receiver = start_receiver(WORKERS=1, **s3.settings)
    giant = make_instance(size=GIANT_BYTES // 2, sop_class_uid=BREAST_TOMOSYNTHESIS)
    with RawAssociation(receiver.port) as association:
        association.store(make_instance(size=1_000_000))
    before = pss_bytes(receiver.pids)
    with (
        PeakMemory(receiver.pids, every_s=0.05) as memory,
        RawAssociation(receiver.port, [(BREAST_TOMOSYNTHESIS, EXPLICIT_LITTLE)]) as association,
    ):
        status = association.store(giant)
        acked = {bytes.fromhex(digest) for _, digest in association.acks.digests}
    receiver.stop()

    assert status == SUCCESS
    assert memory.peak - before <= 64 * MIB
    assert acked <= set(s3.objects.values())


@pytest.mark.slow
def test_many_stalled_senders_all_finish(start_receiver: Start, s3: FakeS3) -> None:
    """300 senders that stop 100 KB before the end of 8 MiB and go on all succeed in a 2 GiB task.

    Together they are more than twice what the task may hold, and every one stops while it holds memory.
    """
    receiver = start_receiver(
        MAXIMUM_ASSOCIATIONS=PARKED, MEMORY_MIB=2048, NETWORK_TIMEOUT=300, **s3.settings
    )
    instances = [make_instance(size=8 * MIB) for _ in range(PARKED)]
    associations = [RawAssociation(receiver.port, timeout_s=110) for _ in instances]
    statuses: list[int | str] = []

    def send(number: int) -> None:
        association = associations[number]
        try:
            association.send(
                instances[number], stop_before_end=100_000, wait=lambda: settle(STOPPED_S)
            )
            statuses.append(association.read_status(instances[number]))
        except OSError as error:
            statuses.append(repr(error))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(PARKED)]
    with PeakMemory(receiver.pids) as memory:
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(110)
    for association in associations:
        association.close()
    receiver.stop()

    assert statuses == [SUCCESS] * PARKED
    assert memory.peak < 2048 * MIB
    acked = {digest for association in associations for _, digest in association.acks.digests}
    assert {bytes.fromhex(digest) for digest in acked} <= set(s3.objects.values())


def test_slow_sender_holds_nobody_else(start_receiver: Start, landing: Landed) -> None:
    """While one sender hangs within a giant, another's instance is stored and its batch sealed."""
    receiver = start_receiver(WORKERS=1, BATCH_IDLE=1)
    giant = make_instance(size=40 * MIB)
    quick = make_instance()

    def store_another() -> None:
        with RawAssociation(receiver.port) as other:
            assert other.store(quick) == SUCCESS
        wait_until(
            lambda: quick.sop_instance_uid in {row.sop_instance_uid for row in landing.rows()},
            "the other's batch is sealed",
        )

    with RawAssociation(receiver.port) as association:
        association.send(giant, stop_before_end=1000, wait=store_another)
        status = association.read_status(giant)
    receiver.stop()

    assert status == SUCCESS
    landing.assert_holds(association.acks.digests)
