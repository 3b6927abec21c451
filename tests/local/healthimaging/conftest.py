from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.gateway import Gateway
from local.healthimaging.application import api, control
from local.healthimaging.faults import Faults
from local.healthimaging.files import ImportedFiles
from local.healthimaging.operations import HealthImaging
from local.healthimaging.ports import StoredObject
from local.healthimaging.quotas import Quotas
from local.web import Server

ROLE = "arn:aws:iam::123456789012:role/import"
DEADLINE_S = 15.0


class MemoryBuckets:
    """S3 in a dict."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        """Return what is under a prefix; the bucket `missing` does not exist."""
        if bucket == "missing":
            raise LookupError(bucket)
        return [
            StoredObject(key, len(content))
            for (holder, key), content in sorted(self.objects.items())
            if holder == bucket and key.startswith(prefix)
        ]

    def read(self, bucket: str, key: str) -> bytes:
        """Return a content."""
        return self.objects[bucket, key]

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Store a content."""
        self.objects[bucket, key] = content


class RecordingBus:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Mapping[str, Any]]] = []

    def put(self, detail_type: str, resource: str, detail: Mapping[str, Any]) -> None:
        """Keep an event."""
        self.events.append((detail_type, resource, detail))


@dataclass
class World:
    """The double behind HTTP, and what surrounds it."""

    client: Any
    datastore_id: str
    buckets: MemoryBuckets
    bus: RecordingBus
    faults: Faults
    imported: Path
    url: str
    tokens: list[int] = field(default_factory=list)

    def put(self, *contents: bytes, prefix: str = "in/") -> None:
        """Land files, each in a folder of its own."""
        for n, content in enumerate(contents):
            self.buckets.write("landing", f"{prefix}{n:04d}/x.dcm", content)

    def start(self, prefix: str = "in/", token: str | None = None) -> dict[str, Any]:
        """Start a job."""
        self.tokens.append(len(self.tokens))
        answer: dict[str, Any] = self.client.start_dicom_import_job(
            datastoreId=self.datastore_id,
            dataAccessRoleArn=ROLE,
            clientToken=token or f"token-{len(self.tokens)}",
            inputS3Uri=f"s3://landing/{prefix}",
            outputS3Uri="s3://results/out/",
        )
        return answer

    def get(self, job_id: str) -> dict[str, Any]:
        """Return the properties of a job."""
        answer = self.client.get_dicom_import_job(datastoreId=self.datastore_id, jobId=job_id)
        properties: dict[str, Any] = answer["jobProperties"]
        return properties

    def wait(self, job_id: str) -> dict[str, Any]:
        """Wait for the end of a job."""
        until(lambda: self.get(job_id)["jobStatus"] in ("COMPLETED", "FAILED"))
        return self.get(job_id)

    def run(self, prefix: str = "in/") -> dict[str, Any]:
        """Start a job and wait for its end."""
        return self.wait(self.start(prefix)["jobId"])

    def output(self, job: dict[str, Any], name: str) -> Any:
        """Return a file of a job's output."""
        bucket, _, folder = job["outputS3Uri"].removeprefix("s3://").partition("/")
        text = self.buckets.objects[bucket, folder + name].decode()
        if name.endswith(".ndjson"):
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)["jobSummary"]


def until(claim: Callable[[], bool]) -> None:
    """Wait until `claim` holds, at most DEADLINE_S."""
    deadline = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def quotas() -> Quotas:
    return Quotas(rates={})


@pytest.fixture
def world(tmp_path: Path, quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    buckets, bus, faults = MemoryBuckets(), RecordingBus(), Faults(job_s=0.02)
    files = ImportedFiles(tmp_path)
    service = HealthImaging(buckets, bus, files, faults=faults, quotas=quotas)
    gateway = Gateway({}, control=control(service, faults), default=api(service))
    with Server(0, gateway) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = boto3.client(
            "medical-imaging",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 (no secret: the double checks none)
            config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
        )
        store = client.create_datastore(datastoreName="store", clientToken="a")
        yield World(client, store["datastoreId"], buckets, bus, faults, tmp_path, server.url)
        client.close()
        server.shutdown()
