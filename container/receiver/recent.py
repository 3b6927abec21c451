"""What was stored a moment ago, by any worker of the task: a sender's retry needs no second object.

A sender that did not hear the answer sends again, often over another association and so to another worker.
The memory is one anonymous mapping made before the first fork: sets of eight entries, each a digest of
(SOP Instance UID, size, CRC64NVME) and when it was stored. It needs no lock: a torn entry is one that nobody
looks for, and what is not found is stored again, which the import recognises.
"""

from __future__ import annotations

import mmap
import secrets
import struct
import time
from collections.abc import Callable

RECENT_S = 600.0
"""Senders try again within minutes. Who sends an image again later, perhaps because it was deleted on
purpose, must find it stored again."""
SETS = 8192
"""64 Ki instances: ten minutes at 100 a second. One that is pushed out sooner is stored again, no more."""

_WAYS = 8
_DIGEST = struct.Struct("<Qq")
_TIME = struct.Struct("<d")
_ENTRY_BYTES = _DIGEST.size + _TIME.size
_ENTRIES_BYTES = _WAYS * _ENTRY_BYTES
_SET_BYTES = _ENTRIES_BYTES + 8
"""With a byte that says which entry is the oldest."""

Entry = tuple[bytes, int]
"""A digest, and where its set begins."""


class RecentContents:
    """The memory; make it before the first fork. All methods may run in any process and thread at once.

    Attributes:
        memory: The sets; recorder.c looks and adds as these methods do.
        secret: Before each text that is hashed.
    """

    def __init__(self, sets: int = SETS, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing.

        Args:
            sets: How many; each holds eight instances.
            clock: Seconds, the same in every process.
        """
        self.memory = mmap.mmap(-1, sets * _SET_BYTES)
        self._sets = sets
        self._clock = clock
        # Nobody outside can choose instances that push others out, or that are taken for others.
        self.secret = secrets.token_hex(16)

    def entry(self, sop_instance_uid: str, size: int, crc64nvme: int) -> Entry:
        """Return under what these bytes of this instance are remembered, if they are."""
        # Python's hash of a text is keyed too, with a key that processes share by the fork.
        other = hash(f"{self.secret}{sop_instance_uid}\n{size}")
        return _DIGEST.pack(crc64nvme, other), other % self._sets * _SET_BYTES

    def holds(self, entry: Entry) -> bool:
        """Return whether it was stored, and recorded, within `RECENT_S`."""
        digest, base = entry
        at = self.memory.find(digest, base, base + _ENTRIES_BYTES)
        if at < 0 or (at - base) % _ENTRY_BYTES:
            return False
        stored_at: float = _TIME.unpack_from(self.memory, at + _DIGEST.size)[0]
        return self._clock() - stored_at < RECENT_S

    def add(self, entry: Entry) -> None:
        """Remember an instance that is durable and stands in its batch's journal."""
        digest, base = entry
        memory = self.memory
        oldest = memory[base + _ENTRIES_BYTES] % _WAYS
        memory[base + _ENTRIES_BYTES] = (oldest + 1) % _WAYS
        at = base + oldest * _ENTRY_BYTES
        # Found while it is written or not: either is right, it is stored and recorded.
        memory[at : at + _ENTRY_BYTES] = digest + _TIME.pack(self._clock())
