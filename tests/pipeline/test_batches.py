"""How many import jobs there are: with the settings as delivered, few, however the images come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.builders import write_series
from tests.clients import storescu
from tests.pipeline.conftest import Product, start_product, stop_product

SERIES = 1000
SERIES_S = 90.0
"""From the last acknowledgement of a series to its last instance in HealthImaging."""
SINGLES = 200
SENDERS = 4


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with its own batch settings, not those that make the other tests quick."""
    product = start_product(tmp_path_factory.mktemp("delivered"), BATCH_IDLE=None, BATCH_AGE=None)
    yield product
    assert stop_product(product) == 0, product.output.read_text()


@pytest.mark.slow
def test_a_long_series_is_one_import_job(delivered: Product, tmp_path: Path) -> None:
    """1,000 instances in one association: one job, two at most, all imported within 90 s."""
    write_series(tmp_path, SERIES, size=4096)
    before = delivered.status()

    outcome = storescu(delivered.scp_port, tmp_path)
    acked_at = time.monotonic()
    assert outcome.code == 0, outcome.output[-1000:]
    after = delivered.at_rest(before["landed"] + SERIES, within_s=SERIES_S)
    took_s = time.monotonic() - acked_at

    assert after["imported"] == before["imported"] + SERIES
    assert after["importJobs"] - before["importJobs"] <= 2
    assert took_s < SERIES_S


@pytest.mark.slow
def test_an_association_per_image_is_no_job_per_image(delivered: Product, tmp_path: Path) -> None:
    """200 associations with one image each within a minute: fewer than 10 jobs."""
    write_series(tmp_path, SINGLES, size=4096)
    before = delivered.status()

    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        files = sorted(tmp_path.iterdir())
        codes = set(senders.map(lambda file: storescu(delivered.scp_port, file).code, files))
    took_s = time.monotonic() - began
    after = delivered.at_rest(before["landed"] + SINGLES, within_s=SERIES_S)

    assert codes == {0}
    assert took_s < 60
    assert after["imported"] == before["imported"] + SINGLES
    assert after["importJobs"] - before["importJobs"] < 10
