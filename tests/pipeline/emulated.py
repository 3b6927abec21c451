"""The product's emulated AWS, looked into from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config

from tests.pipeline.conftest import Product


def client(product: Product, service: str) -> Any:
    """Return a client of the product's emulated AWS."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{product.environ['AWS_PORT']}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator asks for any
        config=Config(inject_host_prefix=False),
    )


def buckets(product: Product) -> list[str]:
    """Return the names of all buckets."""
    return [bucket["Name"] for bucket in client(product, "s3").list_buckets()["Buckets"]]


def landing_bucket(product: Product) -> str:
    """Return the bucket that the template calls so."""
    (name,) = [name for name in buckets(product) if "landing" in name.lower()]
    return name


def keys_of(product: Product, bucket: str, prefix: str = "") -> Iterator[str]:
    """Yield the keys of a bucket below `prefix`."""
    pages = client(product, "s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        yield from (item["Key"] for item in page.get("Contents", ()))


def body_of(product: Product, bucket: str, key: str) -> bytes:
    """Return an object's bytes."""
    content: bytes = client(product, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def table(product: Product) -> str:
    """Return the ledger's name."""
    (name,) = client(product, "dynamodb").list_tables()["TableNames"]
    return str(name)


def operate(product: Product, module: str, *arguments: str) -> str:
    """Run an operator's command against the local product; return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={
            **inherited,
            "AWS_PORT": product.environ["AWS_PORT"],
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
