"""Receiving 512 KiB CT instances into memory-backed files: ours against DCMTK's and pynetdicom's storescp.

The sender is DCMTK's storescu for all of them, its time is included for all of them, and pairs are taken
in turn, so whatever else the machine does meets each side alike. A pair's receivers are started anew and
write to a directory of their own that is emptied after each run.

A virtual machine gives free pages back to its host within seconds, and the next writer waits for each of
them: so as many as the run will need are written and freed right before it.
"""

from __future__ import annotations

import os
import select
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.receivers import Start, start_dcmtk, start_ours, start_pynetdicom
from bench.row import Row
from tests.builders import write_series

INSTANCE_BYTES = 512 * 1024
ASSOCIATIONS = (1, 2, 4)
PAIRS = 5
INSTANCES = 800
"""Of each run, shared by its associations: enough for the senders' start to count for little."""
SENDER_S = 300.0


def run(*, instances: int = INSTANCES, pairs: int = PAIRS) -> list[Row]:
    """Measure; `ratio` is our speed to the peer's, above 1 is better."""
    peers = (("DCMTK storescp --fork", start_dcmtk), ("pynetdicom storescp", start_pynetdicom))
    with _memory_directory() as base:
        files = base / "files"
        files.mkdir()
        write_series(files, instances, size=INSTANCE_BYTES)
        return [
            _compare(base, peer, start, associations=associations, pairs=pairs)
            for peer, start in peers
            for associations in ASSOCIATIONS
        ]


def _compare(base: Path, peer: str, start_peer: Start, *, associations: int, pairs: int) -> Row:
    """Measure pairs of runs; the ratio is the median of the pairs' ratios."""
    ours, theirs = [], []
    files = sorted((base / "files").iterdir())
    for _ in range(pairs):
        ours.append(_speed(start_ours, base, files, associations))
        theirs.append(_speed(start_peer, base, files, associations))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    what = f"512 KiB CT to file, {associations} association{'s' * (associations > 1)}"
    return Row(
        name=what,
        value=round(statistics.median(ours), 1),
        unit="MB/s",
        peer=f"{peer} ({statistics.median(theirs):.0f} MB/s)",
        ratio=round(ratio, 2),
    )


def _speed(start: Start, base: Path, files: list[Path], associations: int) -> float:
    """Return MB/s of one run, from the first sender's start to the last one's end."""
    target = base / "target"
    target.mkdir()
    try:
        with start(target) as port:
            _warm(base / "warm", len(files))
            began = time.perf_counter()
            senders = [_send(port, files[n::associations]) for n in range(associations)]
            for sender in senders:
                if _exit_code(sender) != 0:
                    raise RuntimeError("storescu failed")
            took_s = time.perf_counter() - began
        stored = sum(1 for path in target.rglob("*") if path.is_file() and path.suffix != ".json")
        if stored < len(files):
            raise RuntimeError(f"{stored} of {len(files)} instances were stored")
    finally:
        shutil.rmtree(target)
    return sum(path.stat().st_size for path in files) / took_s / 1e6


def _send(port: int, files: list[Path]) -> subprocess.Popen[bytes]:
    command = ["storescu", "-R", "--max-pdu", "131072", "-aec", "STORESCP", "127.0.0.1", str(port)]
    return subprocess.Popen(
        [*command, *map(str, files)],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _warm(path: Path, instances: int) -> None:
    block = bytes(INSTANCE_BYTES)
    with path.open("wb", buffering=0) as file:
        for _ in range(instances + 1):
            file.write(block)
    path.unlink()


def _exit_code(sender: subprocess.Popen[bytes]) -> int:
    """Return it in the moment in which there is one: `Popen.wait` with a timeout looks every 50 ms."""
    fd = os.pidfd_open(sender.pid)
    try:
        if not select.select([fd], [], [], SENDER_S)[0]:
            sender.kill()
    finally:
        os.close(fd)
    return sender.wait()


@contextmanager
def _memory_directory() -> Iterator[Path]:
    """Lend a directory in memory, so that no disk is measured."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)
