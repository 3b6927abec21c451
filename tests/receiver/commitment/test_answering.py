"""N-EVENT-REPORT: on the association that asked, on a new one, again, after a restart, exactly once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.keys import COMMITMENTS_PREFIX
from receiver.commitment.documents import FailureReason
from tests.builders import CT_IMAGE, SECONDARY_CAPTURE, Instance, new_uid
from tests.deadline import wait_until
from tests.landed import Landed
from tests.receiver.commitment.conftest import Ward
from tests.receiver.commitment.device import Device, Report, ask_on, information, reference_of
from tests.receiver_process import ReceiverProcess

pytestmark = pytest.mark.slow

Start = Callable[..., ReceiverProcess]
Store = Callable[[ReceiverProcess], Instance]


def test_the_answer_comes_on_the_association_that_asked_while_it_is_open(ward: Ward) -> None:
    """The device need not listen; what it sends meanwhile is served too."""
    receiver, device, instance = ward.receiver, ward.devices.pop(), ward.instances[0]
    transaction = new_uid()
    with device.association(receiver.port) as association:
        assert ask_on(association, information([reference_of(instance)], transaction)) == 0
        report = device.wait_report(transaction)
        # Once more on the same association: message ids and contexts are in order.
        again = new_uid()
        assert ask_on(association, information([reference_of(instance)], again)) == 0
        device.wait_report(again)

    assert report == Report(
        transaction,
        1,
        frozenset({instance.sop_instance_uid}),
        {},
        called_us=False,
        calling=device.title,
    )


def test_the_answer_comes_on_a_new_association_when_the_old_one_is_gone(ward: Ward) -> None:
    """We call as the AE that was asked, agree on the SCP's role, and tell everything in one report."""
    receiver, device = ward.receiver, ward.devices.pop()
    (instance, other), unknown = ward.instances, new_uid()
    references = [
        reference_of(instance),
        (CT_IMAGE, unknown),
        (SECONDARY_CAPTURE, other.sop_instance_uid),
        ("1.2.840.10008.5.1.4.31", new_uid()),
    ]
    transaction = new_uid()
    with device.listening():
        with device.association(receiver.port, called="ARCHIVE") as association:
            assert ask_on(association, information(references, transaction)) == 0
        report = device.wait_report(transaction)

    assert report.called_us
    assert report.calling == "ARCHIVE"
    assert report.event_type == 2
    assert report.committed == {instance.sop_instance_uid}
    assert report.failed == {
        unknown: FailureReason.NO_SUCH_OBJECT_INSTANCE,
        other.sop_instance_uid: FailureReason.CLASS_INSTANCE_CONFLICT,
        references[3][1]: FailureReason.SOP_CLASS_NOT_SUPPORTED,
    }


def test_thousands_of_references_are_asked_and_answered_in_small_pdus(ward: Ward) -> None:
    """5,000 instances in one request, committed to all together, on the same association."""
    receiver, device, instances = ward.receiver, ward.devices.pop(), ward.instances
    count = 5_000
    references = [reference_of(instances[n % len(instances)]) for n in range(count)]
    transaction = new_uid()
    with device.association(receiver.port, maximum_pdu_size=4096) as association:
        assert ask_on(association, information(references, transaction)) == 0
        report = device.wait_report(transaction, within_s=60)

    assert (report.event_type, report.called_us) == (1, False)
    assert report.committed == {i.sop_instance_uid for i in instances}


def test_a_transaction_uid_used_for_something_else_is_a_duplicate(ward: Ward) -> None:
    """0131 for each of the second's references; the same request again is just answered again."""
    receiver, device = ward.receiver, ward.devices.pop()
    one, two = map(reference_of, ward.instances)
    with device.listening():
        transaction = device.ask(receiver.port, [one])
        device.wait_report(transaction)
        device.reports.clear()
        device.ask(receiver.port, [two, one], transaction)
        duplicate = device.wait_report(transaction)
        device.reports.clear()
        device.ask(receiver.port, [one], transaction)
        repeated = device.wait_report(transaction)

    assert duplicate.failed == dict.fromkeys(
        (one[1], two[1]), FailureReason.DUPLICATE_TRANSACTION_UID
    )
    assert repeated.committed == {one[1]}


