"""A moto server over HTTP, with the ledger's table, two buckets and two queues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from contract import schema


@dataclass(frozen=True)
class Aws:
    """What a test needs of the emulated account."""

    endpoint: str
    table: str
    landing: str
    results: str
    import_queue: str
    outcome_queue: str

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulated account."""
        return _client(self.endpoint, service)


@cache
def _client(endpoint: str, service: str) -> Any:
    """Return a client: making one takes longer than most tests."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator asks for any
    )


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_endpoint: str, request: pytest.FixtureRequest) -> Aws:
    name = f"t{abs(hash(request.node.nodeid)) % 10**10}"
    aws = Aws(moto_endpoint, name, f"landing-{name}", f"results-{name}", "", "")
    s3, sqs = aws.client("s3"), aws.client("sqs")
    s3.create_bucket(Bucket=aws.landing)
    s3.create_bucket(Bucket=aws.results)
    urls = [sqs.create_queue(QueueName=f"{name}-{q}")["QueueUrl"] for q in ("import", "outcome")]
    create_table(aws.client("dynamodb"), name)
    return Aws(moto_endpoint, name, aws.landing, aws.results, *urls)


def create_table(client: Any, name: str) -> None:
    """Make the ledger's table as the schema says."""
    names = (schema.PARTITION_KEY, schema.SORT_KEY, schema.STATE_SHARD, schema.STATE_TIME)
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        KeySchema=_keys(schema.PARTITION_KEY, schema.SORT_KEY),
        GlobalSecondaryIndexes=[
            {
                "IndexName": schema.STATE_INDEX,
                "KeySchema": _keys(schema.STATE_SHARD, schema.STATE_TIME),
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": list(schema.STATE_INDEX_ATTRIBUTES),
                },
            }
        ],
    )


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
