from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import template
from local.functions import Function, container_environment, functions
from local.provision import PhysicalIds, ProvisionError, provision
from local.template import Resource, Stack
from tests.local.conftest import client, running_aws
from tests.local.stack import template as hand_made


@pytest.fixture(scope="module")
def stack() -> Stack:
    return template.render(hand_made(), {"AE_TITLE": "CT"})


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    names = ("s3", "sqs", "dynamodb", "events", "medical-imaging")
    with running_aws(tmp_path_factory.mktemp("aws")) as url:  # one data store in 12 s may be made
        made = {name: client(name, url) for name in names}
        yield made
        for each in made.values():
            each.close()


@pytest.fixture(scope="module")
def ids(stack: Stack, clients: dict[str, Any]) -> PhysicalIds:
    return provision(stack, clients.__getitem__)


def test_queues_have_their_attributes_and_dead_letters(
    ids: PhysicalIds, clients: dict[str, Any]
) -> None:
    """Visibility timeout and redrive policy are the template's."""
    url = ids("ImportQueue", "")
    got = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    assert got["VisibilityTimeout"] == "360"
    assert json.loads(got["RedrivePolicy"]) == {
        "deadLetterTargetArn": ids("DeadLetters", "Arn"),
        "maxReceiveCount": 1000,
    }


def test_a_bucket_is_versioned_and_tells_its_queue(
    ids: PhysicalIds, clients: dict[str, Any]
) -> None:
    """A manifest announces itself, an instance does not."""
    bucket = ids("Landing", "")
    for key in ("incoming/x", "batches/b.json"):
        clients["s3"].put_object(Bucket=bucket, Key=key, Body=b"")
    keys = set()
    while True:
        answer = clients["sqs"].receive_message(
            QueueUrl=ids("ImportQueue", ""), MaxNumberOfMessages=10, WaitTimeSeconds=0
        )
        if "Messages" not in answer:
            break
        for message in answer["Messages"]:
            for record in json.loads(message["Body"]).get("Records", ()):
                keys.add(record["s3"]["object"]["key"])

    assert clients["s3"].get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert {key.replace("%2F", "/") for key in keys} == {"batches/b.json"}


def test_the_table_has_keys_and_index(ids: PhysicalIds, clients: dict[str, Any]) -> None:
    """The ledger's keys and its sparse index are the template's."""
    got = clients["dynamodb"].describe_table(TableName=ids("Ledger", ""))["Table"]

    assert [item["AttributeName"] for item in got["KeySchema"]] == ["pk", "sk"]
    assert [index["IndexName"] for index in got["GlobalSecondaryIndexes"]] == ["ByState"]


def test_the_rule_has_its_pattern_and_target(ids: PhysicalIds, clients: dict[str, Any]) -> None:
    """Its pattern names the data store that was made, its target is the outcome queue."""
    rule = clients["events"].describe_rule(Name="Ended")
    targets = clients["events"].list_targets_by_rule(Rule="Ended")["Targets"]

    assert json.loads(rule["EventPattern"])["detail"] == {
        "datastoreId": [ids("Store", "DatastoreId")]
    }
    assert [item["Arn"] for item in targets] == [ids("OutcomeQueue", "Arn")]


def test_the_container_gets_the_task_definitions_environment(
    stack: Stack, ids: PhysicalIds
) -> None:
    """References are physical, parameters are the person's."""
    assert container_environment(stack, ids) == {
        "LANDING_URL": f"s3://{ids('Landing', '')}",
        "AE_TITLE": "CT",
        "PROXY_PROTOCOL": "true",
    }


def test_a_function_gets_its_environment_and_source(stack: Stack, ids: PhysicalIds) -> None:
    """StartImport has its own variables, timeout and queue with its batch settings."""
    start = functions(stack, ids)["StartImport"]
    (source,) = start.sources

    assert start.handler == "importer.handlers.start_import.handler"
    assert start.timeout_s == 60
    assert start.environment["DATASTORE_ID"] == ids("Store", "DatastoreId")
    assert start.environment["DATA_ACCESS_ROLE_ARN"] == "arn:aws:iam::123456789012:role/Role"
    assert (source.queue_url, source.batch_size) == (ids("ImportQueue", ""), 10)
    assert source.reports_failures
    assert Function.from_document(json.loads(json.dumps(start.document()))) == start


def test_a_scheduled_function_has_its_rate(stack: Stack, ids: PhysicalIds) -> None:
    """Sweep runs every 300 s, View is called by nobody."""
    made = functions(stack, ids)

    assert [schedule.every_s for schedule in made["Sweep"].schedules] == [300]
    assert not made["View"].sources
    assert not made["View"].schedules


def test_a_queue_that_the_pump_cannot_serve_is_an_error() -> None:
    """A template that grows beyond the interpreter is told so, not run halfway."""
    fifo = Resource("Ordered", "AWS::SQS::Queue", {"FifoQueue": True})
    with pytest.raises(ProvisionError, match="Ordered is a FIFO queue"):
        provision(Stack((fifo,)), lambda _: None)


def test_a_source_that_the_pump_cannot_serve_is_an_error(stack: Stack) -> None:
    """A mapping from a table's stream has no meaning here."""
    properties = {"FunctionName": "@{StartImport}", "EventSourceArn": "@{Ledger.Arn}"}
    stream = Resource("Stream", "AWS::Lambda::EventSourceMapping", properties)
    grown = Stack((*stack.resources, stream))
    with pytest.raises(ProvisionError, match="Stream reads something other than a queue"):
        functions(grown, PhysicalIds(grown))
