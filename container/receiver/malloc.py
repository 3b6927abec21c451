"""The C library's heap, kept small: hundreds of short threads would leave it full of holes.

Python's own objects and the budget for datasets are not concerned. Another C library than glibc goes without.
"""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX, _ARENAS = -8, 2
_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 128 * 1024

_libc = ctypes.CDLL(None)


def keep_heap_small() -> None:
    """Let all threads share two arenas, and give each large piece back to the system as soon as it is free.

    By default (mallopt(3)) nearly each thread gets an arena of its own, and after the first manifest of
    some megabytes the next ones would come from the heap, which then stays as large.
    """
    with contextlib.suppress(AttributeError):
        _libc.mallopt(_M_ARENA_MAX, _ARENAS)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Return free pages to the system (malloc_trim(3)); takes about a millisecond, without the interpreter's lock."""
    with contextlib.suppress(AttributeError):
        _libc.malloc_trim(0)
