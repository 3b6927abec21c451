"""The three functions as Lambda calls them, on emulated S3, DynamoDB and SQS."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from contract.keys import BatchId
from importer.adapters.ledger import Ledger
from importer.domain.counts import Counts
from importer.domain.messages import batch_announcement
from importer.handlers import record_outcome, redrive, start_import, sweep
from tests.importer.builders import NOW, make_batch_id, make_manifest
from tests.importer.conftest import Aws
from tests.importer.emulated_functions import Context, job_event, make_functions
from tests.importer.fake_medical_imaging import FakeMedicalImaging

BATCH = make_batch_id()


@pytest.fixture
def service(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMedicalImaging]:
    for functions in make_functions(aws, monkeypatch):
        yield functions.service


def land(aws: Aws, batch: BatchId, count: int) -> None:
    s3 = aws.client("s3")
    manifest = make_manifest(batch, count)
    for row in manifest.rows:
        s3.put_object(Bucket=aws.landing, Key=row.key, Body=b"x")
    s3.put_object(Bucket=aws.landing, Key=batch.manifest_key, Body=manifest.encode())


def receive(aws: Aws, queue_url: str) -> dict[str, Any]:
    """Take what is in a queue, as the event source mapping would."""
    sqs = aws.client("sqs")
    response = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q",
                "awsRegion": "us-east-1",
            }
            for message in response.get("Messages", ())
        ]
    }


def test_a_batch_goes_all_the_way(
    aws: Aws, service: FakeMedicalImaging, capsys: pytest.CaptureFixture[str]
) -> None:
    """Announcement, job, outcome: the ledger says imported, objects are tagged, metrics written."""
    land(aws, BATCH, 5)
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=aws.import_queue, MessageBody=batch_announcement(BATCH))
    started = start_import.handler(receive(aws, aws.import_queue), Context())
    (job_id,) = service.jobs
    sqs.send_message(QueueUrl=aws.outcome_queue, MessageBody=job_event(job_id))
    recorded = record_outcome.handler(receive(aws, aws.outcome_queue), Context())

    ledger = Ledger(aws.client("dynamodb"), aws.table, lambda: NOW)
    key = make_manifest(BATCH, 1).rows[0].key
    tags = aws.client("s3").get_object_tagging(Bucket=aws.landing, Key=key)["TagSet"]
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    metrics = [line for line in written if "_aws" in line]
    assert started == recorded == {"batchItemFailures": []}
    assert ledger.totals() == Counts(landed=5, imported=5, jobs=1)
    assert tags == [{"Key": "imported", "Value": "true"}]
    assert metrics[0]["ImportJobsStarted"] == [1.0]
    assert metrics[1]["InstancesImported"] == [5.0]
    assert metrics[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack"]]
    assert metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "StoreSCP"


def test_a_throttled_message_is_reported_and_comes_back_soon(
    aws: Aws, service: FakeMedicalImaging
) -> None:
    """Only the throttled message fails, and its visibility is seconds."""
    land(aws, BATCH, 1)
    service.throttle = 1
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=aws.import_queue, MessageBody='{"Event":"s3:TestEvent"}')
    sqs.send_message(QueueUrl=aws.import_queue, MessageBody=batch_announcement(BATCH))
    event = receive(aws, aws.import_queue)
    throttled = next(r for r in event["Records"] if "TestEvent" not in r["body"])

    response = start_import.handler(event, Context())

    assert response == {"batchItemFailures": [{"itemIdentifier": throttled["messageId"]}]}
    attributes = sqs.get_queue_attributes(
        QueueUrl=aws.import_queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    assert int(attributes["ApproximateNumberOfMessagesNotVisible"]) == 2


def test_sweep_announces_what_was_lost(aws: Aws, service: FakeMedicalImaging) -> None:
    """With the S3 event lost, Sweep's own announcement starts the batch."""
    # Of this hour: Sweep goes through every hour from the oldest that landed.
    land(aws, make_batch_id(now=time.time()), 2)

    sweep.handler({}, Context())
    response = start_import.handler(receive(aws, aws.import_queue), Context())

    assert response == {"batchItemFailures": []}
    assert len(service.jobs) == 1


