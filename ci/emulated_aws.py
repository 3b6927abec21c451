"""Every emulated AWS API as a child process, for checks that need an S3 which verifies checksums."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
STOP_S = 15
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
}


@contextmanager
def emulated_aws(folder: Path, faults: str = "") -> Iterator[str]:
    """Serve until the context is left; give the URL.

    Args:
        folder: Where imported instances are written.
        faults: JSON document of the HealthImaging double's switches.

    Raises:
        RuntimeError: It did not start.
    """
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_PORT": "0",
        "DATA_DIR": str(folder),
        "HEALTHIMAGING_FAULTS": faults,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "local.aws"],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None  # noqa: S101 - PIPE was asked for
            assert process.stdout is not None  # noqa: S101 - likewise
            word, _, url = process.stdout.readline().strip().partition(" ")
            if word != "listening":
                raise RuntimeError("the emulated AWS did not start")
            yield url
            process.stdin.close()
            process.wait(timeout=STOP_S)
        finally:
            process.kill()


def settings(url: str) -> Mapping[str, str]:
    """Return the environment that points an AWS client at `url`."""
    return {**_CREDENTIALS, "AWS_ENDPOINT_URL": url}


def client(service: str, url: str, region: str = REGION) -> Any:
    """Return a boto3 client of the emulated service that makes each call once."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )
