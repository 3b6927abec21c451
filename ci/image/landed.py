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


def landed_object(s3: Any, bucket: str) -> Landed | None:
    """Return the only object under incoming/; None if there is none or more than one."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=INCOMING_PREFIX).get("Contents", [])
    if len(found) != 1:
        return None
    key = found[0]["Key"]
    answer = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    return Landed(key, answer["Body"].read(), answer["ChecksumCRC64NVME"])


def manifest_row(s3: Any, bucket: str) -> Row | None:
    """Return the only row of the only manifest; None if there is another number."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=BATCHES_PREFIX).get("Contents", [])
    if len(found) != 1:
        return None
    content = s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()
    rows = Manifest.decode(content).rows
    return rows[0] if len(rows) == 1 else None


def dataset_bytes(part10: bytes) -> bytes:
    """Return what follows the file meta information, whose first element is its length (PS3.10 7.1)."""
    (length,) = struct.unpack_from("<I", part10, _META_LENGTH_OFFSET)
    return part10[_META_LENGTH_OFFSET + 4 + length :]
