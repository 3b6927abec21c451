"""Requests and manifests below a directory: one receiver, no ledger; what has landed is all that is known."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from contract.keys import (
    BATCHES_PREFIX,
    BatchId,
    CommitmentId,
    CommitmentObject,
    InvalidKeyError,
    batch_of_manifest_key,
    commitments_from,
)
from receiver.commitment.manifests import Manifests
from receiver.commitment.ports import LEASE_S, Known, UnavailableError
from receiver.commitment.writing import WRITE_S, write_once
from receiver.sinks.directory import DirectorySink

_LOCK = ".commitment-lock"


class DirectoryArchive:
    """The product's `ports.Archive` for `file:///directory`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sink = DirectorySink(root)

    def write(self, key: str, body: bytes, within_s: float = WRITE_S) -> bool:
        """Write a file that is synced when this returns; see `ports.Archive`."""
        return write_once(self._sink, key, body, within_s)

    def read(self, key: str) -> bytes | None:
        """Return a file's content."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnavailableError(f"read: errno {error.errno}") from error

    def commitments(self, from_hour: str) -> Iterator[tuple[CommitmentId, CommitmentObject]]:
        """List the requests since an hour."""
        top = self._root / commitments_from()
        for path in sorted(top.glob("*/*/*.json")):
            if path.parent.parent.name < from_hour:
                continue
            try:
                yield CommitmentId.parse_key(path.relative_to(self._root).as_posix())
            except InvalidKeyError:
                continue

    def batches(self) -> Iterator[BatchId]:
        """Return every sealed batch, the newest first."""
        names = sorted((p.name for p in (self._root / BATCHES_PREFIX).glob("*.json")), reverse=True)
        for name in names:
            try:
                yield batch_of_manifest_key(BATCHES_PREFIX + name)
            except InvalidKeyError:
                continue


class DirectoryRegistry:
    """The product's `ports.Registry` beside `file:///directory`."""

    def __init__(self, root: Path, archive: DirectoryArchive) -> None:
        self._archive = archive
        self._manifests = Manifests(archive.read)
        self._lock = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def known(self, uids: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """Return nothing: no import, no record."""
        del uids
        return {}

    def landed(self, uids: Iterable[str]) -> Mapping[str, str]:
        """Look through all manifests, the newest first."""
        return self._manifests.find(uids, self._archive.batches())

    def lease(self, commitment: CommitmentId, now: float) -> float:
        """Take all requests of the directory, until this process ends."""
        del commitment
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return now + LEASE_S
        except OSError as error:
            raise UnavailableError(f"flock: errno {error.errno}") from error
        return 0.0

    def release(self, commitment: CommitmentId) -> None:
        """Do nothing: the lock goes with the process."""
