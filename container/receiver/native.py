"""The part in C, where it was built: without it every instance goes the whole way, which is Python's.

Nothing but `IS_NATIVE`, what needs it and `Account` is here where it was not built (container/native/build.py says why).
"""

from __future__ import annotations

from dataclasses import dataclass

try:
    from receiver._native import (
        HAS_CRC64NVME,
        WINDOW_BYTES,
        Account,
        Recorder,
        StoredCounts,
        Windows,
        fill_row,
        name_file,
    )
    from receiver._native import Series as NativeSeries
except ImportError:
    IS_NATIVE = False

    class Account:  # type: ignore[no-redef]
        """What a batch counts, see `batch.Batch`."""

        admitted = pending = charged_bytes = acked = acked_bytes = 0
        touched_at = 0.0
        closing = sealing = False

else:
    IS_NATIVE = True

__all__ = [
    "HAS_CRC64NVME",
    "IS_NATIVE",
    "WINDOWS",
    "Account",
    "Files",
    "NativeSeries",
    "Recorder",
    "StoredCounts",
    "Windows",
    "fill_row",
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
        recorder: Records most of them; None where all are left to the landing.
    """

    root: int
    windows: Windows
    recorder: Recorder | None


def windows_bytes() -> int:
    """Return how much of a worker's memory the windows may take."""
    return WINDOWS * WINDOW_BYTES if IS_NATIVE else 0
