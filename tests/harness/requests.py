"""Names a request to AWS, and makes each service's way of saying no."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from local.gateway import signing_name
from local.web import Environ

_OF_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_BY_QUERY = {
    ("PUT", "partNumber"): "UploadPart",
    ("PUT", "tagging"): "PutObjectTagging",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "list-type"): "ListObjectsV2",
}


@dataclass(frozen=True, slots=True)
class Name:
    """What a request is: service, API action, S3 key."""

    service: str
    operation: str
    key: str = ""


def name_of(environ: Environ) -> Name:
    """Return the request's name."""
    service = signing_name(environ)
    if service == "s3":
        return _s3(environ)
    if service == "medical-imaging":
        action = str(environ["PATH_INFO"]).lstrip("/").partition("/")[0]
        return Name(service, action[:1].upper() + action[1:])
    return Name(service, str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2])


def _s3(environ: Environ) -> Name:
    method = environ["REQUEST_METHOD"]
    key = str(environ["PATH_INFO"]).lstrip("/").partition("/")[2]
    asked = {name for name, _ in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)}
    for (wanted, parameter), operation in _BY_QUERY.items():
        if method == wanted and parameter in asked:
            return Name("s3", operation, key)
    return Name("s3", _OF_OBJECT.get(str(method), "Other") if key else f"{method} bucket", key)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the service writes it."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


def refusal(service: str, code: str, status: int) -> Refusal:
    """Return the error `code` of `service`; its usual word for "not now" if `code` is empty."""
    if service == "s3":
        code = code or "SlowDown"
        text = f"<Error><Code>{escape(code)}</Code><Message>refused</Message></Error>"
        return Refusal(status, [("Content-Type", "application/xml")], text.encode())
    code = code or "ThrottlingException"
    body = {"message": "refused", "Message": "refused"}
    if service == "medical-imaging":
        headers = [("Content-Type", "application/json"), ("x-amzn-errortype", code)]
        return Refusal(status, headers, json.dumps(body).encode())
    namespace = "com.amazonaws.dynamodb.v20120810" if service == "dynamodb" else "com.amazonaws.sqs"
    headers = [("Content-Type", "application/x-amz-json-1.0")]
    document = {"__type": f"{namespace}#{code}", **body}
    return Refusal(status, headers, json.dumps(document).encode())
