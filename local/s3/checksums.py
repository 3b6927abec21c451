"""Object checksums as S3 computes and verifies them, and the aws-chunked encoding that can carry them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable

from awscrt import checksums as crt

HEADER = "x-amz-checksum-"
DEFAULT = "crc64nvme"
"""What S3 computes itself when the request names no algorithm."""

_COMPUTE: dict[str, Callable[[bytes], bytes]] = {
    "crc64nvme": lambda body: crt.crc64nvme(body).to_bytes(8, "big"),
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "crc32c": lambda body: crt.crc32c(body).to_bytes(4, "big"),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}
ALGORITHMS = tuple(_COMPUTE)


def compute(algorithm: str, body: bytes) -> str:
    """Return the base64 checksum of `body`; `algorithm` is one of ALGORITHMS."""
    return base64.b64encode(_COMPUTE[algorithm](body)).decode()


def combine(parts: Iterable[tuple[str, int]]) -> str:
    """Return the full-object CRC64NVME of parts given as (base64 checksum, bytes), in order."""
    total = 0
    for text, size in parts:
        total = crt.combine_crc64nvme(total, int.from_bytes(base64.b64decode(text)), size)
    return base64.b64encode(total.to_bytes(8, "big")).decode()


def decode_chunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Undo the aws-chunked encoding.

    Returns:
        The content and the trailing headers, names in lower case.

    Raises:
        ValueError: The encoding is broken.
    """
    pieces: list[memoryview] = []
    view = memoryview(body)
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        at = end + 2
        if size == 0:
            break
        pieces.append(view[at : at + size])
        at += size + 2
    trailers = {}
    for line in body[at:].split(b"\r\n"):
        name, colon, value = line.decode("ascii").partition(":")
        if colon:
            trailers[name.strip().lower()] = value.strip()
    return b"".join(pieces), trailers
