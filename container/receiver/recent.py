"""What was stored a moment ago, by any worker of the task: a sender's retry needs no second object.

A sender that did not hear the answer sends again, often over another association and so to another worker.
The memory is one anonymous mapping made before the first fork: sets of eight entries, each a keyed digest of
(SOP Instance UID, size, CRC64NVME) and when it was stored. It needs no lock: a torn entry is one that nobody
looks for, and what is not found is stored again, which the import recognises.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable

RECENT_S = 600.0
"""Senders try again within minutes. Who sends an image again later, perhaps because it was deleted on
purpose, must find it stored again."""
SETS = 8192
"""64 Ki instances: ten minutes at 100 a second. One that is pushed out sooner is stored again, no more."""

_WAYS = 8
_DIGEST_BYTES = 16
_TIMES = struct.Struct(f"<{_WAYS}d")
_TIME = struct.Struct("<d")
_DIGESTS_BYTES = _WAYS * _DIGEST_BYTES
_SET_BYTES = _DIGESTS_BYTES + _TIMES.size

Entry = tuple[bytes, int]
"""A digest, and where its set begins."""


class RecentContents:
    """The memory; make it before the first fork. All methods may run in any process and thread at once."""

    def __init__(self, sets: int = SETS, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing.

        Args:
            sets: How many; each holds eight instances.
            clock: Seconds, the same in every process.
        """
        self._memory = mmap.mmap(-1, sets * _SET_BYTES)
        self._sets = sets
        self._clock = clock
        # Nobody outside can choose instances that push others out.
        self._key = os.urandom(16)

    def entry(self, sop_instance_uid: str, size: int, crc64nvme: int) -> Entry:
        """Return under what these bytes of this instance are remembered, if they are."""
        content = f"{sop_instance_uid}\n{size}\n{crc64nvme}".encode()
        digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=self._key).digest()
        return digest, int.from_bytes(digest[:4], "little") % self._sets * _SET_BYTES

    def holds(self, entry: Entry) -> bool:
        """Return whether it was stored, and recorded, within `RECENT_S`."""
        digest, base = entry
        at = self._memory.find(digest, base, base + _DIGESTS_BYTES)
        if at < 0 or (at - base) % _DIGEST_BYTES:
            return False
        way = (at - base) // _DIGEST_BYTES
        stored_at: float = _TIME.unpack_from(
            self._memory, base + _DIGESTS_BYTES + way * _TIME.size
        )[0]
        return self._clock() - stored_at < RECENT_S

    def add(self, entry: Entry) -> None:
        """Remember an instance that is durable and stands in its batch's journal."""
        digest, base = entry
        times = _TIMES.unpack_from(self._memory, base + _DIGESTS_BYTES)
        way = times.index(min(times))
        at = base + way * _DIGEST_BYTES
        # Found between the two or not: either is right, it is stored and recorded.
        self._memory[at : at + _DIGEST_BYTES] = digest
        _TIME.pack_into(self._memory, base + _DIGESTS_BYTES + way * _TIME.size, self._clock())
