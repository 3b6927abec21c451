"""CPU time of RecordOutcome for one batch of 4,000 imported instances.

The function's own code with its real adapters, against a null DynamoDB and S3 in a process of its own:
it serves one batch with its manifest and job output, and accepts every write. What is measured is the
client. The peer is the same work with boto3 for each of the 8,000 calls.
`python bench/record_outcome.py` prints a table; `run` returns its rows for `make bench`.
"""

from __future__ import annotations

import base64
import http.server
import json
import multiprocessing
import socketserver
import time
import zlib
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config

from contract.keys import BatchId
from contract.manifest import MAX_INSTANCES, Manifest, Row, Sealer
from contract.metrics import Metric
from importer.adapters import items
from importer.adapters.clients import POOL
from importer.adapters.contents import ContentLedger
from importer.adapters.ledger import Ledger
from importer.adapters.results import ResultsBucket
from importer.adapters.s3 import LandingBucket
from importer.adapters.tags import Tags
from importer.adapters.updates import Updates
from importer.domain.batch import Batch, Wanted
from importer.domain.jobs import Job, JobStatus, output_prefix
from importer.domain.record_outcome import Inquiry, RecordOutcome

ROUNDS = 3
_NOW = 1_795_000_000.0
_DATASTORE = "d" * 32
_BATCH = BatchId.new(now=_NOW, lease_s=120)
_JOB = Job(
    job_id="j" * 32,
    name=str(_BATCH),
    status=JobStatus.COMPLETED,
    input_uri=f"s3://landing/{_BATCH.prefix}",
    output_uri=f"s3://results/{output_prefix(_BATCH, 0)}",
    ended_at=_NOW,
)


