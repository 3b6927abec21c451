"""The part in C, where it was built: without it every instance goes the whole way, which is Python's.

Nothing but `IS_NATIVE` and what needs it is here where it was not built (container/native/build.py says why).
"""

from __future__ import annotations

from dataclasses import dataclass

try:
    from receiver._native import (
        HAS_CRC64NVME,
        WINDOW_BYTES,
        Windows,
        count_stored,
        fill_row,
        name_file,
    )
    from receiver._native import Series as NativeSeries
except ImportError:
    IS_NATIVE = False
else:
    IS_NATIVE = True

__all__ = [
    "HAS_CRC64NVME",
    "IS_NATIVE",
    "WINDOWS",
    "Files",
    "NativeSeries",
    "count_stored",
    "fill_row",
    "make_files",
    "name_file",
    "windows_bytes",
]

WINDOWS = 16
"""Of a worker: so many instances come by the part in C at once, the next ones go the whole way."""


@dataclass(frozen=True, slots=True)
class Files:
    """What the part in C needs to receive into files.

    Attributes:
        root: Descriptor of a directory on their file system.
        windows: The memory through which they go.
    """

    root: int
    windows: Windows


def make_files(root: int) -> Files | None:
    """Return what it needs to write below `root`; None where there is no part in C."""
    return Files(root, Windows(WINDOWS)) if IS_NATIVE else None


def windows_bytes() -> int:
    """Return how much of a worker's memory the windows may take."""
    return WINDOWS * WINDOW_BYTES if IS_NATIVE else 0
