"""A multipart upload to S3: parts with their checksums, completed create-only with the whole's."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol
from xml.sax.saxutils import escape, unescape

from contract.reasons import WireReason
from receiver.ports import StoreError
from receiver.records import encode_crc64nvme
from receiver.sinks.attempts import CHECKSUM_HEADER, Outcome, raise_for

ABORT_S = 10.0
"""Time to abort; what is left, the bucket's lifecycle rule removes."""

_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_CHECKSUM = re.compile(rb"<ChecksumCRC64NVME>([^<]+)</ChecksumCRC64NVME>")
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ENTITIES = {"&quot;": '"', "&apos;": "'", "&#34;": '"'}


class Caller(Protocol):
    """What makes the requests."""

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
        """Make one request in as many attempts as it takes."""


class MultipartUpload:
    """The product's `ports.Upload` for S3; parts may be added by several threads."""

    def __init__(self, caller: Caller, key: str, created: bytes) -> None:
        """Go on from the body of CreateMultipartUpload's answer.

        Raises:
            StoreError: It names no upload.
        """
        found = _UPLOAD_ID.search(created)
        if found is None:
            raise StoreError(WireReason.STORAGE_FAILED, "no upload id")
        self._caller = caller
        self._key = key
        self._upload_id = unescape(found[1].decode(), _ENTITIES)
        self._lock = threading.Lock()
        self._parts: dict[int, tuple[str, str]] = {}

    def add_part(
        self,
        number: int,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        deadline: float,
    ) -> None:
        """Upload part `number`; repeating one is harmless, it replaces itself."""
        checksum = encode_crc64nvme(crc64nvme)
        query = {"partNumber": str(number), "uploadId": self._upload_id}
        headers = {CHECKSUM_HEADER: checksum}
        outcome = self._caller.call(
            "PUT", self._key, query, headers, body, size=size, deadline=deadline
        )
        raise_for(outcome)
        etag = outcome.response.headers.get("etag", "")
        if not etag or outcome.response.headers.get(CHECKSUM_HEADER) != checksum:
            raise StoreError(WireReason.STORAGE_FAILED, "part's checksum not confirmed")
        with self._lock:
            self._parts[number] = (etag, checksum)

    def complete(self, size: int, crc64nvme: int, deadline: float) -> None:
        """Complete.

        An answer that is lost is not asked for again: whether the object is there would have to be
        guessed from a 404 or 412. The sender repeats the instance instead, and S3 or the importer sees
        the same object twice, which is harmless.
        """
        checksum = encode_crc64nvme(crc64nvme)
        document = memoryview(self._document())
        headers = {
            "content-type": "application/xml",
            "if-none-match": "*",
            CHECKSUM_HEADER: checksum,
            "x-amz-checksum-type": "FULL_OBJECT",
            "x-amz-mp-object-size": str(size),
        }
        outcome = self._caller.call(
            "POST",
            self._key,
            {"uploadId": self._upload_id},
            headers,
            [document],
            size=len(document),
            deadline=deadline,
            repeat_if_sent=False,
        )
        raise_for(outcome)
        found = _CHECKSUM.search(outcome.response.body)
        if found is None or unescape(found[1].decode(), _ENTITIES) != checksum:
            raise StoreError(WireReason.STORAGE_FAILED, "checksum not confirmed")

    def abort(self) -> None:
        """Abort, best effort."""
        with contextlib.suppress(StoreError):
            self._caller.call(
                "DELETE",
                self._key,
                {"uploadId": self._upload_id},
                {},
                (),
                size=0,
                deadline=time.monotonic() + ABORT_S,
            )

    def _document(self) -> bytes:
        with self._lock:
            parts = sorted(self._parts.items())
        listed = "".join(
            f"<Part><ETag>{escape(etag)}</ETag><ChecksumCRC64NVME>{checksum}</ChecksumCRC64NVME>"
            f"<PartNumber>{number}</PartNumber></Part>"
            for number, (etag, checksum) in parts
        )
        xml = f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{listed}</CompleteMultipartUpload>'
        return xml.encode()
