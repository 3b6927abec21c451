"""The heap in a process of its own: what a peak of small objects adds to it."""

from __future__ import annotations

import subprocess
import sys

KIB = 1024
PROGRAM = """
import os, sys
from receiver import malloc
from tests.processes import own_bytes
alive = [bytes(300) for _ in range(int(sys.argv[1]) * 1024 // 336)]
if "touched" in sys.argv:
    malloc.touch_arenas()
before = own_bytes([os.getpid()])
peak = [bytes(300) for _ in range(900 * 1024 // 336)]
print(own_bytes([os.getpid()]) - before)
"""
ALIVE_KIB = range(0, 1024, 128)
"""Objects that live when arenas are touched: so the newest arena has more or less that is free."""


def growth_bytes(alive_kib: int, *arguments: str) -> int:
    """Return what a peak of 900 KiB adds to a fresh interpreter's memory."""
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(alive_kib), *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return int(output)


def test_a_peak_of_small_objects_touches_no_new_memory() -> None:
    """However full Python's newest arena is, one more is kept; else each peak looks like a leak."""
    assert max(growth_bytes(alive, "touched") for alive in ALIVE_KIB) < 128 * KIB
    assert max(growth_bytes(alive) for alive in ALIVE_KIB) > 512 * KIB
