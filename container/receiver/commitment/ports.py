"""What storage commitment needs of the world: where requests are kept, and what is known of instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.keys import CommitmentId, CommitmentObject
from contract.states import InstanceState

LEASE_S = 120.0
"""A task that dies holds its requests back for so long at most."""


class UnavailableError(Exception):
    """The storage or the ledger did not answer; what was to be done is tried again."""


@dataclass(frozen=True, slots=True)
class Known:
    """One content recorded with a SOP Instance UID: its SOP class and where it is."""

    sop_class_uid: str
    state: InstanceState


class Archive(Protocol):
    """Where requests and answers are kept; every object is written once and read back as it is."""

    def write(self, key: str, body: bytes, within_s: float = ...) -> bool:
        """Write an object durably; False if there is one already.

        Raises:
            UnavailableError: It is not there, or not surely.
        """

    def read(self, key: str) -> bytes | None:
        """Return an object; None if there is none.

        Raises:
            UnavailableError: Nobody knows.
        """

    def commitments(self, from_hour: str) -> Iterator[tuple[CommitmentId, CommitmentObject]]:
        """Return what there is of all requests since an hour, in the order of their keys.

        Raises:
            UnavailableError: Nobody knows.
        """


class Registry(Protocol):
    """What is known of instances, and who answers a request."""

    def known(self, uids: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """Return the contents on record of those UIDs that have one.

        Raises:
            UnavailableError: Nobody knows.
        """

    def landed(self, uids: Iterable[str]) -> Mapping[str, str]:
        """Return the SOP class of those UIDs that are in a sealed batch without a record yet.

        Raises:
            UnavailableError: Nobody knows.
        """

    def lease(self, commitment: CommitmentId, now: float) -> float:
        """Take or renew the lease on a request; return until when (Unix s) another has it, 0 if we have.

        Raises:
            UnavailableError: Nobody knows who has it.
        """

    def release(self, commitment: CommitmentId) -> None:
        """Give a lease back, best effort; never raises."""
