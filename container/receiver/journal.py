"""What a worker has acknowledged and not yet sealed, kept where its death cannot reach.

The parent makes a few memory files (memfd) for each worker slot before it forks. A worker appends one
row before each response; when it dies, the files live on in the parent, and its replacement seals the
batches from them. One file holds one open batch:

    {"batch":"<id>"}
    {row}
    {row}

A line counts when its end has been written: SIGKILL may tear the last one, whose instance was then not
acknowledged.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from contract.keys import BatchId, InvalidKeyError
from contract.manifest import InvalidManifestError, Row
from contract.reasons import WireReason
from receiver.ports import StoreError

JOURNALS_PER_WORKER = 16
"""Batches that a worker can have open or being sealed at once; each costs one descriptor."""

_READ_BYTES = 1 << 20


def make_journals(count: int = JOURNALS_PER_WORKER) -> list[int]:
    """Make the memory files of one worker slot; called by the parent, inherited by its children.

    Returns:
        File descriptors, not inherited across exec.
    """
    journals = []
    for _ in range(count):
        fd = os.memfd_create("storescp-journal")
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
        journals.append(fd)
    return journals


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal holds.

    Attributes:
        batch: The batch that was open.
        rows: Its rows, encoded, as they are joined into a manifest.
        total_bytes: Size of their instances.
        torn: Lines that do not read; at most the last one, unless memory ran out.
    """

    batch: BatchId
    rows: tuple[bytes, ...]
    total_bytes: int
    torn: int


class Journal:
    """One memory file. Not thread-safe: the landing holds its lock.

    Attributes:
        fd: Its descriptor; recorder.c appends as `append` does.
    """

    def __init__(self, fd: int) -> None:
        """Use the file that `make_journals` made; it stays open when this object goes."""
        self.fd = fd

    @property
    def is_empty(self) -> bool:
        """Whether no batch is recorded."""
        return os.fstat(self.fd).st_size == 0

    def open(self, batch: BatchId) -> None:
        """Record that `batch` is open; the journal must be empty.

        Raises:
            StoreError: There is no memory for it.
        """
        self.append(json.dumps({"batch": str(batch)}).encode())

    def append(self, row: bytes) -> None:
        """Record an instance, before it is acknowledged.

        Raises:
            StoreError: There is no memory for it: it must not be acknowledged.
        """
        line = row + b"\n"
        try:
            written = os.write(self.fd, line)
        except OSError as error:
            raise StoreError(WireReason.STORAGE_FAILED, f"journal: {error.strerror}") from error
        if written != len(line):
            # Or the next row would continue this half of one.
            os.ftruncate(self.fd, os.fstat(self.fd).st_size - written)
            raise StoreError(WireReason.STORAGE_FAILED, "journal: short write")

    def rows(self) -> bytes:
        """Return the rows of our own open batch, a line each: all are whole, and nothing is parsed."""
        content = self._content()
        # What a short write left behind its last whole row, should taking it back have failed too.
        return content[content.find(b"\n") + 1 : content.rfind(b"\n") + 1]

    def read(self) -> Recovered | None:
        """Return what is recorded; None if there is no batch (also when its line is torn)."""
        head, *lines = self._content().split(b"\n")
        batch = _batch_of(head)
        if batch is None:
            return None
        rows: list[bytes] = []
        total_bytes = torn = 0
        for line in lines:
            size = _size_of(line)
            if size is None:
                torn += bool(line)
            else:
                rows.append(line)
                total_bytes += size
        if lines and lines[-1] and rows and rows[-1] is lines[-1]:
            # Whole by chance, but its end was never written, so nobody was told.
            total_bytes -= _size_of(rows.pop()) or 0
            torn += 1
        return Recovered(batch, tuple(rows), total_bytes, torn)

    def reset(self) -> None:
        """Forget the batch: its manifest is durable, or it has no row."""
        os.ftruncate(self.fd, 0)

    def _content(self) -> bytes:
        pieces: list[bytes] = []
        offset = 0
        while piece := os.pread(self.fd, _READ_BYTES, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)


def open_journals(fds: Sequence[int]) -> list[Journal]:
    """Return the journals of this worker's slot."""
    return [Journal(fd) for fd in fds]


def _batch_of(line: bytes) -> BatchId | None:
    try:
        return BatchId.parse(json.loads(line)["batch"])
    except (ValueError, KeyError, TypeError, InvalidKeyError):
        return None


def _size_of(line: bytes) -> int | None:
    try:
        return Row.decode(json.loads(line)).size
    except (ValueError, KeyError, TypeError, AttributeError, InvalidManifestError):
        return None
