"""The archive that is published, run by AWS's own runtime against the emulated services."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from awscrt.checksums import crc64nvme

from ci.emulated_aws import client, emulated_aws, settings
from ci.image.sample import write_sample
from contract.keys import BatchId
from contract.manifest import Manifest, Row, Sealer
from local import template
from local.functions import Function, functions
from local.provision import provision
from tests.ci.lambda_runtime import LambdaFunction, lambda_function
from tests.deadline import wait_until

SERVICES = ("s3", "sqs", "dynamodb", "events", "medical-imaging")
LEASE_S = 120


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's functions and services."""

    functions: dict[str, Function]
    landing_bucket: str
    clients: dict[str, Any]
    url: str
    code: Path
    logs: Path

    def started(self, name: str) -> Any:
        """Serve a function as its resource describes it."""
        function = self.functions[name]
        return lambda_function(
            self.code,
            function.handler,
            {**settings(self.url), **function.environment, "AWS_LAMBDA_FUNCTION_NAME": name},
            timeout_s=function.timeout_s,
            log=self.logs / f"{name}.log",
        )

    def next_event(self, name: str) -> dict[str, Any]:
        """Return the event that the function's queue makes of its next message."""
        (source,) = self.functions[name].sources
        sqs = self.clients["sqs"]

        def receive() -> list[dict[str, Any]]:
            answer = sqs.receive_message(
                QueueUrl=source.queue_url, MessageSystemAttributeNames=["All"]
            )
            messages: list[dict[str, Any]] = [
                m for m in answer.get("Messages", []) if "s3:TestEvent" not in m["Body"]
            ]
            return messages

        (message,) = wait_until(receive, f"a message for {name}", within_s=30)
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "messageAttributes": {},
                    "md5OfBody": message["MD5OfBody"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": source.queue_arn,
                    "awsRegion": template.REGION,
                }
            ]
        }


@pytest.fixture(scope="module")
def deployed(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder: Path = tmp_path_factory.mktemp("deployed")
    stack = template.render(template.load(), {})
    with emulated_aws(folder / "aws", faults='{"jobSeconds": 0.1}') as url:
        clients = {name: client(name, url) for name in SERVICES}
        ids = provision(stack, clients.__getitem__)
        made = functions(stack, ids)
        bucket = made["StartImport"].environment["LANDING_BUCKET"]
        yield Deployed(made, bucket, clients, url, code, folder)
        for each in clients.values():
            each.close()


def land_one(deployed: Deployed, folder: Path) -> None:
    """Land one instance and seal its batch, as the receiver does."""
    content = write_sample(folder / "sample.dcm").read_bytes()
    batch = BatchId.new(now=time.time(), lease_s=LEASE_S)
    key = f"{batch.prefix}00/0000/{0:016x}.dcm"
    checksum = b64encode(crc64nvme(content).to_bytes(8, "big")).decode()
    s3 = deployed.clients["s3"]
    s3.put_object(Bucket=deployed.landing_bucket, Key=key, Body=content, ChecksumCRC64NVME=checksum)
    row = Row(
        key=key,
        sop_instance_uid="2.25.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        size=len(content),
        crc64nvme=checksum,
    )
    manifest = Manifest(batch=batch, sealed_at=time.time(), sealed_by=Sealer.WORKER, rows=(row,))
    s3.put_object(Bucket=deployed.landing_bucket, Key=batch.manifest_key, Body=manifest.encode())


def test_the_archive_imports_an_instance_under_lambdas_runtime(
    deployed: Deployed, tmp_path: Path
) -> None:
    """Manifest, job, outcome, sweep and figures: each real handler, from the archive alone."""
    land_one(deployed, tmp_path)
    with deployed.started("StartImport") as start_import:
        start_import.serve(deployed.next_event("StartImport"))
    with deployed.started("RecordOutcome") as record_outcome:
        figures = recorded(deployed, record_outcome)
    with deployed.started("Sweep") as sweep:
        (schedule,) = deployed.functions["Sweep"].schedules
        sweep.invoke(json.loads(schedule.event))

    assert figures["imported"] == figures["importJobs"] == 1
    assert figures["quarantined"] == 0


def recorded(deployed: Deployed, record_outcome: LambdaFunction) -> dict[str, int]:
    """Feed RecordOutcome until nothing is in flight; return the figures of View."""
    with deployed.started("View") as view:
        for _ in range(5):
            record_outcome.serve(deployed.next_event("RecordOutcome"))
            figures: dict[str, int] = view.invoke({"figures": True})
            if figures["imported"]:
                break
        assert "<" in view.invoke({})
    return figures