def test_a_request_that_is_repeated_before_its_answer_gets_one(ward: Ward) -> None:
    """A device that lost its patience is not answered twice."""
    receiver, device = ward.receiver, ward.devices.pop()
    asked = [reference_of(ward.instances[0]), (CT_IMAGE, new_uid())]
    transaction = new_uid()
    with device.listening():
        for _ in range(2):
            device.ask(receiver.port, asked, transaction)
        device.wait_report(transaction)
        # Those after it have been answered: nothing of the transaction is left.
        later = device.ask(receiver.port, asked)
        device.wait_report(later)

    assert [r.transaction for r in device.reports] == [transaction, later]


def test_an_answer_survives_the_death_of_everything(
    start: Start, device: Device, store: Store, landing: Landed
) -> None:
    """Killed right after the N-ACTION-RSP; another receiver answers, once the device listens at last."""
    first = start(COMMITMENT_UNKNOWN_AFTER=3600)
    instance = store(first)
    unknown = new_uid()  # so that nobody can answer before the end
    transaction = device.ask(first.port, [reference_of(instance), (CT_IMAGE, unknown)])
    first.kill()
    assert not [key for key in landing.keys(COMMITMENTS_PREFIX) if "delivered" in key]

    second = start()
    second.wait_event("commitment_not_delivered")
    with device.listening():
        report = device.wait_report(transaction)
        wait_until(
            lambda: [key for key in landing.keys(COMMITMENTS_PREFIX) if "delivered" in key],
            "it is on record that it was answered",
        )

    assert report.committed == {instance.sop_instance_uid}
    assert report.failed == {unknown: FailureReason.NO_SUCH_OBJECT_INSTANCE}
    assert report.called_us
    assert len(device.reports) == 1


def test_a_device_that_refuses_is_tried_again(start: Start, device: Device, store: Store) -> None:
    """First it does not let us be the SCP, then it says processing failure, then it takes the answer."""
    receiver = start()
    instance = store(receiver)
    device.takes_role = False
    with device.listening():
        # One that is not known at once: the association is over before anything can be answered.
        transaction = device.ask(receiver.port, [reference_of(instance), (CT_IMAGE, new_uid())])
        refused = receiver.wait_event("commitment_not_delivered")
    failures = iter([0x0110])
    device.takes_role = True
    device.answer = lambda _: next(failures, 0)
    with device.listening():
        device.wait_report(transaction)

    assert refused["detail"] == "SCP role not accepted"
    assert [e["status"] for e in receiver.events("commitment_not_delivered")][-1] == "0110"
    assert len(device.reports) == 1


def test_a_device_that_goes_away_while_it_waits_is_called(ward: Ward) -> None:
    """It aborts its association; the answer comes on a new one."""
    receiver, device = ward.receiver, ward.devices.pop()
    transaction = new_uid()
    asked = [reference_of(ward.instances[0]), (CT_IMAGE, new_uid())]
    with device.listening():
        with device.association(receiver.port) as association:
            assert ask_on(association, information(asked, transaction)) == 0
            association.abort()
        report = device.wait_report(transaction)

    assert report.called_us


def test_an_association_with_a_pending_answer_is_drained_and_cut_like_any_other(
    start: Start, device: Device
) -> None:
    """A receiver that stops does not wait for imports: another one answers."""
    receiver = start(COMMITMENT_UNKNOWN_AFTER=3600, STOP_TIMEOUT=5)
    with device.association(receiver.port) as association:
        assert ask_on(association, information([(CT_IMAGE, new_uid())])) == 0
        receiver.terminate()
        assert receiver.wait() == 0
    assert not receiver.noise
