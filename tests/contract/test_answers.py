"""Answers that were cut within their headers: whoever reads from AWS has them asked for again."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from importer.adapters.clients import client
from importer.preflight.adapters.clients import _client as preflight_client
from receiver.commitment.s3 import make_client
from tests.answering import Wire, answering, ok

CUT = b"HTTP/1.1 200 OK\r\ncontent-le"
LISTING = ok(b"<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>")

Make = Callable[[str], Any]
MAKERS: dict[str, tuple[Make, int]] = {
    "functions": (client.__wrapped__, 5),
    "functions, one try": (lambda service: client.__wrapped__(service, attempts=1), 1),
    "preflight": (preflight_client.__wrapped__, 4),
    "committer": (lambda service: make_client(service, os.environ), 3),
}


def _environment(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": wire.url,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("maker", [name for name, (_, tries) in MAKERS.items() if tries > 1])
def test_an_answer_that_was_cut_is_asked_for_again(
    maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing, an output and a query: none of them is empty for that."""
    make, _ = MAKERS[maker]
    with answering(CUT, LISTING, CUT, CUT, ok(b"line"), CUT, ok(b'{"Count":1}')) as wire:
        _environment(monkeypatch, wire)
        s3 = make("s3")
        listed = s3.list_objects_v2(Bucket="bucket")
        read = s3.get_object(Bucket="bucket", Key="k")["Body"].read()
        counted = make("dynamodb").query(TableName="t")

    assert [found["Key"] for found in listed["Contents"]] == ["k"]
    assert read == b"line"
    assert counted["Count"] == 1
    assert len(wire.requests) == 7


@pytest.mark.parametrize("maker", MAKERS)
def test_one_that_is_cut_each_time_is_an_error(maker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as many tries as the client has for any failure; whoever asked runs again."""
    make, tries = MAKERS[maker]
    with answering(*[CUT] * 9) as wire:
        _environment(monkeypatch, wire)
        with pytest.raises(ConnectionClosedError):
            make("s3").list_objects_v2(Bucket="bucket")
    assert len(wire.requests) == tries


@pytest.mark.parametrize(
    "answer",
    [ok(), b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
)
def test_an_empty_answer_is_one(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it is; one to HEAD says how long the other would be, or nothing."""
    with answering(answer, b"HTTP/1.1 200 OK\r\n\r\n") as wire:
        _environment(monkeypatch, wire)
        s3 = client.__wrapped__("s3")
        listed = s3.list_objects_v2(Bucket="bucket")
        s3.head_object(Bucket="bucket", Key="k")
    assert "Contents" not in listed
    assert len(wire.requests) == 2
