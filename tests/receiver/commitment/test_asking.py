"""N-ACTION on a real association: statuses, limits, and nothing said before it is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from pydicom.sequence import Sequence

from contract.keys import COMMITMENTS_PREFIX
from receiver.commitment.action import MAX_REFERENCES
from receiver.commitment.report import INSTANCE, SOP_CLASS
from receiver.status import Status
from tests.builders import CT_IMAGE, Instance, new_uid
from tests.landed import Landed
from tests.receiver.commitment.conftest import Ward
from tests.receiver.commitment.device import Device, ask_on, information
from tests.receiver_process import ReceiverProcess

Start = Callable[..., ReceiverProcess]
Store = Callable[[ReceiverProcess], Instance]


def one() -> list[tuple[str, str]]:
    """Return a reference to nothing."""
    return [(CT_IMAGE, new_uid())]


def refused(receiver: ReceiverProcess) -> int:
    """Return how many requests were refused."""
    return int(receiver.get("/status")[1]["reasons"].get("commitment_refused", 0))


def requests(landing: Landed) -> set[str]:
    """Return the keys of the requests that are kept."""
    return {key for key in landing.keys(COMMITMENTS_PREFIX) if key.endswith("/request.json")}


def test_what_is_wrong_is_told_and_the_association_goes_on(ward: Ward) -> None:
    """The statuses of PS3.7 10.1.4, one after the other, then a good request."""
    receiver, device, landing = ward.receiver, ward.devices.pop(), ward.landing
    before, refused_before = requests(landing), refused(receiver)
    too_many = [(CT_IMAGE, f"1.2.{n}") for n in range(MAX_REFERENCES + 1)]
    with device.association(receiver.port) as association:
        answers = [
            ask_on(association, information(one()), class_uid=CT_IMAGE),
            ask_on(association, information(one()), instance_uid=INSTANCE + ".1"),
            ask_on(association, information(one()), action_type=2),
            ask_on(association, None),
            ask_on(association, information(one(), TransactionUID=None)),
            ask_on(association, information(one(), ReferencedSOPSequence=Sequence([]))),
            ask_on(association, information(too_many)),
        ]
        kept = requests(landing)
        good = ask_on(association, information(one()))

    assert answers == [
        Status.NO_SUCH_SOP_CLASS,
        Status.NO_SUCH_OBJECT_INSTANCE,
        Status.NO_SUCH_ACTION,
        Status.MISTYPED_ARGUMENT,
        Status.INVALID_ARGUMENT_VALUE,
        Status.INVALID_ARGUMENT_VALUE,
        Status.RESOURCE_LIMITATION,
    ]
    assert kept == before
    assert good == Status.SUCCESS
    assert refused(receiver) - refused_before == len(answers)
    statuses = {event["status"] for event in receiver.events("commitment_refused")}
    assert statuses >= {f"{answer:04X}" for answer in answers}


def test_success_means_that_it_is_kept(ward: Ward) -> None:
    """At the moment of the response the request lies in the storage, and its key says nothing."""
    device, landing = ward.devices.pop(), ward.landing
    transaction, before = new_uid(), requests(landing)
    with device.association(ward.receiver.port) as association:
        status = ask_on(association, information(one(), transaction))
        (request,) = requests(landing) - before

        assert status == Status.SUCCESS
        assert transaction not in str(landing.keys(COMMITMENTS_PREFIX))
        assert transaction in (landing.root / request).read_text()


def test_without_the_committer_nothing_is_promised(
    start: Start, device: Device, landing: Landed
) -> None:
    """A committer that hangs costs the device its answer, not its images and not its trust."""
    receiver = start(DIMSE_TIMEOUT=10)
    committer = receiver.get("/status")[1]["committer_pid"]
    os.kill(committer, signal.SIGSTOP)
    with device.association(receiver.port) as association:
        status = ask_on(association, information(one()))

        assert status == Status.PROCESSING_FAILURE
        assert landing.keys(COMMITMENTS_PREFIX) == []
        os.kill(committer, signal.SIGCONT)
        # What the hung one still finds in its sockets was refused meanwhile: it is not kept either.
        assert ask_on(association, information(one())) == Status.SUCCESS
    assert len(requests(landing)) == 1


def test_a_killed_committer_is_replaced_while_the_device_waits(
    start: Start, device: Device
) -> None:
    """The N-ACTION waits in the listener's queue until the next one is there."""
    receiver = start()
    os.kill(receiver.get("/status")[1]["committer_pid"], signal.SIGKILL)

    transaction = device.ask(receiver.port, one())

    with device.listening():
        assert list(device.wait_report(transaction).failed.values()) == [0x0112]
    assert receiver.events("committer_died")


def test_who_has_no_address_is_not_offered_it(ward: Ward) -> None:
    """Its context is refused as the user's decision, and the log says whom to add."""
    receiver = ward.receiver
    with Device(0, "MR2").association(receiver.port) as association:
        assert not association.is_established
        (context,) = association.rejected_contexts

    assert (context.abstract_syntax, context.result) == (SOP_CLASS, 1)
    assert receiver.wait_event("commitment_not_offered")["calling_ae_title"] == "MR2"


@pytest.mark.parametrize("setting", [{"COMMITMENT_PEERS": ""}])
def test_without_addresses_there_is_no_storage_commitment(
    start_receiver: Start, device: Device, setting: dict[str, str]
) -> None:
    """No context, no process."""
    receiver = start_receiver(**setting)
    with device.association(receiver.port) as association:
        assert [context.result for context in association.rejected_contexts] == [3]

    assert receiver.get("/status")[1]["committer_pid"] is None
