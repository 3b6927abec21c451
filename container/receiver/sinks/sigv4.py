"""AWS Signature Version 4 for requests whose payload is not signed.

The payload's integrity is CRC64NVME's matter: the checksum is a signed header, S3 computes it over what
arrived and refuses a difference, and TLS keeps others out. Hashing every byte again with SHA-256 would
cost a third of the receiver's speed and prove nothing more.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(Protocol):
    """Credentials at one moment."""

    access_key: str
    secret_key: str
    token: str | None


class Signer:
    """Signs requests to one host; thread-safe."""

    def __init__(self, host: str, region: str, clock: Callable[[], float] = time.time) -> None:
        """Sign for S3 in `region`.

        Args:
            host: Value of the Host header, with the port if it is not the scheme's.
            region: As in the endpoint's name.
            clock: Unix time (s).
        """
        self._host = host
        self._region = region
        self._clock = clock
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def head(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        size: int,
        keys: Keys,
    ) -> bytes:
        """Return a signed request's bytes up to the body.

        Args:
            method: GET, PUT, ...
            path: Decoded path; slashes separate.
            query: Decoded parameters.
            headers: Names in lower case, values without line ends; all of them are signed.
            size: Bytes of the body.
            keys: To sign with.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        uri = quote(path, safe="/-_.~")
        text = "&".join(
            f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items())
        )
        signed = {
            **headers,
            "host": self._host,
            "x-amz-content-sha256": UNSIGNED_PAYLOAD,
            "x-amz-date": moment,
        }
        if keys.token:
            signed["x-amz-security-token"] = keys.token
        names = sorted(signed)
        canonical = "\n".join(
            (
                method,
                uri,
                text,
                *(f"{name}:{_folded(signed[name])}" for name in names),
                "",
                ";".join(names),
                UNSIGNED_PAYLOAD,
            )
        )
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}"
        key = self._signing_key(keys.secret_key, moment[:8])
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        target = f"{uri}?{text}" if text else uri
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {signed[name]}" for name in names]
        lines.append(f"content-length: {size}")
        lines.append(
            f"authorization: {_ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def _signing_key(self, secret: str, day: str) -> bytes:
        known, key = self._key
        if known != (secret, day):
            key = hmac.digest(f"AWS4{secret}".encode(), day.encode(), "sha256")
            for step in (self._region, "s3", "aws4_request"):
                key = hmac.digest(key, step.encode(), "sha256")
            self._key = (
                (secret, day),
                key,
            )  # one assignment: a reader sees the old pair or the new
        return key


def _folded(value: str) -> str:
    """Return a header value as the signature sees it: one blank where there are several."""
    return " ".join(value.split()) if "  " in value else value
