"""The memory that a worker's datasets in flight may use: one arena, granted in blocks.

Everything that a sender can make us hold comes from here, so the task's memory bounds it whatever 300
senders do. When it is used up, `Claim.acquire` waits: nobody reads, and TCP holds the senders back.

One claim is one instance. A share (`reserve`) is kept for the oldest open claim, so that one instance
can always be finished and returns what it holds; then the next is the oldest. Free blocks go to waiting
claims by age, oldest first, so nobody starves: a claim that comes later is always younger.

But for the oldest claim, no sender may hold more than SHARE times what is free: one that fills the
memory slowly leaves a quarter of it to others, and two of them a seventh. (A limit that follows what is
free needs to know neither how many senders there are nor what they will want: Choudhury and Hahne,
"Dynamic Queue Length Thresholds for Shared-Memory Packet Switches".)

The arena is one private anonymous mapping. Pages are touched by use only, freed blocks are reused last
in, first out (they are still in the processor's cache), and `trim` gives back to the system what a
burst needed and nothing has used since.
"""

from __future__ import annotations

import bisect
import contextlib
import mmap
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

from contract.reasons import WireReason
from receiver.ports import StoreError

BLOCK_BYTES = 256 * 1024
"""Granted at once: small enough for small images, large enough that a block costs next to nothing."""
PART_BYTES = 8 * 1024 * 1024
"""Of a multipart upload: S3 allows 10,000 parts of at least 5 MiB, so this reaches 80 GB."""
RESERVE_BYTES = 2 * PART_BYTES
"""Kept for the oldest instance: all that one PUT takes, or a part being filled and one in flight."""
MINIMUM_BYTES = 2 * RESERVE_BYTES
"""Of a worker's budget: below it the reserve would leave nothing to anybody else."""
SHARE = 3
"""Times what is free that one sender may hold."""
KEEP_BYTES = 8 * 1024 * 1024
"""Free memory that `trim` leaves warm."""

_FALLBACK_BYTES = 2 * 1024**3
_MIB = 1024**2
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # version 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # version 1
)


