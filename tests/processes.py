"""What processes use, read from /proc."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

MIB = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children; none if it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(n) for task in tasks for n in (task / "children").read_text().split()]
    except OSError:
        return []


def tree_of(pid: int) -> list[int]:
    """Return a process's pid and those of all below it."""
    return [pid, *(n for child in children_of(pid) for n in tree_of(child))]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time of `pids`, children that were waited for included."""
    total = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(value) for value in stat[11:15])
    return total / _TICKS


def thread_count(pids: Iterable[int]) -> int:
    """Return the threads of `pids`."""
    return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids)


def descriptor_count(pids: Iterable[int], *, outside: Path) -> int:
    """Return the open descriptors of `pids`, those of files and folders below `outside` left out."""
    count = 0
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += not entry.readlink().is_relative_to(outside)
    return count


def pss_bytes(pids: Iterable[int]) -> int:
    """Return the proportional set size of `pids`: shared pages are counted once."""
    return sum(_smaps_line(pid, "Pss:") for pid in pids)


def own_bytes(pids: Iterable[int]) -> int:
    """Return the memory that `pids` have written: what files they map, and who else does, left out."""
    return sum(_smaps_line(pid, name) for pid in pids for name in ("Pss_Anon:", "Pss_Shmem:"))


def _smaps_line(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no {name} of process {pid}")


class PeakMemory:
    """A context manager that watches the memory of `pids` from a thread.

    Attributes:
        peak: Largest proportional set size seen, in bytes.
    """

    def __init__(self, pids: Iterable[int], *, every_s: float = 0.2) -> None:
        self._pids = list(pids)
        self._every_s = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory")
        self.peak = pss_bytes(self._pids)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self._every_s):
            self.peak = max(self.peak, pss_bytes(self._pids))
