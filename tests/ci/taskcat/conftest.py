from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.taskcat.local import clients, emulator, publish
from ci.taskcat.prerequisites import Client
from local.environment import base_environment
from local.ports import free_port

REGIONS = ("eu-west-1", "us-west-2")


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Clients of the emulator that whole stacks are made in, with the functions' code in its buckets."""
    logs: Path = tmp_path_factory.mktemp("logs")
    port = free_port()
    environ = base_environment(os.environ, port)
    with emulator(REGIONS, environ, port, logs):
        made = clients(environ)
        publish(made, REGIONS)
        yield made
