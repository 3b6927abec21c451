"""Instances in an S3 bucket: create-only, our checksum sent and confirmed, bounded by a deadline.

Our own PUT, because it must carry the checksum that was computed as the bytes came, must be
create-only, must not retry for longer than the sender waits, and costs an eighth of boto3's processor
time (`bench/s3_put.py`). Credentials are botocore's: the chain of a Fargate task, refreshed by it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError

from contract.reasons import WireReason
from receiver.ports import StoreError, Upload
from receiver.records import encode_crc64nvme
from receiver.sinks.attempts import (
    CHECKSUM_HEADER,
    PRECONDITION_FAILED,
    Outcome,
    attempt,
    raise_for,
)
from receiver.sinks.http import HttpPool
from receiver.sinks.multipart import MultipartUpload
from receiver.sinks.response import Response
from receiver.sinks.sigv4 import Keys, Signer

_PORTS = {"http": 80, "https": 443}


class Credentials:
    """botocore's credential chain, found again when S3 says that what it gave has expired."""

    def __init__(self) -> None:
        """Prepare; the chain is asked at the first request."""
        self._found: Any = None  # botocore has no types

    def get(self) -> Keys:
        """Return the keys to sign with now.

        Raises:
            StoreError: There are none, or they could not be refreshed.
        """
        try:
            if self._found is None:
                self._found = botocore.session.Session().get_credentials()
            if self._found is None:
                raise StoreError(WireReason.STORAGE_FAILED, "NoCredentials")
            keys: Keys = self._found.get_frozen_credentials()
        except (BotoCoreError, RuntimeError) as error:  # the latter: what it fetched has expired
            raise StoreError(WireReason.STORAGE_FAILED, type(error).__name__) from error
        return keys

    def refresh(self) -> None:
        """Forget what was found."""
        self._found = None


class S3Sink:
    """The product's `ports.Sink` for `s3://bucket`; made after fork, thread-safe."""

    def __init__(self, pool: HttpPool, signer: Signer, credentials: Credentials, root: str) -> None:
        """Use one bucket.

        Args:
            pool: Connections to its endpoint.
            signer: For that endpoint's host.
            credentials: Of the task.
            root: What stands before a key in the path: `/`, or `/bucket/` for path-style endpoints.
        """
        self._pool = pool
        self._signer = signer
        self._credentials = credentials
        self._root = root

    def put(
        self,
        key: str,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        metadata: Mapping[str, str],
        deadline: float,
    ) -> None:
        """Store one object by one PUT."""
        checksum = encode_crc64nvme(crc64nvme)
        headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
        headers |= {"if-none-match": "*", CHECKSUM_HEADER: checksum}
        outcome = self.call("PUT", key, {}, headers, body, size=size, deadline=deadline)
        if outcome.response.status == PRECONDITION_FAILED and outcome.sent_before:
            # An earlier attempt landed after all: nobody else knows this random key, and S3 would have
            # refused bytes of another checksum.
            return
        raise_for(outcome)
        if outcome.response.headers.get(CHECKSUM_HEADER) != checksum:
            raise StoreError(WireReason.STORAGE_FAILED, "checksum not confirmed")

    def start_upload(self, key: str, metadata: Mapping[str, str], deadline: float) -> Upload:
        """Start a multipart upload whose checksum is the whole object's."""
        headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
        headers |= {
            "x-amz-checksum-algorithm": "CRC64NVME",
            "x-amz-checksum-type": "FULL_OBJECT",
        }
        outcome = self.call("POST", key, {"uploads": ""}, headers, (), size=0, deadline=deadline)
        raise_for(outcome)
        return MultipartUpload(self, key, outcome.response.body)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def call(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Sequence[memoryview],
        *,
        size: int,
        deadline: float,
        repeat_if_sent: bool = True,
    ) -> Outcome:
        """Make one request on the bucket's `key`, in as many attempts as it takes.

        Raises:
            StoreError: S3 gave no answer worth having.
        """

        def exchange(until: float) -> Response:
            keys = self._credentials.get()
            path = self._root + key
            head = self._signer.head(method, path, query, headers, size=size, keys=keys)
            return self._pool.exchange(head, body, until)

        return attempt(
            exchange,
            deadline,
            refresh=self._credentials.refresh,
            repeat_if_sent=repeat_if_sent,
        )


def region_of(environ: Mapping[str, str]) -> str:
    """Return the Region that `environ` names, by either of its names; botocore knows only the second."""
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def make_s3_sink(bucket: str, environ: Mapping[str, str]) -> S3Sink:
    """Make the sink for `bucket`, at the endpoint and in the Region that `environ` names.

    AWS itself is spoken to at the bucket's own host name; an endpoint of AWS_ENDPOINT_URL_S3 or
    AWS_ENDPOINT_URL (a VPC endpoint, an emulation) by path, as is a bucket whose dots no certificate
    matches.

    Raises:
        ValueError: The endpoint is no http or https URL.
    """
    region = region_of(environ)
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    root = f"/{bucket}/"
    if not endpoint:
        endpoint = f"https://s3.{region}.amazonaws.com"
        if "." not in bucket:
            endpoint, root = f"https://{bucket}.s3.{region}.amazonaws.com", "/"
    url = urlsplit(endpoint)
    if url.scheme not in _PORTS or not url.hostname:
        raise ValueError(f"not an endpoint: {endpoint!r}")
    tls = None
    if url.scheme == "https":
        tls = ssl.create_default_context(cafile=environ.get("AWS_CA_BUNDLE") or None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
    pool = HttpPool(url.hostname, url.port or _PORTS[url.scheme], tls)
    return S3Sink(pool, Signer(url.netloc, region), Credentials(), root)