def run(instances: int = MAX_INSTANCES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Measure; rows of name, value, unit, peer, ratio (ours to the peer's; below 1 is better)."""
    parent, child = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    server = context.Process(target=_serve, args=(child, instances), daemon=True)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{parent.recv()}"
        times: dict[str, list[float]] = {"RecordOutcome": [], "boto3 for each call": []}
        for _ in range(rounds):  # in turn: what else the machine does meets both
            times["RecordOutcome"].append(_measure(endpoint, instances, boto3_alone=False))
            times["boto3 for each call"].append(_measure(endpoint, instances, boto3_alone=True))
    finally:
        server.terminate()
        server.join()
    ours = min(times["RecordOutcome"])
    return [
        {
            "name": f"CPU to record {instances:,} instances, {name}",
            "value": round(min(values), 2),
            "unit": "s",
            "peer": "boto3 for each call",
            "ratio": round(min(values) / min(times["boto3 for each call"]), 3),
        }
        for name, values in times.items()
        if ours > 0
    ]


@dataclass
class _Service:
    """HealthImaging's answer about the one job."""

    def start(self, **_: str) -> str:
        raise NotImplementedError

    def job(self, job_id: str) -> Job:  # noqa: ARG002 - there is one job
        return _JOB


@dataclass
class _Quiet:
    """Telemetry and queues that nobody reads; remembers what was counted."""

    counted: dict[Metric, float] = field(default_factory=dict)

    def count(self, metric: Metric, value: float = 1) -> None:
        self.counted[metric] = value

    def info(self, event: str, **fields: object) -> None:
        pass

    warning = error = info

    def announce(self, batch_id: BatchId, *, delay_s: int = 0) -> None:
        pass

    def waiting(self) -> int:
        return 0

    def ask(self, batch_id: BatchId, *, attempt: int, job_id: str) -> None:
        pass


def _measure(endpoint: str, instances: int, *, boto3_alone: bool) -> float:
    """Return the seconds of processor time of one outcome; new clients, as after a cold start."""
    s3, dynamodb = (_client(name, endpoint) for name in ("s3", "dynamodb"))
    landing, contents = LandingBucket(s3, "landing"), ContentLedger(dynamodb, "table")
    if boto3_alone:
        landing._tags = Tags(s3, "landing")  # noqa: SLF001 - the peer is the same code without the short cut
        landing._tags._connections = None  # noqa: SLF001 - likewise
        contents._updates = Updates(None)  # noqa: SLF001 - likewise
        contents._updates._client = dynamodb  # noqa: SLF001 - likewise
    quiet = _Quiet()
    outcome = RecordOutcome(
        manifests=landing,
        instances=landing,
        results=ResultsBucket(s3, datastore_id=_DATASTORE),
        batches=Ledger(dynamodb, "table", lambda: _NOW),
        contents=contents,
        service=_Service(),
        announcements=quiet,
        telemetry=quiet,
        clock=lambda: _NOW,
        landing_bucket="landing",
        output_grace_s=900,
    )
    started = time.process_time()
    outcome.run(Inquiry(job_id=_JOB.job_id))
    seconds = time.process_time() - started
    if quiet.counted.get(Metric.INSTANCES_IMPORTED) != instances:
        raise RuntimeError(f"not every instance was recorded: {quiet.counted}")
    return seconds


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - the null server asks for none
        config=Config(max_pool_connections=POOL),
    )


def _documents(instances: int) -> dict[str, bytes]:
    """Return what the null server gives out, by the end of the path."""
    rows = tuple(
        Row(
            key=_BATCH.instance_key(n),
            sop_instance_uid=f"1.2.826.0.1.3680043.8.498.{10**30 + n}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            study_instance_uid=f"1.2.826.0.1.3680043.8.498.{10**31}",
            series_instance_uid=f"1.2.826.0.1.3680043.8.498.{10**31 + 1}",
            size=526_000,
            crc64nvme=base64.b64encode(n.to_bytes(8, "big")).decode(),
            calling_ae_title="CT1",
            called_ae_title="STORESCP",
            peer="10.0.0.1",
            received_at=_NOW,
        )
        for n in range(instances)
    )
    manifest = Manifest(batch=_BATCH, sealed_at=_NOW, sealed_by=Sealer.WORKER, rows=rows)
    lines = [
        json.dumps({"inputFile": r.key, "importResponse": {"imageSetId": "s", "isPrimary": True}})
        for r in rows
    ]
    return {
        _BATCH.manifest_key: manifest.encode(),
        "success.ndjson": "\n".join(lines).encode(),
        "job-output-manifest.json": json.dumps(
            {"jobSummary": {"numberOfScannedFiles": instances}}
        ).encode(),
    }


def _ledger_item(instances: int) -> bytes:
    batch = Batch.new(_BATCH, rows=instances, extras=(), oldest_received_at=_NOW)
    batch = batch.plan([Wanted(prefix="")], _NOW).start(0, _JOB.job_id, _NOW)
    item: dict[str, Any] = items.batch_item(batch)
    item["version"] = items.number(1)
    item["book"] = {"B": base64.b64encode(item["book"]["B"]).decode()}
    return json.dumps({"Item": item}).encode()


class _Null(http.server.BaseHTTPRequestHandler):
    """Serves the documents and accepts every write."""

    protocol_version = "HTTP/1.1"
    documents: dict[str, bytes]
    item: bytes

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = [body for end, body in self.documents.items() if path.endswith(end)]
        self._answer(
            200 if found else 404, found[0] if found else b"<Error><Code>NoSuchKey</Code></Error>"
        )

    def do_PUT(self) -> None:
        self._read()
        self._answer(200, b"")

    def do_POST(self) -> None:
        self._read()
        is_read = self.headers["x-amz-target"].endswith("GetItem")
        self._answer(200, self.item if is_read else b"{}")

    def _read(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))

    def _answer(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} -\r\ncontent-length: {len(body)}\r\n"
        check = f"x-amz-crc32: {zlib.crc32(body)}\r\n"
        self.wfile.write(head.encode() + check.encode() + b"\r\n" + body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def _serve(pipe: Connection, instances: int) -> None:
    _Null.documents = _documents(instances)
    _Null.item = _ledger_item(instances)
    with _Server(("127.0.0.1", 0), _Null) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


def main() -> None:
    """Print the table."""
    for row in run():
        print(f"{row['name']:60} {row['value']:8.2f} {row['unit']}   ratio {row['ratio']:.3f}")


if __name__ == "__main__":
    main()
