"""Signatures, compared with botocore's own signer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from receiver.sinks import sigv4
from receiver.sinks.sigv4 import Signer

NOW = 1_800_000_000.0


class UnsignedPayload(auth.S3SigV4Auth):  # type: ignore[misc]
    """botocore's signer, told what it otherwise decides by the client's configuration."""

    def payload(self, request: AWSRequest) -> str:
        """Return what is signed in place of the payload's hash."""
        del request
        return sigv4.UNSIGNED_PAYLOAD


def _botocore(
    method: str, url: str, params: dict[str, str], headers: dict[str, str], token: str | None
) -> str:
    request = AWSRequest(method=method, url=url, params=params, headers=headers)
    request.context["timestamp"] = datetime.fromtimestamp(NOW, UTC).strftime("%Y%m%dT%H%M%SZ")
    keys = ReadOnlyCredentials("AKIDEXAMPLE", "secret", token)
    UnsignedPayload(keys, "s3", "eu-west-1").add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@pytest.mark.parametrize("token", [None, "a/session+token=="], ids=["static", "session"])
@pytest.mark.parametrize(
    ("method", "path", "query", "headers"),
    [
        ("PUT", "/incoming/20261123T22/b-1/00/0000/ab.dcm", {}, {"if-none-match": "*"}),
        ("PUT", "/k", {"partNumber": "3", "uploadId": "a&b/=+~ c"}, {"x-amz-meta-a": "MY  CT 1"}),
        ("POST", "/k", {"uploads": ""}, {"x-amz-checksum-type": "FULL_OBJECT"}),
    ],
    ids=["put", "part", "create"],
)
def test_the_signature_is_botocores(  # noqa: PLR0917 -- pytest gives them by name
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    token: str | None,
) -> None:
    """For the same request at the same second, byte for byte."""
    moment = datetime.fromtimestamp(NOW, UTC)
    monkeypatch.setattr(auth, "get_current_datetime", lambda **_: moment, raising=False)
    keys: Any = ReadOnlyCredentials("AKIDEXAMPLE", "secret", token)
    host = "bucket.s3.eu-west-1.amazonaws.com"
    signer = Signer(host, "eu-west-1", clock=lambda: NOW)
    head = signer.head(method, path, query, headers, size=5, keys=keys).decode()
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    expected = _botocore(method, f"https://{host}{path}", query, headers, token)

    assert expected == lines["authorization"]
    assert sigv4.UNSIGNED_PAYLOAD == lines["x-amz-content-sha256"]
    assert "5" == lines["content-length"]


def test_the_key_follows_the_day_and_the_secret() -> None:
    """A cached signing key is used for its day and its credentials only."""
    now = [NOW]
    signer = Signer("h", "eu-west-1", clock=lambda: now[0])

    def sign(secret: str) -> bytes:
        keys: Any = ReadOnlyCredentials("AKID", secret, None)
        return signer.head("PUT", "/k", {}, {}, size=0, keys=keys)

    first = sign("one")
    assert sign("two") != first
    assert sign("one") == first
    now[0] += 86_400
    assert b"20270116" in sign("one")