def worker_budget(*, memory_mib: int, workers: int) -> int:
    """Return how many bytes of datasets one worker may hold: half of the task's memory, divided.

    The other half is for interpreters, threads and socket buffers.

    Args:
        memory_mib: The task's memory; 0 to find it: the cgroup's limit, else (no limit) 2 GiB or half
            of the machine, whichever is less, so that a laptop is not filled.
        workers: Worker processes of the task, at least 1.
    """
    task = memory_mib * _MIB or _cgroup_limit() or min(_FALLBACK_BYTES, _physical_bytes() // 2)
    return max(task // 2 // workers, MINIMUM_BYTES)


def _cgroup_limit() -> int | None:
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit = int(path.read_text())  # "max" is no number: no limit
            if limit < _physical_bytes():  # version 1 says "no limit" by a number near 2**63
                return limit
    return None


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Block(NamedTuple):
    """A block of the arena."""

    number: int
    view: memoryview


@dataclass(slots=True)
class _Wanted:
    """A claim's thread that waits for one block."""

    ready: threading.Event = field(default_factory=threading.Event)
    block: Block | None = None


class Memory:
    """A worker's budget; made after fork. Thread-safe."""

    def __init__(self, budget: int) -> None:
        """Map `budget` bytes (rounded down to whole blocks); nothing is touched yet."""
        self.total_blocks = budget // BLOCK_BYTES
        self._reserve = min(RESERVE_BYTES // BLOCK_BYTES, self.total_blocks)
        self._arena = mmap.mmap(
            -1, self.total_blocks * BLOCK_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )
        self._view = memoryview(self._arena)
        self._lock = threading.Lock()
        self._warm: list[Block] = []
        self._cold = [self._slice(number) for number in range(self.total_blocks - 1, -1, -1)]
        self._idle_warm = 0
        self._ages = count()
        self._claims: dict[int, Claim] = {}
        self._held: dict[str, int] = {}
        """Blocks by sender, of those who hold any."""
        # By age. Whoever could have a block has been given it, so those that wait are in nobody's way.
        self._waiting: list[tuple[int, _Wanted]] = []
        self._closed = False

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds."""
        return len(self._warm) + len(self._cold)

    @property
    def warm_blocks(self) -> int:
        """Free blocks whose pages the system has not got back."""
        return len(self._warm)

    def claim(self, senders: tuple[str, ...] = ()) -> Claim:
        """Open a claim, younger than all others; it must be closed.

        Args:
            senders: Whose blocks it adds to.
        """
        with self._lock:
            age = next(self._ages)
            claim = Claim(self, age, senders)
            self._claims[age] = claim
            return claim

    def trim(self) -> int:
        """Give warm blocks back that were not used since the last call; return how many."""
        keep = KEEP_BYTES // BLOCK_BYTES
        with self._lock:
            surplus = max(min(self._idle_warm, len(self._warm)) - keep, 0)
            given, self._warm = self._warm[:surplus], self._warm[surplus:]
            self._idle_warm = len(self._warm)
        for block in given:  # in nobody's list meanwhile: the system call needs no lock
            self._arena.madvise(mmap.MADV_DONTNEED, block.number * BLOCK_BYTES, BLOCK_BYTES)
        if given:
            with self._lock:
                self._cold.extend(given)
                self._grant()
        return surplus

    def close(self) -> None:
        """Refuse every wait from now on, so that no thread is left behind when the worker ends."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for _, wanted in waiting:
            wanted.ready.set()

    def _acquire(self, claim: Claim) -> Block:
        with self._lock:
            if self._may_take(claim):
                return self._take(claim)
            if self._closed:
                raise StoreError(WireReason.DRAINING, "memory closed")
            wanted = _Wanted()
            bisect.insort(self._waiting, (claim.age, wanted), key=_age)
        wanted.ready.wait()
        if wanted.block is None:
            raise StoreError(WireReason.DRAINING, "memory closed")
        return wanted.block

    def _may_take(self, claim: Claim) -> bool:
        if claim is self._oldest():
            return self.free_blocks > 0
        room = self._room()
        return room > 0 and all(self._held.get(s, 0) < SHARE * room for s in claim.senders)

    def _room(self) -> int:
        """Return the free blocks that are not kept for the oldest claim."""
        return self.free_blocks - max(self._reserve - len(self._oldest().blocks), 0)

    def _oldest(self) -> Claim:
        return next(iter(self._claims.values()))

    def _take(self, claim: Claim) -> Block:
        if self._warm:
            block = self._warm.pop()
            self._idle_warm = min(self._idle_warm, len(self._warm))
        else:
            block = self._cold.pop()
        claim.blocks[block.number] = block
        for sender in claim.senders:
            self._held[sender] = self._held.get(sender, 0) + 1
        return block

    def _slice(self, number: int) -> Block:
        return Block(number, self._view[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES])

    def _grant(self) -> None:
        """Hand free blocks to waiting claims, oldest first; the lock is held."""
        sated: set[tuple[str, ...]] = set()
        n = 0
        while n < len(self._waiting):
            age, wanted = self._waiting[n]
            claim = self._claims[age]
            if claim.senders not in sated and self._may_take(claim):
                del self._waiting[n]
                wanted.block = self._take(claim)
                wanted.ready.set()
            elif self._room() <= 0:
                return  # and so no younger one may
            else:
                sated.add(claim.senders)  # it has its share; another may have a block
                n += 1

    def _release(self, claim: Claim, blocks: Iterable[Block]) -> None:
        with self._lock:
            returned = [claim.blocks.pop(block.number) for block in blocks]
            self._return(claim, returned)

    def _close(self, claim: Claim) -> None:
        with self._lock:
            self._claims.pop(claim.age, None)
            returned = list(claim.blocks.values())
            claim.blocks.clear()
            self._return(claim, returned)

    def _return(self, claim: Claim, blocks: list[Block]) -> None:
        """Take blocks back that the claim has no more; the lock is held."""
        self._warm.extend(blocks)
        if blocks:
            for sender in claim.senders:
                held = self._held[sender] - len(blocks)
                if held:
                    self._held[sender] = held
                else:
                    del self._held[sender]
        if self._waiting:
            self._grant()


def _age(waiting: tuple[int, _Wanted]) -> int:
    return waiting[0]


@dataclass(slots=True, eq=False)
class Claim:
    """The memory of one instance; used by one thread at a time, but for `release`."""

    memory: Memory
    age: int
    senders: tuple[str, ...] = ()
    blocks: dict[int, Block] = field(default_factory=dict)
    """Those held, by number."""

    def acquire(self) -> Block:
        """Return one more block; wait for it while the budget is used up.

        Raises:
            StoreError: The worker is going away.
        """
        return self.memory._acquire(self)  # noqa: SLF001 -- one class in two parts

    def release(self, blocks: Iterable[Block]) -> None:
        """Give these blocks back; nobody may use them any more."""
        self.memory._release(self, blocks)  # noqa: SLF001 -- one class in two parts

    def close(self) -> None:
        """Give back everything; may be repeated."""
        self.memory._close(self)  # noqa: SLF001 -- one class in two parts
