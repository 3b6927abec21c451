"""The ledger's table is emptied under the running product, and made anew from S3 and HealthImaging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import make_instance, new_uid, write_part10
from tests.clients import storescu
from tests.pipeline.conftest import Product, start_product, stop_product
from tests.pipeline.emulated import client, operate, table

KINDS = ("imported", "importedWithWarning", "importedNonPrimary", "quarantined")


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """Lend a product of its own: in the shared one Sweep would have to bring back what no job answered for."""
    running = start_product(tmp_path / "product")
    yield running
    stop_product(running)


def items(product: Product) -> list[dict[str, Any]]:
    """Return the table's items about single instances."""
    pages = client(product, "dynamodb").get_paginator("scan").paginate(TableName=table(product))
    return [item for page in pages for item in page["Items"]]


def instances(product: Product) -> set[tuple[str, str, str]]:
    """Return UID, content and state of every instance that the ledger knows."""
    return {
        (item["pk"]["S"], item["crc64nvme"]["S"], item["state"]["S"])
        for item in items(product)
        if item["pk"]["S"].startswith("UID#") and "crc64nvme" in item and "state" in item
    }


def test_a_lost_ledger_is_made_anew(product: Product, tmp_path: Path) -> None:
    """`make rebuild-ledger` beside the running functions: the same figures, the same instances, no job more."""
    files = tmp_path / "files"
    files.mkdir()
    study, series = new_uid(), new_uid()
    for n, instance in enumerate(
        (
            make_instance(),
            make_instance(series_instance_uid="1.2.03.4"),  # a warning
            make_instance(study_instance_uid="1." * 150 + "1"),  # quarantine
            *(  # two patients in one series: one of them is kept apart
                make_instance(study_instance_uid=study, series_instance_uid=series)
                for _ in range(2)
            ),
        )
    ):
        write_part10(instance, files / f"{n}.dcm")
    landed = product.status()["landed"]
    assert storescu(product.scp_port, files).code == 0
    before = product.at_rest(landed + 5)
    known = instances(product)
    assert len(known) >= 5
    assert all(before[kind] for kind in KINDS)

    dynamodb = client(product, "dynamodb")
    for item in items(product):
        key = {name: item[name] for name in ("pk", "sk")}
        dynamodb.delete_item(TableName=table(product), Key=key)
    printed = operate(product, "importer.rebuild_ledger")
    after = product.at_rest(before["landed"])

    assert '"left": 0' in printed
    assert {name: after[name] for name in (*KINDS, "landed", "importJobs")} == {
        name: before[name] for name in (*KINDS, "landed", "importJobs")
    }
    assert instances(product) == known
