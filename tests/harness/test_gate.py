"""The gate before real emulated services, over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.healthimaging.faults import Faults
from local.web import Server
from tests.harness.aws import make_gate
from tests.harness.contents import read_report
from tests.harness.gate import EXEMPT, Gate, GateHandler
from tests.harness.rules import Action, Rule

BUCKET = "gate-bucket"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    gate = make_gate(Path(tmp_path_factory.mktemp("imported")), Faults())
    with Server(0, gate, GateHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        client("s3", server, user=EXEMPT).create_bucket(Bucket=BUCKET)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    gate = server.application
    assert isinstance(gate, Gate)
    yield gate
    gate.rules.replace([])
    gate.clock_offset_s = 0.0


def client(service: str, server: Server, *, user: str = "test") -> Any:
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=user,
        aws_secret_access_key="test",  # noqa: S106 - the emulator checks none
        config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
    )


def exists(server: Server, key: str) -> bool:
    s3 = client("s3", server, user=EXEMPT)
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", [])
    return [item["Key"] for item in found] == [key]


@pytest.mark.parametrize(
    ("action", "is_done"),
    [
        (Action.REFUSE, False),
        (Action.RESET, False),
        (Action.FLIP, False),
        (Action.SWALLOW, True),
        (Action.DELAY, True),
    ],
)
def test_what_is_done_and_what_is_said(
    server: Server, gate: Gate, action: Action, *, is_done: bool
) -> None:
    """Refused, reset and damaged requests leave nothing; one whose answer is lost was served all the same."""
    key = f"incoming/{action.name}"
    gate.rules.replace([Rule(action=action, operation="PutObject", key=key, next=1)])
    s3 = client("s3", server)
    try:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x" * 1000, ChecksumAlgorithm="CRC32")
        failed = False
    except (ClientError, BotoCoreError):
        failed = True

    assert failed is (action is not Action.DELAY)
    assert exists(server, key) is is_done
    s3.put_object(Bucket=BUCKET, Key=key + "2", Body=b"x")


def test_each_service_refuses_in_its_own_words(server: Server, gate: Gate) -> None:
    """boto3 reads the code out of each error."""
    calls: dict[str, tuple[str, dict[str, Any], str]] = {
        "s3": ("list_buckets", {}, "SlowDown"),
        "sqs": ("list_queues", {}, "ThrottlingException"),
        "dynamodb": ("list_tables", {}, "ThrottlingException"),
    }
    for service, (call, arguments, code) in calls.items():
        gate.rules.replace(
            [Rule(action=Action.REFUSE, service=service, probability=1.0, status=400)]
        )
        with pytest.raises(ClientError, match=code):
            getattr(client(service, server), call)(**arguments)


def test_messages_are_lost_shuffled_and_repeated(server: Server, gate: Gate) -> None:
    """Lost ones are gone; repeated ones come again although they were deleted."""
    sqs = client("sqs", server)
    url = sqs.create_queue(QueueName="gate")["QueueUrl"]

    def receive() -> list[Any]:
        found: list[Any] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        )
        return found

    for n in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
    gate.rules.replace(
        [Rule(action=Action.LOSE, service="sqs", operation="ReceiveMessage", next=1)]
    )
    lost, after = receive(), receive()
    sqs.send_message(QueueUrl=url, MessageBody="again")
    gate.rules.replace(
        [Rule(action=Action.REPEAT, service="sqs", operation="DeleteMessage", next=1)]
    )
    [first] = receive()
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    [second] = receive()
    sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])

    assert (lost, after) == ([], [])
    assert second["Body"] == "again"
    assert receive() == []


def test_the_tests_own_requests_are_spared(server: Server, gate: Gate) -> None:
    """Nothing happens to the exempt user."""
    gate.rules.replace([Rule(action=Action.REFUSE, probability=1.0)])

    client("s3", server, user=EXEMPT).list_buckets()
    with pytest.raises(ClientError):
        client("s3", server).list_buckets()


def test_a_skewed_clock_is_refused(server: Server, gate: Gate) -> None:
    """S3 takes a difference of 15 minutes, not more."""
    gate.clock_offset_s = 14 * 60
    client("s3", server).list_buckets()
    gate.clock_offset_s = 16 * 60

    with pytest.raises(ClientError, match="RequestTimeTooSkewed"):
        client("s3", server).list_buckets()


def test_the_report_says_what_landed(server: Server, gate: Gate) -> None:
    """UID, digest of the dataset, tag and versions of an object below incoming/."""
    from tests.builders import file_meta, make_instance  # noqa: PLC0415 - needed here only

    instance = make_instance()
    s3 = client("s3", server, user=EXEMPT)
    s3.create_bucket(Bucket="report-bucket")
    body = file_meta(instance) + instance.dataset
    s3.put_object(Bucket="report-bucket", Key="incoming/a.dcm", Body=body, Tagging="imported=true")

    [found] = read_report(gate.reports["landed"]("report-bucket"))

    assert found.content == (instance.sop_instance_uid, instance.sha256())
    assert found.is_tagged
    assert found.versions == 1
