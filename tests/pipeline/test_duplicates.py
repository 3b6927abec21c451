"""The same instance twice, from the socket to the ledger: one record, nothing lost, contradictions said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Instance, make_instance, new_uid
from tests.deadline import wait_until
from tests.part10 import parse
from tests.pipeline.conftest import Product
from tests.pipeline.emulated import body_of, client, keys_of, landing_bucket, table
from tests.raw_scu import SUCCESS, RawAssociation
from tests.receiver_process import running_receiver


@pytest.fixture
def another_task(product: Product, tmp_path: Path) -> Iterator[int]:
    """Run a second receiver of the same service, which knows nothing of the first; lend its port."""
    settings = {
        "LANDING_URL": f"s3://{landing_bucket(product)}",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{product.environ['AWS_PORT']}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BATCH_IDLE": 1,
        "WORKERS": 1,
    }
    with running_receiver(tmp_path, **settings) as receiver:
        yield receiver.port


def store(port: int, *instances: Instance) -> None:
    """Send each over an association of its own; every one must be answered with Success."""
    for instance in instances:
        with RawAssociation(port) as association:
            assert association.store(instance) == SUCCESS


def records_of(product: Product, uid: str) -> list[dict[str, Any]]:
    """Return what the ledger has of a SOP Instance UID."""
    items: list[dict[str, Any]] = client(product, "dynamodb").query(
        TableName=table(product),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"UID#{uid}"}},
    )["Items"]
    return items


def counted(product: Product, metric: str) -> float:
    """Return what the functions' logs add up to for a metric."""
    total = 0.0
    for path in Path(product.environ["DATA_DIR"], "logs").rglob("*"):
        for line in path.read_text().splitlines() if path.is_file() else ():
            if f'"{metric}"' in line and line.startswith("{"):
                value = json.loads(line).get(metric, 0)
                total += sum(value) if isinstance(value, list) else value
    return total


def test_a_retry_is_answered_from_memory(product: Product) -> None:
    """Sent three times to one task: three times Success, one object, one record."""
    instance = make_instance()
    before = product.status()

    store(product.scp_port, instance, instance, instance)
    after = product.at_rest(before["landed"] + 1)

    assert after["acked"] == before["acked"] + 1
    assert after["landed"] == before["landed"] + 1
    assert len(records_of(product, instance.sop_instance_uid)) == 1


def test_what_another_task_imported_is_recognised(product: Product, another_task: int) -> None:
    """The same bytes through another task land again and are imported, yet no job is started for them."""
    instance = make_instance()
    before = product.status()
    store(product.scp_port, instance)
    once = product.at_rest(before["landed"] + 1)

    store(another_task, instance)
    twice = product.at_rest(once["landed"] + 1)

    assert once["importJobs"] == before["importJobs"] + 1
    assert twice["importJobs"] == once["importJobs"]
    assert twice["imported"] == before["imported"] + 2
    assert len(records_of(product, instance.sop_instance_uid)) == 1


def test_other_bytes_of_the_same_uid_are_both_kept_and_said(product: Product) -> None:
    """Two contents, two records, and neither original may expire but the first, which nothing contradicted."""
    study, series, uid = new_uid(), new_uid(), new_uid()
    first, second = (
        make_instance(
            sop_instance_uid=uid,
            study_instance_uid=study,
            series_instance_uid=series,
            patient_id="TESTSAME",
        )
        for _ in range(2)
    )
    before = product.status()
    conflicts = counted(product, "ConflictingInstances")
    two_studies = counted(product, "InstancesInTwoStudies")

    store(product.scp_port, first)
    middle = product.at_rest(before["landed"] + 1)
    store(product.scp_port, second)
    product.at_rest(middle["landed"] + 1)

    assert len(records_of(product, uid)) == 2
    wait_until(lambda: counted(product, "ConflictingInstances") == conflicts + 1, "it is said")
    assert counted(product, "InstancesInTwoStudies") == two_studies
    assert {first.dataset, second.dataset} <= landed_datasets(product)


def test_one_uid_in_two_studies_is_said_by_itself(product: Product) -> None:
    """Perhaps two patients: its own metric, which has its own alarm."""
    uid = new_uid()
    before = product.status()
    two_studies = counted(product, "InstancesInTwoStudies")

    for n in range(2):
        store(product.scp_port, make_instance(sop_instance_uid=uid))
        product.at_rest(before["landed"] + n + 1)

    assert len(records_of(product, uid)) == 2
    wait_until(lambda: counted(product, "InstancesInTwoStudies") == two_studies + 1, "it is said")


def landed_datasets(product: Product) -> set[bytes]:
    """Return the datasets of everything that lies in the landing bucket."""
    bucket = landing_bucket(product)
    keys = keys_of(product, bucket, "incoming/")
    return {parse(body_of(product, bucket, key)).dataset for key in keys}
