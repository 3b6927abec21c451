"""SHA256SUMS: which files a release consists of, as `sha256sum --check` reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

SUMS = "SHA256SUMS"


class ChangedError(Exception):
    """A file of the release is missing or not what its checksum says."""


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, files: Iterable[Path]) -> Path:
    """Write the sums of `files`, which lie in `folder`, sorted by name."""
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    target = folder / SUMS
    target.write_text("".join(f"{sha256(folder / name)}  {name}\n" for name in names))
    return target


def read_sums(folder: Path) -> dict[str, str]:
    """Return the sum by name, after comparing each with its file.

    Raises:
        ChangedError: One differs, or there are no sums.
    """
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except FileNotFoundError:
        raise ChangedError(f"{folder / SUMS} is missing: run `make dist`") from None
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name, digest in sums.items():
        path = folder / name
        if not path.is_file() or sha256(path) != digest:
            raise ChangedError(f"{path} is not what {SUMS} says: run `make dist`")
    return sums
