from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Every emulated API, as a process of its own; its URL."""
    with running_aws(tmp_path_factory.mktemp("aws")) as url:
        yield url


@contextmanager
def running_aws(folder: Path) -> Iterator[str]:
    """Run the emulator in a process of its own and give its URL."""
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_PORT": "0",
        "DATA_DIR": str(folder),
        "HEALTHIMAGING_FAULTS": '{"jobSeconds": 0.1}',
    }
    command = [sys.executable, "-m", "local.aws"]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        word, _, url = process.stdout.readline().strip().partition(" ")
        assert word == "listening"
        yield url
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def client(service: str, url: str) -> Any:
    """Return a plain boto3 client that makes each call once."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=SETTINGS["AWS_DEFAULT_REGION"],
        aws_access_key_id=SETTINGS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=SETTINGS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )
