"""A layer over the emulator's S3 that keeps the promises which the receiver relies on.

moto accepts a wrong checksum and echoes none. The real service recomputes it, refuses a mismatch with
BadDigest, returns what it stored, also for the whole object of a multipart upload, and decides
If-None-Match races. PutObject, UploadPart and PutObjectTagging are served here in full, because a thousand
instances a minute through the emulator's web framework cost more than everything else together.
"""

# long: one request's way, with each check that the real S3 makes beside it.

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.s3.utils import metadata_from_headers

from local.s3 import checksums
from local.s3.listing import KeyIndex, ListRequest, list_objects
from local.s3.tagging import TaggingError, read_tagging
from local.web import Application, Environ, StartResponse, call, respond

ACCOUNT_ID = "123456789012"
PARTITION = "aws"

_LOCKS = 64
_PART = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
_UNUSUAL = ("HTTP_IF_MATCH", "HTTP_X_AMZ_COPY_SOURCE", "HTTP_X_AMZ_ACL", "HTTP_CONTENT_MD5")
"""A PutObject with one of these, a grant or a lock goes through the emulator."""


_STATUSES = {"NoSuchBucket": 404, "NoSuchKey": 404, "NoSuchUpload": 404, "AccessDenied": 403}


class RefusedError(Exception):
    """The request is answered with an S3 error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


@dataclass(slots=True)
class _Request:
    """A request for an object, in pieces."""

    environ: Environ
    bucket: str
    key: str
    query: dict[str, str]

    @classmethod
    def parse(cls, environ: Environ) -> _Request:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        bucket, _, key = path.lstrip("/").partition("/")
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        query.pop("x-id", None)  # the operation's name, sent by some SDKs
        return cls(environ, bucket, key, query)

    def header(self, name: str) -> str:
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    def body(self) -> bytes:
        stream: io.BytesIO = self.environ["wsgi.input"]
        return stream.getvalue()


_Handler = Callable[[_Request, StartResponse], Iterable[bytes]]


class S3Layer:
    """WSGI application in front of the emulator's S3."""

    def __init__(self, application: Application) -> None:
        """Wrap `application`, the emulator."""
        self._application = application
        self._index = KeyIndex()
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._uploads: dict[str, dict[int, tuple[str, int]]] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = _Request.parse(environ)
        try:
            handler = self._handler(request)
            if handler is not None:
                return handler(request, start_response)
        except RefusedError as error:
            return _refuse(start_response, request, error)
        except S3ClientError as error:
            status = _STATUSES.get(str(error.code), 400)
            refused = RefusedError(status, str(error.code), str(error.message))
            return _refuse(start_response, request, refused)
        if environ["REQUEST_METHOD"] in ("DELETE", "POST"):
            self._index.removed()
        return self._application(environ, start_response)

    @property
    def index(self) -> KeyIndex:
        """The keys of all buckets."""
        return self._index

    def _handler(self, request: _Request) -> _Handler | None:
        method, query = request.environ["REQUEST_METHOD"], request.query
        if method == "GET" and request.bucket and not request.key and query.get("list-type") == "2":
            return self._list
        if method == "PUT" and request.key and not request.header("x-amz-copy-source"):
            if not query:
                return self._put
            if set(query) == {"partNumber", "uploadId"}:
                return self._put_part
            if set(query) == {"tagging"}:
                return self._put_tags
        if method == "POST" and request.key and "uploadId" in query:
            return self._complete
        return None

    def _list(self, request: _Request, start_response: StartResponse) -> list[bytes]:
        try:
            asked = ListRequest.parse(request.query)
        except ValueError as error:
            raise RefusedError(400, "InvalidArgument", str(error)) from error
        content = list_objects(self._index, _backend().get_bucket(request.bucket), asked)
        return respond(start_response, 200, content, [("Content-Type", "application/xml")])

    def _put(self, request: _Request, start_response: StartResponse) -> Iterable[bytes]:
        algorithm, checksum, body = _verified(request)
        if _is_unusual(request.environ):
            return self._application(_with_checksum(request, algorithm, checksum), start_response)
        headers = _metadata_headers(request.environ)
        with self._creating(request):
            key = _backend().put_object(
                request.bucket,
                request.key,
                body,
                etag=hashlib.md5(body, usedforsecurity=False).hexdigest(),
                storage=request.header("x-amz-storage-class") or "STANDARD",
                encryption=request.header("x-amz-server-side-encryption") or None,
                kms_key_id=request.header("x-amz-server-side-encryption-aws-kms-key-id") or None,
                checksum_value=checksum,
            )
        key.set_metadata(metadata_from_headers(headers))
        key.checksum_algorithm = algorithm.upper()
        key.checksum_type = "FULL_OBJECT"
        tags = dict(parse_qsl(request.header("x-amz-tagging"), keep_blank_values=True))
        if tags:
            _backend().put_object_tagging(key, tags)
        answer = {name: value for name, value in key.response_dict.items() if name in _PUT_HEADERS}
        answer |= {checksums.HEADER + algorithm: checksum, "x-amz-checksum-type": "FULL_OBJECT"}
        return respond(start_response, 200, b"", answer.items())

    def _put_tags(self, request: _Request, start_response: StartResponse) -> Iterable[bytes]:
        try:
            tags = read_tagging(request.body(), request.header("content-md5"))
        except TaggingError as error:
            raise RefusedError(400, error.code, str(error)) from error
        backend = _backend()
        with self._creating(request):
            key = backend.get_object(request.bucket, request.key)
            if key is None or isinstance(key, FakeDeleteMarker):
                raise RefusedError(404, "NoSuchKey", "The specified key does not exist.")
            backend.put_object_tagging(key, tags)
        return respond(start_response, 200)

    def _put_part(self, request: _Request, start_response: StartResponse) -> Iterable[bytes]:
        algorithm, checksum, body = _verified(request)
        upload_id = request.query["uploadId"]
        bucket = _backend().get_bucket(request.bucket)
        if upload_id not in bucket.multiparts:
            raise RefusedError(404, "NoSuchUpload", "The specified upload does not exist.")
        number = int(request.query["partNumber"])
        if not 1 <= number <= 10_000:  # noqa: PLR2004 (S3's limit of parts)
            raise RefusedError(400, "InvalidArgument", "Part number must be 1 to 10000.")
        part = _backend().upload_part(request.bucket, upload_id, number, body)
        whole = checksum if algorithm == checksums.DEFAULT else checksums.compute("crc64nvme", body)
        self._uploads.setdefault(upload_id, {})[number] = (whole, len(body))
        headers = [("ETag", part.etag), (checksums.HEADER + algorithm, checksum)]
        return respond(start_response, 200, b"", headers)

    def _complete(self, request: _Request, start_response: StartResponse) -> Iterable[bytes]:
        upload_id = request.query["uploadId"]
        parts = self._uploads.get(upload_id, {})
        numbers = [int(number) for number in _PART.findall(request.body())]
        known = [parts[number] for number in numbers if number in parts]
        checksum = checksums.combine(known) if len(known) == len(numbers) else ""
        _check_whole(request, checksum, sum(size for _, size in known))
        with self._creating(request, upload_id):
            status, headers, content = call(self._application, request.environ)
        if status.startswith("200"):
            self._uploads.pop(upload_id, None)
            content = self._note_whole(request, checksum, content)
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        start_response(status, headers)
        return [content]

    def _note_whole(self, request: _Request, checksum: str, content: bytes) -> bytes:
        key = _backend().get_object(request.bucket, request.key)
        if not checksum or key is None:
            return content
        if key.checksum_algorithm is None or key.checksum_algorithm.lower() == checksums.DEFAULT:
            key.checksum_algorithm = checksums.DEFAULT.upper()
            key.checksum_value = checksum
            key.checksum_type = "FULL_OBJECT"
        element = (
            f"<ChecksumCRC64NVME>{checksum}</ChecksumCRC64NVME>"
            "<ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"
        )
        return content.replace(b"</CompleteMultipartUploadResult>", element.encode())

    @contextmanager
    def _creating(self, request: _Request, upload_id: str = "") -> Iterator[None]:
        """Hold the key's lock, and refuse if it must not exist and does.

        Completing the same upload again is no conflict: S3 answers as it did the first time.
        """
        with self._locks[hash((request.bucket, request.key)) % _LOCKS]:
            if request.header("If-None-Match") == "*":
                existing = _backend().get_object(request.bucket, request.key)
                ours = getattr(getattr(existing, "multipart", None), "id", None)
                absent = existing is None or isinstance(existing, FakeDeleteMarker)
                if not absent and (not upload_id or ours != upload_id):
                    message = "At least one of the pre-conditions you specified did not hold"
                    raise RefusedError(412, "PreconditionFailed", message)
            yield


_PUT_HEADERS = {
    "ETag",
    "x-amz-version-id",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
}


def _backend() -> Any:
    return s3_backends[ACCOUNT_ID][PARTITION]


def _verified(request: _Request) -> tuple[str, str, bytes]:
    """Return algorithm, checksum and content of an upload, the encoding undone.

    Raises:
        RefusedError: The checksum that was sent is not the content's.
    """
    body, trailers = request.body(), dict[str, str]()
    if "aws-chunked" in request.header("Content-Encoding") or request.header(
        "x-amz-content-sha256"
    ).startswith("STREAMING-"):
        try:
            body, trailers = checksums.decode_chunked(body)
        except ValueError as error:
            raise RefusedError(400, "IncompleteBody", f"aws-chunked: {error}") from error
        _replace_body(request.environ, body)
    for algorithm in checksums.ALGORITHMS:
        name = checksums.HEADER + algorithm
        sent = request.header(name) or trailers.get(name, "")
        if sent:
            computed = checksums.compute(algorithm, body)
            if sent != computed:
                message = (
                    f"The {algorithm.upper()} you specified did not match the calculated checksum."
                )
                raise RefusedError(400, "BadDigest", message)
            return algorithm, computed, body
    return checksums.DEFAULT, checksums.compute(checksums.DEFAULT, body), body


