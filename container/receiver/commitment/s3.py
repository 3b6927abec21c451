"""Requests in the landing bucket, written by the landing's own sink, read by botocore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from contract.answers import retry_cut
from contract.keys import (
    BATCHES_PREFIX,
    BatchId,
    CommitmentId,
    CommitmentObject,
    InvalidKeyError,
    batch_of_manifest_key,
    commitments_from,
)
from receiver.commitment.ports import UnavailableError
from receiver.commitment.writing import WRITE_S, write_once
from receiver.ports import Sink
from receiver.sinks.s3 import region_of

_ATTEMPTS = 3
_NO_KEY = frozenset({"NoSuchKey", "404"})


def make_client(service: str, environ: Mapping[str, str]) -> Any:
    """Make a client in the Region that `environ` names; endpoint and credentials botocore finds itself.

    Its own tries are few and short: what fails is tried again by whoever asked.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=8,
    )
    made = botocore.session.Session().create_client(
        service, region_name=region_of(environ), config=config
    )
    made.meta.events.register(
        "needs-retry", retry_cut(_ATTEMPTS, lambda url: ConnectionClosedError(endpoint_url=url))
    )
    return made


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Turn botocore's errors into `UnavailableError`; the code is kept, the message may quote names."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise UnavailableError(f"{what}: {code}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{what}: {type(error).__name__}") from error


class S3Archive:
    """The product's `ports.Archive` for `s3://bucket`."""

    def __init__(self, sink: Sink, bucket: str, client: Any) -> None:
        self._sink = sink
        self._bucket = bucket
        self._client = client

    def write(self, key: str, body: bytes, within_s: float = WRITE_S) -> bool:
        """Write an object, create-only; see `ports.Archive`."""
        return write_once(self._sink, key, body, within_s)

    def read(self, key: str) -> bytes | None:
        """Return an object."""
        with answered("GetObject"):
            try:
                response = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _NO_KEY:
                    return None
                raise
            body: bytes = response["Body"].read()
            return body

    def commitments(self, from_hour: str) -> Iterator[tuple[CommitmentId, CommitmentObject]]:
        """List the requests since an hour."""
        for key in self._keys(commitments_from(), after=commitments_from(from_hour)):
            try:
                yield CommitmentId.parse_key(key)
            except InvalidKeyError:
                continue  # an operator's own object

    def batches(self, from_hour: str) -> Iterator[BatchId]:
        """List the batches sealed since an hour."""
        for key in self._keys(BATCHES_PREFIX, after=BATCHES_PREFIX + from_hour):
            try:
                yield batch_of_manifest_key(key)
            except InvalidKeyError:
                continue

    def _keys(self, prefix: str, *, after: str) -> Iterator[str]:
        with answered("ListObjectsV2"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"]
