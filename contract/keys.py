"""The S3 key layout of the landing and results buckets, and the ids that keys are made of.

No part of a key comes from the wire: ids are random, the batch id carries its own facts. Every folder
below a batch is a valid input prefix of StartDICOMImportJob, so that redrive and bisection are one more
job on a sub-prefix and nothing is ever copied (quota: 10,000 nested folders a job).

    incoming/<hour>/<batch>/<shard>/<n>/<id>.dcm   an instance that was acknowledged (or may have been)
    batches/<batch>.json                           the manifest that seals a batch; create-only
    refused/<hour>/<id>.dcm, <id>.json             an instance refused at the wire, and why
    quarantine/<hour>/<id>.json                    a record of why an instance was not imported
    commitments/requests/<hour>/<id>/request.json  a storage commitment request, before its response;
                                     result.json   what is answered; delivered.json: that it was
    commitments/transactions/<digest>.json         which request a Transaction UID was first used for

A batch id starts with its hour, so `batches/<hour>` lists one hour of manifests.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

INCOMING_PREFIX = "incoming/"
BATCHES_PREFIX = "batches/"
REFUSED_PREFIX = "refused/"
QUARANTINE_PREFIX = "quarantine/"
COMMITMENTS_PREFIX = "commitments/"
MANIFEST_SUFFIX = ".json"
INSTANCE_SUFFIX = ".dcm"

SHARD_INSTANCES = 64
"""Instances in one shard folder: a failed job of 4,000 bisects into 63 shards, then single folders."""

MAX_LEASE_S = 6 * 3600
"""Longest lease of any batch. Until it and Sweep's margin are over, objects may still appear in an hour,
so the hour cannot be closed: an upload from a slow line began in it and is not listed before its end."""

_HOUR_FORMAT = "%Y%m%dT%H"
_BATCH = re.compile(
    r"(?P<hour>\d{8}T\d{2})-(?P<deadline>\d{10})-(?P<kind>[nbr])-(?P<random>[0-9a-f]{12})"
)
_COMMITMENT_REQUESTS = f"{COMMITMENTS_PREFIX}requests/"
_COMMITMENT_KEY = re.compile(
    rf"{_COMMITMENT_REQUESTS}(?P<hour>\d{{8}}T\d{{2}})/(?P<random>[0-9a-f]{{32}})/(?P<what>[a-z]+)\.json"
)
_INSTANCE_KEY = re.compile(
    r"incoming/(?P<hour>\d{8}T\d{2})/(?P<batch>[^/]+)/(?P<shard>\d{2})/(?P<n>\d{4})/[0-9a-f]{16}\.dcm"
)


class InvalidKeyError(ValueError):
    """A key or id is not of this layout."""


class BatchKind(StrEnum):
    """Which stream a batch belongs to."""

    NORMAL = "n"
    BULK = "b"
    """Instances stored by multipart upload: it waits for its uploads and holds nobody else."""
    RECOVERED = "r"
    """Made by Sweep from landed objects that no manifest named."""


@dataclass(frozen=True, slots=True, order=True)
class BatchId:
    """Identity of a batch: the UTC hour it was opened, its close deadline, its kind, 48 random bits.

    Attributes:
        hour: UTC hour of opening, `YYYYMMDDTHH`.
        deadline: Unix time (s) at which the lease ends: no PUT starts and nothing is acknowledged into
            the batch after it.
        kind: Normal, bulk or recovered.
        random: 12 hexadecimal digits.
        prefix: Folder of the batch's instances; ends with a slash, as an import job's prefix must. Made
            once: every instance's key starts with it.
    """

    hour: str
    deadline: int
    kind: BatchKind
    random: str
    prefix: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"{INCOMING_PREFIX}{self.hour}/{self}/")

    @classmethod
    def new(cls, *, now: float, lease_s: float, kind: BatchKind = BatchKind.NORMAL) -> Self:
        """Make an id for a batch opened at Unix time `now` whose lease lasts `lease_s` seconds."""
        return cls(hour_of(now), int(now + lease_s), kind, secrets.token_hex(6))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id back from its text.

        Raises:
            InvalidKeyError: `text` is no batch id.
        """
        match = _BATCH.fullmatch(text)
        if match is None:
            raise InvalidKeyError(f"not a batch id: {text!r}")
        return cls(match["hour"], int(match["deadline"]), BatchKind(match["kind"]), match["random"])

    def __str__(self) -> str:
        return f"{self.hour}-{self.deadline:010d}-{self.kind.value}-{self.random}"

    @property
    def manifest_key(self) -> str:
        """Key of the manifest that seals the batch."""
        return f"{BATCHES_PREFIX}{self}{MANIFEST_SUFFIX}"

    def instance_key(self, n: int) -> str:
        """Return a never-used key for the batch's instance number `n` (0..9,999)."""
        shard = n // SHARD_INSTANCES
        return f"{self.prefix}{shard:02d}/{n:04d}/{os.urandom(8).hex()}{INSTANCE_SUFFIX}"


