"""The heap, kept small and flat: hundreds of short threads would leave it full of holes.

The budget for datasets is not concerned. Another C library than glibc goes without its part.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys

_M_ARENA_MAX, _ARENAS = -8, 1
_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 128 * 1024

_SMALL_BYTES = 512
"""Larger objects come from the C library."""
_ARENA_BYTES = 1 << 20
_kept: list[bytes] = []

_libc = ctypes.CDLL(None)


def keep_heap_small() -> None:
    """Let all threads share one arena, and give each large piece back to the system as soon as it is free.

    By default (mallopt(3)) nearly each thread gets an arena of its own, and after the first manifest of
    some megabytes the next ones would come from the heap, which then stays as large. One arena is full of
    holes from the start, which the threads' small pieces fit in; the interpreter's lock keeps them apart.
    """
    with contextlib.suppress(AttributeError):
        _libc.mallopt(_M_ARENA_MAX, _ARENAS)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def touch_arenas() -> None:
    """Use all of the arenas that Python has for small objects once; call it after fork.

    A page of them is first used when more objects are alive than ever before, so a peak of the load in the
    first hours adds some, which looks like a leak and is none. One arena is kept for such peaks.
    """
    in_arena = _ARENA_BYTES // _SMALL_BYTES
    content = _SMALL_BYTES - sys.getsizeof(b"")
    # More than is free in them at the start, and one arena.
    objects = [bytes(content) for _ in range(4 * in_arena)]
    # The newest arena is touched as far as the last object, the one before it in full.
    _kept[:] = [objects[-in_arena]]


def give_back() -> None:
    """Return free pages to the system (malloc_trim(3)); takes about a millisecond, without the interpreter's lock."""
    with contextlib.suppress(AttributeError):
        _libc.malloc_trim(0)
