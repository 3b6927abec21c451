"""Signed requests of our own: signed as botocore signs, and never the only way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from importer.adapters.signed import NotSentError, SignedConnections, connections_of
from importer.adapters.tags import Tags
from importer.adapters.updates import Updates
from tests.answering import Wire, answering, ok
from tests.importer.builders import make_batch_id, make_row
from tests.importer.conftest import Aws

BATCH = make_batch_id()
KEYS = ("AKIDEXAMPLE", "secret", "token")


@pytest.fixture
def wire() -> Iterator[Wire]:
    with answering() as made:
        yield made


def signed_connections(url: str, service: str = "s3") -> SignedConnections:
    return SignedConnections(
        url,
        service=service,
        region="us-east-1",
        credentials=lambda: KEYS,
        clock=lambda: 1_795_000_000.0,
    )


def close_idle(connections: SignedConnections) -> None:
    while connections._idle:
        connections._idle.pop().close()


def test_the_signature_is_botocores(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same request at the same moment has the same signature as botocore gives it."""
    wire.answers = [ok()]
    connections = signed_connections(wire.url)
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "X.UpdateItem"}

    connections.request("PUT", "/bucket/a%20b?tagging=", headers, b"{}")
    close_idle(connections)

    lines = wire.requests[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    sent = dict(line.split(": ", 1) for line in lines)
    moment = datetime.strptime(sent["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None))
    request = AWSRequest(
        "PUT",
        f"{wire.url}/bucket/a%20b?tagging=",
        headers={**headers, "x-amz-content-sha256": sent["x-amz-content-sha256"]},
        data=b"{}",
    )
    S3SigV4Auth(Credentials(*KEYS), "s3", "us-east-1").add_auth(request)
    signature = request.headers["Authorization"].partition("Signature=")[2]
    assert sent["authorization"].partition("Signature=")[2] == signature


def test_connections_are_kept_and_replaced(wire: Wire) -> None:
    """One connection serves many requests; one that the other side closed is replaced at once."""
    wire.answers = [ok(b"1"), ok(b"2"), b"", ok(b"3")]
    connections = signed_connections(wire.url)

    found = [connections.request("POST", "/", {}, b"") for _ in range(3)]
    close_idle(connections)

    assert found == [(200, b"1"), (200, b"2"), (200, b"3")]
    assert wire.connections == 2


def test_nobody_there_is_given_up(wire: Wire) -> None:
    """Connection errors are reported, and after some in a row nothing is tried any more."""
    connections = signed_connections(wire.url)

    for _ in range(5):
        with pytest.raises(NotSentError):
            connections.request("POST", "/", {}, b"")
    before = wire.connections
    with pytest.raises(NotSentError, match="too many"):
        connections.request("POST", "/", {}, b"")

    assert wire.connections == before == 5


def test_behind_a_proxy_boto3_is_left_to_it(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is boto3's business; so is a client without credentials or signer."""
    client = aws.client("s3")
    direct = connections_of(client, aws.endpoint)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert direct is not None
    assert connections_of(client, aws.endpoint) is None
    monkeypatch.delenv("http_proxy")
    assert connections_of(object(), aws.endpoint) is None


class OnlyOurs:
    """A client that fails the test when boto3 itself is asked to write."""

    def __init__(self, client: Any) -> None:
        self.meta = client.meta
        self._request_signer = client._request_signer
        self.generate_presigned_url = client.generate_presigned_url

    def put_object_tagging(self, **_: Any) -> None:
        raise AssertionError("the tag was left to boto3")

    def update_item(self, **_: Any) -> None:
        raise AssertionError("the update was left to boto3")


def test_tags_are_set_by_our_own_requests(aws: Aws) -> None:
    """An object's tag is set without boto3."""
    key = make_row(BATCH, 0).key
    s3 = aws.client("s3")
    s3.put_object(Bucket=aws.landing, Key=key, Body=b"x")
    tags = Tags(OnlyOurs(s3), aws.landing)

    tags.mark_imported(key)

    found = s3.get_object_tagging(Bucket=aws.landing, Key=key)["TagSet"]
    assert found == [{"Key": "imported", "Value": "true"}]
    assert tags._connections is not None
    close_idle(tags._connections)


def test_the_buckets_address_is_boto3s() -> None:
    """Host and folder follow the client: virtual-hosted in a Region, path style at an endpoint."""
    made = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-west-2"}
    regional = boto3.client("s3", **made)
    emulated = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        config=Config(s3={"addressing_style": "path"}),
        **made,
    )

    addresses = [Tags(client, "bucket") for client in (regional, emulated)]

    assert addresses[0]._connections is not None
    assert addresses[0]._connections._url.netloc.startswith("bucket.s3")
    assert [tags._folder for tags in addresses] == ["/", "/bucket/"]


def test_updates_are_made_by_our_own_requests(aws: Aws) -> None:
    """An update answers as boto3's does, a failed condition with the item that stands there."""
    client = aws.client("dynamodb")
    updates = Updates(OnlyOurs(client))
    request = {
        "TableName": aws.table,
        "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}},
        "UpdateExpression": "SET n = :n",
        "ConditionExpression": "attribute_not_exists(pk)",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    first = updates.update_item(**request)
    with pytest.raises(ClientError) as caught:
        updates.update_item(**request)

    item = {"pk": {"S": "a"}, "sk": {"S": "b"}, "n": {"N": "1"}}
    response: Any = caught.value.response
    assert first["Attributes"] == item
    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Item"] == item
    assert updates._connections is not None
    close_idle(updates._connections)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 400 -\r\ncontent-length: 35\r\n\r\n" + b'{"__type":"x#ThrottlingException"}\n',
        b"HTTP/1.1 200 -\r\ncontent-length: 2\r\n\r\n[]",
        b"nonsense\r\n\r\n",
    ],
    ids=["closed", "unavailable", "throttled", "strange", "no http"],
)
def test_whatever_is_not_plain_is_left_to_boto3(wire: Wire, answer: bytes) -> None:
    """Every other answer makes boto3 repeat the call, with its own retries and errors."""
    wire.answers = [answer, ok(b"{}")]
    client = boto3.client(
        "dynamodb",
        endpoint_url=wire.url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",  # noqa: S106 - the wire asks for none
    )
    updates = Updates(client)

    response = updates.update_item(
        TableName="t", Key={"pk": {"S": "a"}}, UpdateExpression="SET n = :n"
    )
    client.close()
    assert updates._connections is not None
    close_idle(updates._connections)

    assert response["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [request.startswith(b"POST / ") for request in wire.requests] == [True, True]
