"""The functions as Lambda calls them, on emulated S3, DynamoDB and SQS, with a HealthImaging of our own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contract.keys import BatchId
from contract.manifest import Row
from importer import rebuild_ledger, resources
from importer import redrive as redrive_command
from importer.adapters.ledger import Ledger
from importer.domain.batch import Batch
from importer.domain.messages import batch_announcement
from importer.handlers import record_outcome, redrive, start_import, sweep
from tests.importer.builders import make_manifest
from tests.importer.conftest import Aws
from tests.importer.fake_medical_imaging import FakeMedicalImaging


@dataclass
class Context:
    """What the functions read of Lambda's context."""

    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left."""
        return self.milliseconds


@dataclass
class Functions:
    """The functions of one test, with everything around them."""

    aws: Aws
    service: FakeMedicalImaging

    @property
    def ledger(self) -> Ledger:
        """Return the ledger."""
        return Ledger(self.aws.client("dynamodb"), self.aws.table, time.time)

    def land(self, batch: BatchId, rows: int | list[Row]) -> list[str]:
        """Land and seal a batch, without announcing it; return its keys."""
        s3 = self.aws.client("s3")
        manifest = make_manifest(batch, rows)
        for row in manifest.rows:
            s3.put_object(Bucket=self.aws.landing, Key=row.key, Body=b"x")
        s3.put_object(Bucket=self.aws.landing, Key=batch.manifest_key, Body=manifest.encode())
        return [row.key for row in manifest.rows]

    def announce(self, batch: BatchId) -> None:
        """Say that a batch was sealed."""
        self.aws.client("sqs").send_message(
            QueueUrl=self.aws.import_queue, MessageBody=batch_announcement(batch)
        )

    def receive(self, queue_url: str) -> dict[str, Any]:
        """Take what is in a queue, as the event source mapping would."""
        response = self.aws.client("sqs").receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                }
                for message in response.get("Messages", ())
            ]
        }

    def pump(self, rounds: int = 30) -> None:
        """Serve messages and bring jobs' events until nothing moves."""
        told: set[str] = set()
        for _ in range(rounds):
            moved = False
            for queue_url, handler in (
                (self.aws.import_queue, start_import.handler),
                (self.aws.outcome_queue, record_outcome.handler),
            ):
                event = self.receive(queue_url)
                moved |= bool(event["Records"])
                answer = handler(event, Context())
                failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
                for record in event["Records"]:
                    if record["messageId"] not in failed:
                        self.aws.client("sqs").delete_message(
                            QueueUrl=queue_url, ReceiptHandle=record["receiptHandle"]
                        )
            for job_id in self.ended() - told:
                told.add(job_id)
                moved = True
                self.aws.client("sqs").send_message(
                    QueueUrl=self.aws.outcome_queue, MessageBody=job_event(job_id)
                )
            if not moved:
                # A part that failed is announced again after a minute; nobody waits for it here.
                if not any(found.startable for found in self.open_batches()):
                    return
                self.sweep()
        raise AssertionError("the functions do not come to rest")

    def open_batches(self) -> list[Batch]:
        """Return what is not DONE."""
        found = [self.ledger.batch(batch_id) for batch_id in self.ledger.open_batches()]
        return [batch for batch in found if batch is not None]

    def ended(self) -> set[str]:
        """Return the jobs that have ended."""
        return {
            name
            for name, job in self.service.jobs.items()
            if job["jobStatus"] in ("COMPLETED", "FAILED")
        }

    def sweep(self) -> None:
        """Let Sweep run once."""
        sweep.handler({}, Context())


def job_event(job_id: str) -> str:
    """Return HealthImaging's event of a job's end."""
    detail = {"jobId": job_id, "jobStatus": "COMPLETED"}
    return json.dumps(
        {"source": "aws.medical-imaging", "detail-type": "Import Job Completed", "detail": detail}
    )


def make_functions(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """Give the functions their environment and clients; take both away at the end."""
    fake = FakeMedicalImaging(aws.client("s3"))
    environment = {
        "LANDING_BUCKET": aws.landing,
        "RESULTS_BUCKET": aws.results,
        "TABLE_NAME": aws.table,
        "DATASTORE_ID": "d" * 32,
        "DATA_ACCESS_ROLE_ARN": "arn:aws:iam::123456789012:role/import",
        "IMPORT_QUEUE_URL": aws.import_queue,
        "OUTCOME_QUEUE_URL": aws.outcome_queue,
        "STACK_NAME": "test",
        "REANNOUNCE_AFTER": "0",
        "POLL_AFTER": "0",
        "OUTPUT_GRACE": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def client(name: str, **_: Any) -> Any:
        return fake if name == "medical-imaging" else aws.client(name)

    for module in (start_import, record_outcome, sweep, redrive, rebuild_ledger, resources):
        monkeypatch.setattr(module, "client", client)
    for module in (rebuild_ledger, redrive_command):
        monkeypatch.setattr(module, "environment_of", lambda _stack: environment)
    caches = (
        start_import._served,
        record_outcome._served,
        sweep._sweep,
        redrive._redriving,
    )
    yield Functions(aws, fake)
    for cached in caches:
        cached.cache_clear()
