"""The archive that is published, run by AWS's own runtime against the emulated services."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
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
from tests.importer.preflight.cloudformation import mailbox
from tests.importer.preflight.conftest import serving, usual_quotas
from tests.importer.preflight.hospital import ANYWHERE, build_hospital

SERVICES = ("s3", "sqs", "dynamodb", "events", "medical-imaging", "ec2")
LEASE_S = 120
PREFLIGHT = "PreflightFunction"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
]  # six cold starts on a machine that may be slow


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's functions and services."""

    functions: dict[str, Function]
    landing_bucket: str
    clients: dict[str, Any]
    url: str
    code: Path
    logs: Path

    def started(self, name: str, endpoints: Mapping[str, str]) -> Any:
        """Serve a function as its resource describes it."""
        function = self.functions[name]
        return lambda_function(
            self.code,
            function.handler,
            {**settings(self.url), **endpoints, **function.environment},
            name=name,
            timeout_s=function.timeout_s,
            memory_mib=function.memory_mib,
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


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of it.

    Attributes:
        quarantined: Figures after HealthImaging refused the only image.
        redriven: What Redrive answered.
        imported: Figures after the image was imported at the second attempt.
        page: View's HTML.
        good: Preflight's answer to CloudFormation for a good network.
        bad: Its answer where the private subnets have no way out.
        peaks_mib: The most memory that each function has held.
    """

    quarantined: dict[str, int]
    redriven: dict[str, Any]
    imported: dict[str, int]
    page: str
    good: dict[str, Any]
    bad: dict[str, Any]
    peaks_mib: dict[str, float]


@pytest.fixture(scope="module")
def deployed(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder: Path = tmp_path_factory.mktemp("deployed")
    stack = template.render(template.load(), {})
    faults = json.dumps({"jobSeconds": 0.1, "failedFiles": {"next": 1}})
    with emulated_aws(folder / "aws", faults=faults) as url:
        clients = {name: client(name, url) for name in SERVICES}
        ids = provision(stack, clients.__getitem__)
        made = functions(stack, ids)
        bucket = made["StartImport"].environment["LANDING_BUCKET"]
        yield Deployed(made, bucket, clients, url, code, folder)
        for each in clients.values():
            each.close()


@pytest.fixture(scope="module")
def ran(deployed: Deployed) -> Ran:
    """Run every function once or more: an image that is refused, redriven and imported, and Preflight."""
    batch = land_one(deployed, deployed.logs)
    with ExitStack() as running:
        # No quota service is among the emulated ones.
        quotas = {"AWS_ENDPOINT_URL_SERVICE_QUOTAS": running.enter_context(serving(usual_quotas()))}
        started = {
            name: running.enter_context(deployed.started(name, quotas))
            for name in deployed.functions
        }
        started["StartImport"].serve(deployed.next_event("StartImport"))
        quarantined = recorded(deployed, started, until="quarantined")
        command = {"action": "redrive", "operator": "test", "batch": str(batch)}
        redriven = started["Redrive"].invoke(command)
        started["StartImport"].serve(deployed.next_event("StartImport"))
        imported = recorded(deployed, started, until="imported")
        (schedule,) = deployed.functions["Sweep"].schedules
        started["Sweep"].invoke(json.loads(schedule.event))
        good, bad = preflighted(deployed, started[PREFLIGHT])
        return Ran(
            quarantined=quarantined,
            redriven=redriven,
            imported=imported,
            page=started["View"].invoke({}),
            good=good,
            bad=bad,
            peaks_mib={name: function.peak_mib() for name, function in started.items()},
        )


def land_one(deployed: Deployed, folder: Path) -> BatchId:
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
    return batch


def recorded(
    deployed: Deployed, started: Mapping[str, LambdaFunction], *, until: str
) -> dict[str, int]:
    """Feed both queues' functions until View counts an instance as `until`; return its figures."""
    for _ in range(5):
        started["RecordOutcome"].serve(deployed.next_event("RecordOutcome"))
        figures: dict[str, int] = started["View"].invoke({"figures": True})
        if figures[until]:
            return figures
    raise AssertionError(f"nothing is {until}: {figures}")


def preflighted(
    deployed: Deployed, preflight: LambdaFunction
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let Preflight answer CloudFormation for a good network, then for one without a NAT gateway."""
    ec2 = deployed.clients["ec2"]
    hospital = build_hospital(ec2)
    good = answer_to(preflight, hospital.properties)
    ec2.delete_route(RouteTableId=hospital.tables["private"], DestinationCidrBlock=ANYWHERE)
    return good, answer_to(preflight, hospital.properties)


def answer_to(preflight: LambdaFunction, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Preflight puts to CloudFormation's address."""
    with mailbox() as box:
        preflight.invoke(
            {
                "RequestType": "Create",
                "ResponseURL": box.url,
                "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/storescp/0a1b2c3d",
                "RequestId": "r-1",
                "ResourceType": "Custom::Preflight",
                "LogicalResourceId": "Preflight",
                "ResourceProperties": properties,
            }
        )
        return box.answer


def test_every_function_of_the_template_runs_in_its_memory(ran: Ran, deployed: Deployed) -> None:
    """All of them, from the archive alone, under the environment and timeout that the template gives."""
    limits = {name: function.memory_mib for name, function in deployed.functions.items()}

    assert ran.peaks_mib.keys() == limits.keys()
    # A batch of 4,000 needs more than one image does: half of it is room.
    assert {n: peak for n, peak in ran.peaks_mib.items() if not 0 < peak < limits[n] / 2} == {}


def test_an_image_that_is_refused_is_quarantined(ran: Ran) -> None:
    """StartImport, RecordOutcome, View."""
    assert (ran.quarantined["quarantined"], ran.quarantined["imported"]) == (1, 0)


def test_redrive_has_it_imported_after_all(ran: Ran) -> None:
    """Redrive, StartImport, RecordOutcome, Sweep, View."""
    assert (ran.redriven["asked"], ran.redriven["complete"]) == (1, True)
    assert (ran.imported["quarantined"], ran.imported["imported"]) == (0, 1)
    assert "<" in ran.page


def test_preflight_answers_cloudformation(ran: Ran) -> None:
    """By an HTTP PUT from inside the runtime, in both languages where it refuses."""
    assert ran.good["Status"] == "SUCCESS", ran.good["Reason"]
    assert ran.bad["Status"] == "FAILED"
    assert not ran.bad["Reason"].isascii()


def test_a_function_that_exceeds_its_timeout_is_ended(tmp_path: Path) -> None:
    """So the timeouts above are those of the template, and not of nobody."""
    (tmp_path / "late.py").write_text(
        "import time\ndef handler(event, context):\n    time.sleep(60)\n"
    )
    with lambda_function(
        tmp_path, "late.handler", {}, name="Late", timeout_s=1, memory_mib=128, log=tmp_path / "log"
    ) as late:
        began = time.monotonic()
        with pytest.raises(AssertionError, match="timed out after 1"):
            late.invoke({})

    assert time.monotonic() - began < 30  # not the 60 s that it sleeps
