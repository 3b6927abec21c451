"""The senders' side of the oracle: what was offered, and what was acknowledged, on disk before it counts."""

from __future__ import annotations

import os
from pathlib import Path

from tests.harness.oracle import Content


class ContentLog:
    """A file of contents, a line each, written at once; one thread or process appends to it."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        """Append to `path`.

        Args:
            path: The file; made if it is missing.
            durable: Each line is synced to the disk before `add` returns.
        """
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._durable = durable

    def add(self, content: Content) -> None:
        """Append one."""
        os.write(self._fd, f"{content[0]} {content[1]}\n".encode())
        if self._durable:
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_contents(folder: Path, pattern: str) -> set[Content]:
    """Return the contents of every log in `folder` whose name matches `pattern`."""
    return {
        (uid, digest)
        for path in sorted(folder.glob(pattern))
        for uid, _, digest in (line.partition(" ") for line in path.read_text().splitlines())
    }
