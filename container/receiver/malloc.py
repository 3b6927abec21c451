"""The C library's heap, kept small: hundreds of short threads would leave it full of holes.

Python's own objects and the budget for datasets are not concerned. Another C library than glibc goes without.
"""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8
_ARENAS = 2

_libc = ctypes.CDLL(None)


def limit_arenas() -> None:
    """Let all threads share two arenas; by default (mallopt(3)) nearly each gets one of its own."""
    with contextlib.suppress(AttributeError):
        _libc.mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return free pages to the system (malloc_trim(3)); takes about a millisecond, without the interpreter's lock."""
    with contextlib.suppress(AttributeError):
        _libc.malloc_trim(0)
