"""Runs first in a process under test (by PYTHONPATH) and does to it what its environment asks for.

The same for bare pynetdicom and for the receiver: faults that nobody can send over a socket.
"""

from __future__ import annotations

import errno
import os
import resource
import time
from pathlib import Path

FSYNC_LOG, CLOCK, DESCRIPTORS = "PROBE_FSYNC_LOG", "PROBE_CLOCK", "PROBE_DESCRIPTORS"
FULL_DISK = "PROBE_FULL_DISK"


def _count_fsyncs(log: Path) -> None:
    """Write a byte to `log` for each file made durable."""
    real = {"fsync": os.fsync, "fdatasync": os.fdatasync}

    def counted(name: str) -> object:
        def call(fd: int) -> None:
            with log.open("ab") as file:
                file.write(b".")
            real[name](fd)

        return call

    os.fsync, os.fdatasync = counted("fsync"), counted("fdatasync")  # type: ignore[assignment]  # wrapped


def _let_the_clock_step(offset: Path) -> None:
    """Add the seconds in `offset`, once it exists, to the wall clock."""
    real = time.time

    def stepped() -> float:
        return real() + (float(offset.read_text()) if offset.exists() else 0)

    time.time = stepped


def _hold_descriptors(count: int) -> None:
    """Open so many that every new one has a number above `count`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
    for _ in range(count):
        os.open(os.devnull, os.O_RDONLY)


def _fill_the_disk(sign: Path) -> None:
    """Let no byte be written to a file as long as `sign` exists."""
    real = os.pwrite

    def write(fd: int, data: bytes, offset: int) -> int:
        if sign.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data, offset)

    os.pwrite = write  # type: ignore[assignment]  # wrapped


if FULL_DISK in os.environ:
    _fill_the_disk(Path(os.environ[FULL_DISK]))
if FSYNC_LOG in os.environ:
    _count_fsyncs(Path(os.environ[FSYNC_LOG]))
if CLOCK in os.environ:
    _let_the_clock_step(Path(os.environ[CLOCK]))
if DESCRIPTORS in os.environ:
    _hold_descriptors(int(os.environ[DESCRIPTORS]))
