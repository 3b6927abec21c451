"""What the receiver put into the landing bucket."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from contract.keys import BATCHES_PREFIX, INCOMING_PREFIX
from contract.manifest import Manifest, Row

_META_LENGTH_OFFSET = 128 + 4 + 8
"""Preamble, prefix, and the tag, VR and length of (0002,0000)."""


@dataclass(frozen=True, slots=True)
class Landed:
    """One object: its key, bytes and the checksum that S3 holds."""

    key: str
    content: bytes
    crc64nvme: str


def landed_objects(s3: Any, bucket: str) -> list[Landed]:
    """Return the objects under incoming/."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=INCOMING_PREFIX).get("Contents", [])
    return [_read(s3, bucket, item["Key"]) for item in found]


def manifest_rows(s3: Any, bucket: str) -> list[Row]:
    """Return the rows of all manifests."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=BATCHES_PREFIX).get("Contents", [])
    contents = [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found]
    return [row for content in contents for row in Manifest.decode(content).rows]


def _read(s3: Any, bucket: str, key: str) -> Landed:
    answer = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    return Landed(key, answer["Body"].read(), answer["ChecksumCRC64NVME"])


def dataset_bytes(part10: bytes) -> bytes:
    """Return what follows the file meta information, whose first element is its length (PS3.10 7.1)."""
    (length,) = struct.unpack_from("<I", part10, _META_LENGTH_OFFSET)
    return part10[_META_LENGTH_OFFSET + 4 + length :]