def _check_whole(request: _Request, checksum: str, size: int) -> None:
    sent = request.header("x-amz-checksum-crc64nvme")
    if sent and checksum and sent != checksum:
        message = "The CRC64NVME you specified did not match the calculated checksum."
        raise RefusedError(400, "BadDigest", message)
    sent_size = request.header("x-amz-mp-object-size")
    if sent_size and checksum and sent_size != str(size):
        message = f"The provided 'x-amz-mp-object-size' header does not match: {size} bytes."
        raise RefusedError(400, "InvalidRequest", message)


def _is_unusual(environ: Environ) -> bool:
    return any(name in environ for name in _UNUSUAL) or any(
        name.startswith(("HTTP_X_AMZ_GRANT", "HTTP_X_AMZ_OBJECT_LOCK")) for name in environ
    )


def _with_checksum(request: _Request, algorithm: str, checksum: str) -> Environ:
    environ = request.environ
    environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm.upper()
    environ[f"HTTP_X_AMZ_CHECKSUM_{algorithm.upper()}"] = checksum
    return environ


def _replace_body(environ: Environ, body: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    encodings = environ.pop("HTTP_CONTENT_ENCODING", "").split(",")
    kept = ",".join(e.strip() for e in encodings if e.strip() not in ("", "aws-chunked"))
    if kept:
        environ["HTTP_CONTENT_ENCODING"] = kept


def _metadata_headers(environ: Environ) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return headers


def _refuse(start_response: StartResponse, request: _Request, error: RefusedError) -> list[bytes]:
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        f"<Resource>{escape(request.environ['PATH_INFO'])}</Resource>"
        "<RequestId>00000000000000000000</RequestId></Error>"
    )
    headers = [("Content-Type", "application/xml")]
    return respond(start_response, error.status, document.encode(), headers)
