"""A device, and a receiver that it may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from local.ports import free_port
from tests.builders import Instance, make_instance
from tests.deadline import wait_until
from tests.importer.conftest import aws, moto_endpoint  # noqa: F401 - fixtures: the importer's ledger
from tests.landed import Landed
from tests.raw_scu import RawAssociation
from tests.receiver.commitment.device import Device
from tests.receiver_process import ReceiverProcess, running_receiver

Start = Callable[..., ReceiverProcess]
Store = Callable[[ReceiverProcess], Instance]


QUICK = {
    "WORKERS": 1,
    "COMMITMENT_WHEN": "landed",
    "COMMITMENT_UNKNOWN_AFTER": 2,
    "COMMITMENT_RETRY": 1,
    "BATCH_IDLE": 1,
}


@dataclass
class Ward:
    """A receiver, two instances that it has, and devices that may ask about them."""

    receiver: ReceiverProcess
    landing: Landed
    instances: list[Instance]
    devices: list[Device]


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Lend one receiver to all tests that leave it as it was; each takes a device of its own."""
    landing = Landed(tmp_path_factory.mktemp("ward"))
    devices = [Device(free_port(), f"CT{n}") for n in range(12)]
    peers = ",".join(device.peer for device in devices)
    with running_receiver(landing.root, **QUICK, COMMITMENT_PEERS=peers) as receiver:
        receiver.wait_event("committer_ready")
        instances = [store_one(receiver, landing) for _ in range(2)]
        yield Ward(receiver, landing, instances, devices)


@pytest.fixture
def device() -> Device:
    """Lend a device that does not listen yet."""
    return Device(free_port())


@pytest.fixture
def start(start_receiver: Start, device: Device) -> Start:
    """Lend a function that starts a receiver which answers the device, once it has landed."""

    def started(**settings: object) -> ReceiverProcess:
        receiver = start_receiver(**{**QUICK, "COMMITMENT_PEERS": device.peer, **settings})
        receiver.wait_event("committer_ready")
        return receiver

    return started


@pytest.fixture
def store(landing: Landed) -> Store:
    """Lend a function that stores an instance and waits until its batch is sealed."""
    return lambda receiver: store_one(receiver, landing)


def store_one(receiver: ReceiverProcess, landing: Landed) -> Instance:
    """Store an instance and wait until its batch is sealed."""
    instance = make_instance()
    with RawAssociation(receiver.port) as association:
        assert association.store(instance) == 0
    wait_until(
        lambda: any(r.sop_instance_uid == instance.sop_instance_uid for r in landing.rows()),
        "the batch is sealed",
    )
    return instance
