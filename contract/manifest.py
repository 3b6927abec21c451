"""The batch manifest: what a sealed batch holds.

JSON, one instance a line, so that sealing is joining rows that were encoded when each was acknowledged:

    {"version":1,"batch":"...","sealed_at":...,"sealed_by":"worker","count":2,"bytes":1048576,"instances":[
    {"key":"...","sop_instance_uid":"...",...},
    {"key":"...","sop_instance_uid":"...",...}
    ]}

The count and the bytes prove that nothing was cut. Versions only ever add fields: a reader ignores
those that it does not know and refuses a newer major version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

from contract.keys import BatchId

VERSION = 1
MAX_INSTANCES = 4_000
"""Instances in a batch; a job takes at most 5,000 files, the rest is room for ambiguous PUTs."""
MAX_BYTES = 8_000_000_000
"""Bytes in a batch; a job takes at most 10 GB."""

_SEPARATORS = (",", ":")


class InvalidManifestError(ValueError):
    """The bytes are not a manifest that this version can read."""


class Sealer(StrEnum):
    """Who sealed a batch."""

    WORKER = "worker"
    REPLACEMENT = "replacement"
    """The worker that took the place of one that died, from the rows in the parent's memory file."""
    SWEEP = "sweep"
    """Sweep, from a listing, after the lease of a task that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One landed instance.

    Attributes:
        key: Its object key in the landing bucket.
        sop_instance_uid: As in the C-STORE-RQ, legal padding removed; may not conform to PS3.5 9.1.
        sop_class_uid: Affected SOP Class UID (0000,0002).
        transfer_syntax_uid: Of the presentation context it came on.
        study_instance_uid: (0020,000D), empty when the header walk ended before it.
        series_instance_uid: (0020,000E), likewise.
        size: Bytes of the object (file meta and dataset).
        crc64nvme: Of the whole object, base64 as S3 gives it in x-amz-checksum-crc64nvme.
        calling_ae_title: Of the association.
        called_ae_title: Of the association.
        peer: Sender's address (from the PROXY header where there is one).
        received_at: Unix time (s) of the acknowledgement, millisecond precision.
    """

    key: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    size: int
    crc64nvme: str
    calling_ae_title: str = ""
    called_ae_title: str = ""
    peer: str = ""
    received_at: float = 0.0

    def encode(self) -> bytes:
        """Return the row as one line of JSON, without a line end."""
        template = row_template(
            (
                self.sop_class_uid,
                self.transfer_syntax_uid,
                self.study_instance_uid,
                self.series_instance_uid,
            ),
            (self.calling_ae_title, self.called_ae_title, self.peer),
        )
        values = (self.key, self.sop_instance_uid, self.size, self.crc64nvme, self.received_at)
        return (template % tuple(map(json.dumps, values))).encode("ascii")

    @classmethod
    def decode(cls, data: Any) -> Self:
        """Read a row, ignoring fields of later versions.

        Raises:
            InvalidManifestError: A field is missing or of another type.
        """
        if not isinstance(data, dict):
            raise InvalidManifestError(f"row: {type(data).__name__} instead of an object")
        values = {name: data[name] for name in _ROW_FIELDS if name in data}
        for name, value in values.items():
            if type(value) not in _ROW_TYPES[name]:  # exactly: true is no size
                raise InvalidManifestError(f"row: {name} is {type(value).__name__}")
        try:
            return cls(**values)
        except TypeError as error:
            raise InvalidManifestError(f"row: {error}") from error


@lru_cache(maxsize=64)
def row_template(series: tuple[str, str, str, str], sender: tuple[str, str, str]) -> str:
    """Return a `Row` as one line of JSON with places (%s) for key, SOP Instance UID, size, checksum and time.

    Each is filled with JSON, a text's quotes and all. A row is made for each instance, between its last byte
    and its response: what the instances of a series have in common is written once.

    Args:
        series: SOP class, transfer syntax, Study and Series Instance UID.
        sender: Calling and called AE title, peer.
    """
    series_names = (
        "sop_class_uid",
        "transfer_syntax_uid",
        "study_instance_uid",
        "series_instance_uid",
    )
    sender_names = ("calling_ae_title", "called_ae_title", "peer")
    return (
        f'{{"key":%s,"sop_instance_uid":%s,{_inside(series_names, series)},"size":%s,'
        f'"crc64nvme":%s,{_inside(sender_names, sender)},"received_at":%s}}'
    )


def _inside(names: Sequence[str], values: Sequence[str]) -> str:
    """Return members of a JSON object, as part of a template."""
    members = dict(zip(names, values, strict=True))
    return json.dumps(members, separators=_SEPARATORS)[1:-1].replace("%", "%%")


_ROW_FIELDS = tuple(f.name for f in fields(Row))
_ROW_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_ROW_FIELDS, (str,)),
    "size": (int,),
    "received_at": (float, int),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a sealed batch holds; `rows` in the order of acknowledgement."""

    batch: BatchId
    sealed_at: float
    sealed_by: Sealer
    rows: tuple[Row, ...]

    @property
    def size(self) -> int:
        """Bytes of all instances."""
        return sum(row.size for row in self.rows)

    def encode(self) -> bytes:
        """Return the manifest's bytes."""
        return join_rows(
            batch=self.batch,
            sealed_at=self.sealed_at,
            sealed_by=self.sealed_by,
            rows=b"".join(row.encode() + b"\n" for row in self.rows),
            total_bytes=self.size,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a manifest.

        Raises:
            InvalidManifestError: Not JSON, cut short, of a newer version, or with wrong sums.
        """
        try:
            document = json.loads(data)
            _check_version(document["version"])
            manifest = cls(
                batch=BatchId.parse(document["batch"]),
                sealed_at=float(document["sealed_at"]),
                sealed_by=Sealer(document["sealed_by"]),
                rows=tuple(Row.decode(row) for row in document["instances"]),
            )
            expected = (document["count"], document["bytes"])
        except InvalidManifestError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidManifestError(f"not a manifest: {error!r}") from error
        if expected != (len(manifest.rows), manifest.size):
            raise InvalidManifestError("count or bytes do not match the rows")
        return manifest


def _check_version(version: object) -> None:
    if version != VERSION:
        raise InvalidManifestError(f"manifest version {version}, this reads {VERSION}")


def join_rows(
    *,
    batch: BatchId,
    sealed_at: float,
    sealed_by: Sealer,
    rows: bytes,
    total_bytes: int,
) -> bytes:
    """Return a manifest's bytes.

    Args:
        batch: What it seals.
        sealed_at: Unix time (s).
        sealed_by: Who seals it.
        rows: Encoded rows, a line each with its end. Of thousands nothing is made for each.
        total_bytes: Size of their instances.
    """
    head = {
        "version": VERSION,
        "batch": str(batch),
        "sealed_at": round(sealed_at, 3),
        "sealed_by": sealed_by.value,
        "count": rows.count(b"\n"),
        "bytes": total_bytes,
    }
    opening = json.dumps(head, separators=_SEPARATORS)[:-1].encode() + b',"instances":[\n'
    return b"".join((opening, rows.removesuffix(b"\n").replace(b"\n", b",\n"), b"\n]}\n"))