def test_a_bad_message_fails_alone(aws: Aws, service: FakeMedicalImaging) -> None:
    """A message that nobody understands is reported; it says nothing about the others."""
    land(aws, BATCH, 1)
    sqs = aws.client("sqs")
    for body in ("nonsense", batch_announcement(BATCH)):
        sqs.send_message(QueueUrl=aws.import_queue, MessageBody=body)
    event = receive(aws, aws.import_queue)
    bad = next(r for r in event["Records"] if r["body"] == "nonsense")

    response = start_import.handler(event, Context())

    assert response == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}
    assert len(service.jobs) == 1


def pump(aws: Aws, service: FakeMedicalImaging) -> None:
    """Serve announcements and the outcomes of the jobs that they start."""
    known = set(service.jobs)
    start_import.handler(receive(aws, aws.import_queue), Context())
    for job_id in service.jobs.keys() - known:
        aws.client("sqs").send_message(QueueUrl=aws.outcome_queue, MessageBody=job_event(job_id))
    record_outcome.handler(receive(aws, aws.outcome_queue), Context())


def test_a_redrive_goes_all_the_way(aws: Aws, service: FakeMedicalImaging) -> None:
    """An operator's event brings a refused object in; ledger and bucket tell who asked."""
    land(aws, BATCH, 3)
    key = make_manifest(BATCH, 3).rows[1].key
    service.refused = {key}
    aws.client("sqs").send_message(QueueUrl=aws.import_queue, MessageBody=batch_announcement(BATCH))
    pump(aws, service)
    ledger = Ledger(aws.client("dynamodb"), aws.table, lambda: NOW)
    before = ledger.totals()
    service.refused = set()

    answer = redrive.handler({"action": "redrive", "operator": "j.doe", "key": key}, Context())
    pump(aws, service)

    found = aws.client("s3").list_objects_v2(Bucket=aws.landing, Prefix="quarantine/")["Contents"]
    body = aws.client("s3").get_object(Bucket=aws.landing, Key=found[0]["Key"])["Body"].read()
    record = json.loads(body)
    assert before == Counts(landed=3, imported=2, quarantined=1, jobs=1)
    assert isinstance(answer, dict)
    assert (answer["asked"], answer["complete"]) == (1, True)
    assert ledger.totals() == Counts(landed=3, imported=3, jobs=2)
    assert ledger.quarantined(10) == []
    assert record["state"] == "IMPORTED"
    assert [redriven["operator"] for redriven in record["redrives"]] == ["j.doe"]


def test_redrive_answers_a_dashboard_in_a_sentence(aws: Aws, service: FakeMedicalImaging) -> None:
    """A button gets HTML, escaped; what is no command gets the reason; documentation on request."""
    land(aws, BATCH, 1)
    event = {"action": "redrive", "operator": "a", "batch": str(BATCH), "widgetContext": {}}

    unknown = redrive.handler(event, Context())
    refused = redrive.handler(event | {"batch": "<b>"}, Context())

    assert unknown == "<p>Images: 0 asked for, 1 unknown.</p>"
    assert "&lt;b&gt;" in refused
    assert "error" in redrive.handler({}, Context())
    assert "operator" in redrive.handler({"describe": True}, Context())
    assert service.jobs == {}


@pytest.mark.parametrize("name", ["start_import", "record_outcome", "sweep", "redrive"])
def test_importing_a_handler_touches_no_aws(name: str) -> None:
    """A handler can be imported with an empty environment, without what makes a cold start long."""
    code = f"import importer.handlers.{name}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={}, timeout=60, check=True, capture_output=True, text=True
    )

    heavy = {"boto3", "urllib3", "asyncio", "aws_lambda_powertools.utilities.batch"}
    assert not heavy & set(done.stdout.split())
