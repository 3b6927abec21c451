"""What is kept of a storage commitment request: JSON, each document written once.

They hold UIDs and AE titles as the manifests do, no patient data. Versions only ever add fields.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Self

from contract.keys import CommitmentId
from receiver.commitment.action import Reference

_VERSION = 1


class DocumentError(ValueError):
    """The bytes are not a document that this version can read."""


class FailureReason(IntEnum):
    """Failure Reason (0008,1197) of an instance that is not committed to (PS3.4 J.3.3.1.1, PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    """It has landed, but was not imported: quarantined, or not in time."""
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    """It was not received, as far as anybody knows."""
    CLASS_INSTANCE_CONFLICT = 0x0119
    """It was received as an instance of another SOP class."""
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    """This receiver does not take its SOP class."""
    DUPLICATE_TRANSACTION_UID = 0x0131
    """The Transaction UID was used before, for other instances."""


class Ending(StrEnum):
    """How a request ended."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    """The same request came again before it was answered; the answer went there."""
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A storage commitment request as it was accepted.

    Attributes:
        id: Ours.
        transaction_uid: The requester's.
        calling_ae_title: Whom to answer.
        called_ae_title: Whom it asked.
        peer: Its address.
        association_id: On which it came.
        requested_at: Unix time (s).
        references: What it asks about.
    """

    id: CommitmentId
    transaction_uid: str
    calling_ae_title: str
    called_ae_title: str
    peer: str
    association_id: str
    requested_at: float
    references: tuple[Reference, ...]

    @property
    def digest(self) -> str:
        """Return what tells apart two requests of one Transaction UID."""
        lines = sorted(f"{r.sop_class_uid} {r.sop_instance_uid}" for r in self.references)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def encode(self) -> bytes:
        """Return its document."""
        return _encode(
            hour=self.id.hour,
            random=self.id.random,
            transaction_uid=self.transaction_uid,
            calling_ae_title=self.calling_ae_title,
            called_ae_title=self.called_ae_title,
            peer=self.peer,
            association_id=self.association_id,
            requested_at=round(self.requested_at, 3),
            references=[[r.sop_class_uid, r.sop_instance_uid] for r in self.references],
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a document.

        Raises:
            DocumentError: It is none.
        """
        found = _decode(data)
        try:
            return cls(
                id=CommitmentId(found["hour"], found["random"]),
                references=tuple(Reference(*pair) for pair in found["references"]),
                requested_at=float(found["requested_at"]),
                **{name: str(found[name]) for name in _REQUEST_TEXTS},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DocumentError(f"not a request: {type(error).__name__}") from error


_REQUEST_TEXTS = (
    "transaction_uid", "calling_ae_title", "called_ae_title", "peer", "association_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What is answered: the references that failed, by their place, and why; all others are committed to."""

    decided_at: float
    failures: dict[int, FailureReason]

    def encode(self) -> bytes:
        """Return its document."""
        pairs = [[place, reason.value] for place, reason in sorted(self.failures.items())]
        return _encode(decided_at=round(self.decided_at, 3), failures=pairs)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a document.

        Raises:
            DocumentError: It is none.
        """
        found = _decode(data)
        try:
            failures = {int(place): FailureReason(reason) for place, reason in found["failures"]}
            return cls(float(found["decided_at"]), failures)
        except (KeyError, TypeError, ValueError) as error:
            raise DocumentError(f"not a result: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class Transaction:
    """Which request a Transaction UID was first used for, and what that one asked about."""

    request: str
    digest: str

    def encode(self) -> bytes:
        """Return its document."""
        return _encode(request=self.request, digest=self.digest)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a document.

        Raises:
            DocumentError: It is none.
        """
        found = _decode(data)
        try:
            return cls(str(found["request"]), str(found["digest"]))
        except KeyError as error:
            raise DocumentError("not a transaction") from error

    @property
    def id(self) -> CommitmentId:
        """The request's id."""
        hour, _, random = self.request.partition("-")
        return CommitmentId(hour, random)


def encode_ending(ending: Ending, at: float, **fields: object) -> bytes:
    """Return the document that ends a request."""
    return _encode(ending=ending.value, at=round(at, 3), **fields)


def _encode(**fields: object) -> bytes:
    return json.dumps({"version": _VERSION, **fields}, separators=(",", ":")).encode()


def _decode(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise DocumentError("not JSON") from error
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        raise DocumentError(f"not a document of version {_VERSION}")
    return found


def failures_of(references: Sequence[Reference], reason: FailureReason) -> dict[int, FailureReason]:
    """Return a failure of every reference."""
    return dict.fromkeys(range(len(references)), reason)
