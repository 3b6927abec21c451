"""botocore's clients, where its own care ends: an answer that was cut within its headers is none."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from importer.adapters.clients import client
from tests.importer.test_signed import Wire

CUT = b"HTTP/1.1 200 OK\r\ncontent-le"
LISTING = b"<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>"


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


def _client(monkeypatch: pytest.MonkeyPatch, service: str, wire: Wire) -> Any:
    for name, value in {
        "AWS_ENDPOINT_URL": wire.url,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return client.__wrapped__(service)


def test_an_answer_that_was_cut_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing, an output and a query: none of them is empty for that."""
    wire = Wire([CUT, _answer(LISTING), CUT, CUT, _answer(b"line"), CUT, _answer(b'{"Count":1}')])
    s3 = _client(monkeypatch, "s3", wire)
    listed = s3.list_objects_v2(Bucket="bucket")
    read = s3.get_object(Bucket="bucket", Key="k")["Body"].read()
    counted = _client(monkeypatch, "dynamodb", wire).query(TableName="t")

    assert [found["Key"] for found in listed["Contents"]] == ["k"]
    assert read == b"line"
    assert counted["Count"] == 1
    assert len(wire.requests) == 7


def test_one_that_is_cut_each_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As any connection that does not hold; whoever asked runs again."""
    wire = Wire([CUT] * 3)
    s3 = _client(monkeypatch, "s3", wire)
    with pytest.raises(ConnectionClosedError):
        s3.list_objects_v2(Bucket="bucket")
    assert len(wire.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        _answer(b""),
    ],
)
def test_an_empty_answer_is_one(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it is."""
    wire = Wire([answer])
    listed = _client(monkeypatch, "s3", wire).list_objects_v2(Bucket="bucket")
    assert "Contents" not in listed
    assert len(wire.requests) == 1
