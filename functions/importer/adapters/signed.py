"""Small signed requests on kept connections: what boto3 does for 2 ms of processor time, for a quarter.

Recording a batch is thousands of the same two calls. They are made here; whatever is not plainly a success
or a failed condition is left to boto3 by the caller, which repeats the call with its own retries. So
nothing here has to know errors, and every call that is made here must bear being made twice.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
import time
import urllib.request
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
_GIVE_UP_AFTER = 5
"""Connection errors in a row after which boto3 alone is used: something stands between."""
_ALGORITHM = "AWS4-HMAC-SHA256"


class NotSentError(Exception):
    """Ask boto3: the request could not be made here."""


class SignedConnections:
    """Signed requests to one endpoint of one service; thread-safe.

    Args:
        url: Scheme, host and port.
        service: Signing name.
        region: AWS Region.
        credentials: Returns access key, secret key and session token (empty for none), fresh ones.
        clock: Unix time (s).
    """

    def __init__(
        self,
        url: str,
        *,
        service: str,
        region: str,
        credentials: Callable[[], tuple[str, str, str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = urlsplit(url)
        self._scope = f"{region}/{service}/aws4_request"
        self._names = (region, service, "aws4_request")
        self._credentials = credentials
        self._clock = clock
        self._idle: deque[http.client.HTTPConnection] = deque()
        weakref.finalize(self, _close, self._idle)
        self._failures = 0
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Make a request and return status and body.

        Args:
            method: HTTP method.
            path: Encoded as it is signed, with the query (`?tagging=`) in canonical form.
            headers: All are signed; lower-case names.
            body: Sent and hashed whole.

        Raises:
            NotSentError: No answer came; the request may have been served.
        """
        if self._failures >= _GIVE_UP_AFTER:
            raise NotSentError("too many connection errors")
        signed = self._sign(method, path, headers, hashlib.sha256(body).hexdigest())
        for _ in range(2):  # a kept connection may have been closed by the other side
            try:
                connection, is_fresh = self._idle.pop(), False
            except IndexError:
                connection, is_fresh = self._connect(), True
            try:
                connection.request(method, path, body=body, headers=signed)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_fresh:
                    self._failures += 1
                    raise NotSentError(type(error).__name__) from error
                continue
            self._failures = 0
            if response.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            return response.status, content
        raise NotSentError("kept connections were closed")

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._url.hostname), self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_S, context=_tls_context()
            )
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _sign(
        self, method: str, path: str, headers: Mapping[str, str], digest: str
    ) -> dict[str, str]:
        """Return the headers with a Signature Version 4 (AWS General Reference, "Signing")."""
        access_key, secret_key, token = self._credentials()
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        signed = {
            **headers,
            "host": self._url.netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": moment,
        }
        if token:
            signed["x-amz-security-token"] = token
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        bare, _, query = path.partition("?")
        canonical = f"{method}\n{bare}\n{query}\n{lines}\n{names}\n{digest}"
        scope = f"{moment[:8]}/{self._scope}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashed}"
        key = self._signing_key(secret_key, moment[:8])
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _signing_key(self, secret_key: str, day: str) -> bytes:
        known, key = self._key
        if known == (secret_key, day):
            return key
        key = ("AWS4" + secret_key).encode()
        for name in (day, *self._names):
            key = hmac.digest(key, name.encode(), "sha256")
        self._key = ((secret_key, day), key)
        return key


def connections_of(client: Any, url: str) -> SignedConnections | None:
    """Return connections that sign as a boto3 client does; None where only boto3 itself will do.

    Args:
        client: Of the service.
        url: Where its requests go.
    """
    if urllib.request.getproxies().get(urlsplit(url).scheme):
        return None
    try:
        signer = client._request_signer  # noqa: SLF001 - the one place where a client keeps its credentials
        name, region, credentials = signer.signing_name, signer.region_name, signer._credentials  # noqa: SLF001 - likewise
    except AttributeError:
        return None
    if credentials is None:
        return None

    def fresh() -> tuple[str, str, str]:
        frozen = credentials.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token or ""

    return SignedConnections(url, service=name, region=region, credentials=fresh)


def _close(idle: deque[http.client.HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _tls_context() -> ssl.SSLContext:
    from botocore.httpsession import get_cert_path  # noqa: PLC0415 - part of boto3, see clients.py

    context = _TLS.get("context")
    if context is None:
        context = _TLS["context"] = ssl.create_default_context(cafile=get_cert_path(verify=True))
    return context


_TLS: dict[str, ssl.SSLContext] = {}
