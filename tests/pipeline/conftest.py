"""The whole local product as real processes, once for all pipeline tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.ports import free_port
from local.status import TERMINAL, get_json
from tests.deadline import wait_until

START_S = 60.0
IMPORT_S = 60.0
STOP_S = 60.0
DEVICE_TITLE = "CT1"


@dataclass(slots=True)
class Product:
    """A running `python -m local`."""

    process: subprocess.Popen[bytes]
    environ: dict[str, str]
    output: Path

    @property
    def scp_port(self) -> int:
        """Where DICOM is received."""
        return int(self.environ["SCP_PORT"])

    @property
    def imported(self) -> Path:
        """Folder of the imported instances."""
        return Path(self.environ["DATA_DIR"]) / "imported"

    @property
    def device_port(self) -> int:
        """Where the device of `DEVICE_TITLE` takes the answers to storage commitment."""
        return int(self.environ["COMMITMENT_PEERS"].rpartition(":")[2])

    def url(self, path: str) -> str:
        """Return a URL of the console."""
        return f"http://127.0.0.1:{self.environ['CONSOLE_PORT']}{path}"

    def status(self) -> dict[str, int]:
        """Return the figures."""
        return get_json(self.url("/api/status"), timeout_s=10)

    def page(self) -> str:
        """Return the console page."""
        with urllib.request.urlopen(self.url("/"), timeout=10) as answer:  # noqa: S310 (loopback)
            content: bytes = answer.read()
            return content.decode()

    def at_rest(self, landed: int, within_s: float = IMPORT_S) -> dict[str, int]:
        """Wait until at least `landed` objects are there and none is in flight, check the sum."""

        def rest() -> dict[str, int] | None:
            figures = self.status()
            done = figures["inFlight"] == 0 and figures["landed"] >= landed
            return figures if done else None

        figures = wait_until(rest, f"{landed} landed, none in flight", within_s=within_s)
        assert figures["acked"] <= figures["landed"] == sum(figures[name] for name in TERMINAL)
        return figures


def product_environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return an environment with free ports and short batches; a setting of None is as delivered."""
    environment = {
        **os.environ,
        "SCP_PORT": str(free_port()),
        "CONSOLE_PORT": str(free_port()),
        "AWS_PORT": str(free_port()),
        "DATA_DIR": str(folder / "data"),
        "BATCH_IDLE": "1",
        "BATCH_AGE": "5",
        "HEALTHIMAGING_FAULTS": '{"jobSeconds": 0.2}',
        **settings,
    }
    return {name: str(value) for name, value in environment.items() if value is not None}


def start_product(
    folder: Path, *, command: Sequence[str] = (sys.executable, "-m", "local"), **settings: object
) -> Product:
    """Start the product and wait for its ready line."""
    folder.mkdir(parents=True, exist_ok=True)
    environ = product_environment(folder, **settings)
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=subprocess.STDOUT)
    product = Product(process, environ, output)

    def is_ready() -> bool:
        text = output.read_text()
        assert process.poll() is None, text
        return "storescp: ready" in text

    try:
        wait_until(is_ready, "the ready line", within_s=START_S)
    except AssertionError:
        stop_product(product)
        raise
    return product


def stop_product(product: Product, number: int = signal.SIGTERM) -> int:
    """Send a signal and return the exit code."""
    if product.process.poll() is None:
        product.process.send_signal(number)
    return product.process.wait(STOP_S)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that runs for all tests that only add images."""
    peer = f"{DEVICE_TITLE}=127.0.0.1:{free_port()}"
    running = start_product(tmp_path_factory.mktemp("product"), COMMITMENT_PEERS=peer)
    yield running
    assert stop_product(running) == 0, running.output.read_text()
