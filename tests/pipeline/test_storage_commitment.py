"""Storage commitment through the whole product: stored, imported, and only then committed to."""

from __future__ import annotations

from pathlib import Path

from tests.builders import make_instance, new_uid, write_part10
from tests.clients import storescu
from tests.pipeline.conftest import DEVICE_TITLE, Product
from tests.receiver.commitment.device import Device, ask_on, information, reference_of

ANSWER_S = 60.0


def test_what_healthimaging_has_is_committed_to(product: Product, tmp_path: Path) -> None:
    """Asked before the import: the answer waits for HealthImaging's word, on the open association."""
    made = [make_instance() for _ in range(3)]
    refused = make_instance(study_instance_uid="1." * 150 + "1")  # ends in quarantine
    for n, instance in enumerate([*made, refused]):
        write_part10(instance, tmp_path / f"{n}.dcm")
    device = Device(product.device_port, DEVICE_TITLE)
    assert storescu(product.scp_port, tmp_path).code == 0
    transaction = new_uid()
    with device.association(product.scp_port) as association:
        asked = information([reference_of(i) for i in [*made, refused]], transaction)
        assert ask_on(association, asked) == 0
        report = device.wait_report(transaction, within_s=ANSWER_S)

    assert report.committed == {instance.sop_instance_uid for instance in made}
    assert report.failed == {refused.sop_instance_uid: 0x0110}
    for instance in made:
        assert list(product.imported.rglob(f"{instance.sop_instance_uid}.dcm"))


def test_a_device_that_has_gone_is_called(product: Product, tmp_path: Path) -> None:
    """It asks and releases; the answer comes to its address, from S3 and the ledger alone."""
    instance = make_instance()
    write_part10(instance, tmp_path / "0.dcm")
    device = Device(product.device_port, DEVICE_TITLE)
    with device.listening():
        assert storescu(product.scp_port, tmp_path).code == 0
        transaction = device.ask(product.scp_port, [reference_of(instance)])
        report = device.wait_report(transaction, within_s=ANSWER_S)

    assert report.committed == {instance.sop_instance_uid}
    assert report.called_us
