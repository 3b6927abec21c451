"""The local product, started by the very command of the README, and what the pages' commands need around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import make_instance, write_part10
from tests.certificates import Authority
from tests.docs.commands import START, blocks_of
from tests.docs.tls import tls_before
from tests.pipeline.conftest import Product, start_product, stop_product

ROOT_CERTIFICATE = "AmazonRootCA1.pem"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the commands run, and what their example names stand for."""

    product: Product
    folder: Path
    samples: Path
    tls_port: int


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Start the product as the README says, for all commands of all pages."""
    folder = tmp_path_factory.mktemp("docs")
    samples = folder / "samples"
    samples.mkdir()
    for number in range(3):
        write_part10(make_instance(), samples / f"{number}.dcm")
    authority = Authority()
    (folder / ROOT_CERTIFICATE).write_text(authority.certificate)
    key, certificate = authority.issue("localhost", for_servers=True).write(folder, "localhost")
    command = ["bash", "-euc", f"exec {blocks_of('README.md', START)[0].text}"]
    product = start_product(folder / "product", command=command)
    try:
        with tls_before(product.scp_port, certificate, key) as tls_port:
            yield Place(product, folder, samples, tls_port)
    finally:
        stop_product(product)
        assert "storescp: stopped" in product.output.read_text()
