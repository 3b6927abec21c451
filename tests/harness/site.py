"""A whole product as real processes behind a gate: started, hurt, brought to rest, and looked at."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3

from contract.keys import BATCHES_PREFIX, batch_of_manifest_key
from contract.manifest import Manifest
from contract.states import InstanceState
from importer.adapters.archive import Archive
from importer.adapters.ledger import Ledger
from importer.domain.batch import Batch
from local.ports import free_port
from local.status import get_json
from local.template import REGION
from tests.deadline import wait_until
from tests.harness.contents import read_report
from tests.harness.gate import EXEMPT
from tests.harness.later import sweep_later
from tests.harness.oracle import Content, World
from tests.harness.rules import Rule
from tests.part10 import parse
from tests.processes import children_of, cpu_seconds, tree_of

_BUGS = ("unhandled_exception", "connection_failed", "tick_failed", "recovery_failed", "no JSON")
START_S = 120.0
STOP_S = 120.0
ROOT = Path(__file__).resolve().parent.parent.parent


class Site:
    """A running product.

    Attributes:
        folder: Everything that it writes.
        bucket: Where instances land.
        scp_port: For DICOM.
        output: What it says on the screen.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        """Start one; `settings` are its environment variables.

        Raises:
            AssertionError: It did not start.
        """
        self.folder = folder
        self.output = folder / "output.txt"
        self.scp_port, self._console_port, self._aws_port = (free_port() for _ in range(3))
        environ = {
            **os.environ,
            "SCP_PORT": str(self.scp_port),
            "CONSOLE_PORT": str(self._console_port),
            "AWS_PORT": str(self._aws_port),
            "DATA_DIR": str(folder / "data"),
            **{name: str(value) for name, value in settings.items()},
        }
        with self.output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.product"],
                env=environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(self._is_ready, "the ready line", within_s=START_S)
        except BaseException:
            self.stop()
            raise
        self.bucket = self._find_bucket()
        self._ledger = Ledger(self.client("dynamodb"), self._table(), time.time)

    # What happens to it.

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Put rules in force instead of all others."""
        self._put("/_gate/rules", [asdict(rule) for rule in rules])

    def set_faults(self, document: Mapping[str, Any]) -> None:
        """Set HealthImaging's own switches."""
        self._put("/_double/faults", document)

    def set_clock(self, ahead_s: float) -> None:
        """Let the services' clock go `ahead_s` ahead of ours."""
        self._put("/_gate/clock", ahead_s)

    def receiver_pids(self) -> list[int]:
        """Return the receiver's processes, its parent first; none while it is being started again."""
        return [pid for parent in self._children("receiver") for pid in tree_of(parent)]

    def function_pids(self) -> list[int]:
        """Return the functions' processes."""
        return self._children("local.function")

    def terminate_receiver(self) -> None:
        """SIGTERM it, as a deployment does; it is started again when it has ended."""
        for pid in self._children("receiver"):
            os.kill(pid, signal.SIGTERM)

    def sweep_later(self, later_s: float) -> dict[str, int]:
        """Let Sweep run as if so much time had passed; return what it found to do."""
        return sweep_later(self.client, bucket=self.bucket, table=self._table(), later_s=later_s)

    # What it is.

    def figures(self) -> dict[str, int]:
        """Return /api/status."""
        return get_json(f"http://127.0.0.1:{self._console_port}/api/status", timeout_s=120)

    def landed(self) -> int:
        """Return how many objects lie in the landing bucket."""
        return int(self._get(f"/_gate/count/{self.bucket}"))

    def in_flight(self) -> int:
        """Return how many of them are not terminal in the ledger; asks no part of the product."""
        return self.landed() - self._ledger.totals().terminal

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time of each part that lives, for who looks for the slowest."""
        names = {pid: _module_of(pid) for pid in children_of(self._process.pid)}
        return {f"{name} {pid}": round(cpu_seconds(tree_of(pid)), 1) for pid, name in names.items()}

    def struck(self) -> dict[str, int]:
        """Return how often which rule has struck."""
        found: dict[str, int] = json.loads(self._get("/_gate/struck"))
        return found

    def seen(self) -> set[tuple[str, str]]:
        """Return service and operation of every request so far."""
        return {
            (service, operation) for service, operation, _ in json.loads(self._get("/_gate/seen"))
        }

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def world(self) -> World:
        """Return everything; to be asked at rest."""
        figures = self.figures()
        s3, bucket = self.client("s3"), self.bucket
        manifests = list(self._manifests(s3, bucket))
        ledger = self._ledger
        hours = sorted({manifest.batch.hour for manifest in manifests})
        rows = {manifest.batch: [row.key for row in manifest.rows] for manifest in manifests}
        batches = [batch for hour in hours for batch in ledger.batches_of(hour)]
        return World(
            landed=read_report(self._get(f"/_gate/landed/{bucket}")),
            named=[key for keys in rows.values() for key in keys],
            states=[pair for batch in batches for pair in _states(batch, rows.get(batch.id, []))],
            imported=set(self._imported()),
            listed={found.key for found in ledger.quarantined(1_000_000)},
            recorded={
                found.key
                for batch in batches
                if any(state is InstanceState.QUARANTINED for state in batch.states)
                for found in Archive(s3, bucket).quarantined(batch.id)
            },
            figures=figures,
        )

    def complaints(self) -> list[str]:
        """Return a sentence for each line of the receiver's log that a bug has written."""
        found = []
        for line in (self.folder / "data" / "logs" / "receiver.log").read_text().splitlines():
            try:
                event = json.loads(line).get("event")
            except ValueError:
                event = "no JSON"
            if event in _BUGS:
                found.append(f"receiver: {line[:400]}")
        return found

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulated services."""
        return boto3.client(
            service,
            endpoint_url=self.aws_url,
            region_name=REGION,
            aws_access_key_id=EXEMPT,
            aws_secret_access_key="test",  # noqa: S106 - the emulator checks none
        )

    def stop(self) -> int:
        """Stop it in good order and return its exit code; kill what is left after two minutes."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            for pid in reversed(tree_of(self._process.pid)):
                os.kill(pid, signal.SIGKILL)
            return self._process.wait(10)

    def _is_ready(self) -> bool:
        said = self.output.read_text()
        assert self.is_running, said
        return "storescp: ready" in said

    def _children(self, module: str) -> list[int]:
        return [pid for pid in children_of(self._process.pid) if _module_of(pid) == module]

    def _find_bucket(self) -> str:
        names = [found["Name"] for found in self.client("s3").list_buckets()["Buckets"]]
        [landing] = [name for name in names if "landing" in name]
        return str(landing)

    def _table(self) -> str:
        [name] = self.client("dynamodb").list_tables()["TableNames"]
        return str(name)

    def _manifests(self, s3: Any, bucket: str) -> Iterator[Manifest]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=BATCHES_PREFIX)
        for page in pages:
            for found in page.get("Contents", ()):
                body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
                manifest = Manifest.decode(body)
                assert manifest.batch == batch_of_manifest_key(found["Key"])
                yield manifest

    def _imported(self) -> Iterator[Content]:
        for path in (self.folder / "data" / "imported").rglob("*.dcm"):
            file = parse(path.read_bytes())
            yield file.uid(0x0003), hashlib.sha256(file.dataset).hexdigest()

    @property
    def aws_url(self) -> str:
        """Endpoint of the emulated services."""
        return f"http://127.0.0.1:{self._aws_port}"

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.aws_url + path, timeout=300) as answer:  # noqa: S310 - loopback
            content: bytes = answer.read()
            return content

    def _put(self, path: str, document: object) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.aws_url + path, data=json.dumps(document).encode(), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - loopback
            pass


def _states(batch: Batch, row_keys: Sequence[str]) -> Iterator[tuple[str, InstanceState]]:
    return zip(batch.keys(row_keys), batch.states, strict=True)


def _module_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return words[2].decode() if words[1:2] == [b"-m"] else ""


@contextmanager
def running_site(folder: Path, **settings: object) -> Iterator[Site]:
    """Run a product; at the end it must stop in good order."""
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(folder, **settings)
    try:
        yield site
        assert site.stop() == 0, site.output.read_text()
    finally:
        site.stop()