@dataclass(frozen=True, slots=True)
class InstanceKey:
    """What the key of a landed instance says."""

    batch: BatchId
    shard: int
    n: int

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read a landing key.

        Raises:
            InvalidKeyError: `key` is not under incoming/ or not of this layout.
        """
        match = _INSTANCE_KEY.fullmatch(key)
        if match is None:
            raise InvalidKeyError(f"not the key of a landed instance: {key!r}")
        return cls(BatchId.parse(match["batch"]), int(match["shard"]), int(match["n"]))


def batch_of_manifest_key(key: str) -> BatchId:
    """Return the batch that the manifest at `key` seals.

    Raises:
        InvalidKeyError: `key` is not a manifest's.
    """
    if not (key.startswith(BATCHES_PREFIX) and key.endswith(MANIFEST_SUFFIX)):
        raise InvalidKeyError(f"not the key of a manifest: {key!r}")
    return BatchId.parse(key[len(BATCHES_PREFIX) : -len(MANIFEST_SUFFIX)])


def hour_of(now: float) -> str:
    """Return the UTC hour of Unix time `now`, `YYYYMMDDTHH`."""
    return datetime.fromtimestamp(now, UTC).strftime(_HOUR_FORMAT)


def hour_start(hour: str) -> float:
    """Return the Unix time at which `hour` starts."""
    return datetime.strptime(hour, _HOUR_FORMAT).replace(tzinfo=UTC).timestamp()


def next_hour(hour: str) -> str:
    """Return the hour after `hour`."""
    start = datetime.strptime(hour, _HOUR_FORMAT).replace(tzinfo=UTC)
    return (start + timedelta(hours=1)).strftime(_HOUR_FORMAT)


class CommitmentObject(StrEnum):
    """What is kept of a storage commitment request; each is written once."""

    REQUEST = "request"
    RESULT = "result"
    """What the requester is told; decided once, however often it is sent."""
    DELIVERED = "delivered"
    """That the requester has taken it, or that nobody tries any more."""


@dataclass(frozen=True, slots=True, order=True)
class CommitmentId:
    """Identity of a storage commitment request: the UTC hour it came in and 128 random bits."""

    hour: str
    random: str

    @classmethod
    def new(cls, now: float) -> Self:
        """Make an id that nobody has; `now` is Unix time (s)."""
        return cls(hour_of(now), secrets.token_hex(16))

    def __str__(self) -> str:
        return f"{self.hour}-{self.random}"

    def key(self, what: CommitmentObject) -> str:
        """Return the key of one of its objects."""
        return f"{commitments_from(self.hour)}/{self.random}/{what.value}.json"

    @classmethod
    def parse_key(cls, key: str) -> tuple[Self, CommitmentObject]:
        """Read the key of one of a request's objects.

        Raises:
            InvalidKeyError: `key` is none.
        """
        match = _COMMITMENT_KEY.fullmatch(key)
        if match is None or match["what"] not in tuple(CommitmentObject):
            raise InvalidKeyError(f"not a storage commitment's key: {key!r}")
        return cls(match["hour"], match["random"]), CommitmentObject(match["what"])


def commitments_from(hour: str = "") -> str:
    """Return what the keys of an hour's storage commitment requests start with; of all of them without."""
    return f"{_COMMITMENT_REQUESTS}{hour}"


def transaction_key(calling_ae_title: str, transaction_uid: str) -> str:
    """Return the key that says which request first used a Transaction UID: a digest, no text of the wire."""
    digest = hashlib.sha256(f"{calling_ae_title}\\{transaction_uid}".encode()).hexdigest()
    return f"{COMMITMENTS_PREFIX}transactions/{digest}.json"


def refused_keys(now: float) -> tuple[str, str]:
    """Return never-used keys for a refused instance's bytes and for the record of why."""
    stem = f"{REFUSED_PREFIX}{hour_of(now)}/{secrets.token_hex(16)}"
    return stem + INSTANCE_SUFFIX, stem + ".json"
