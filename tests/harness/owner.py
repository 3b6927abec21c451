"""Finds and kills the process at the other end of a loopback connection."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from tests.processes import tree_of

OF_PRODUCT = ((b"-m", b"receiver"), (b"-m", b"local.function"))
"""What may be killed: parts of a product under test, never the test or the emulated services."""


def is_of_product(pid: int) -> bool:
    """Whether a process is a part of a product under test."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return tuple(words[1:3]) in OF_PRODUCT


def owner_of(port: int, server_port: int) -> int | None:
    """Return the pid of the product's process that is connected from `port` to `server_port`."""
    inode = _inode_of(port, server_port)
    if inode is None:
        return None
    wanted = f"socket:[{inode}]"
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and is_of_product(int(folder.name)):
            with contextlib.suppress(OSError):
                for entry in (folder / "fd").iterdir():
                    if str(entry.readlink()) == wanted:
                        return int(folder.name)
    return None


def kill(pid: int, *, whole_task: bool) -> None:
    """SIGKILL a process, or all of its task: then nobody is left to see it die."""
    pids = tree_of(_first_of_task(pid)) if whole_task else [pid]
    for victim in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def _first_of_task(pid: int) -> int:
    while is_of_product(parent := _parent_of(pid)):
        pid = parent
    return pid


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _inode_of(port: int, server_port: int) -> str | None:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
        if ports == [port, server_port] and fields[9] != "0":
            return fields[9]
    return None
