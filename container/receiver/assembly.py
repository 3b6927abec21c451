"""One instance while it is received: its blocks, its checksum, and the way to durable.

Up to `SINGLE_PUT_BYTES` it stays in memory and is stored by one PUT at its end. Above that it becomes a
multipart upload, so memory stays at three parts: two in flight and one being filled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver.batch import MAX_INSTANCE_BYTES
from receiver.filemeta import file_meta
from receiver.memory import BLOCK_BYTES, PART_BYTES, Block, Claim
from receiver.ports import Identity, Origin, StoreError
from receiver.uploads import PartsInFlight

SINGLE_PUT_BYTES = 2 * PART_BYTES
"""Largest object that is stored by one PUT; as much as the memory's reserve for one instance."""

_PART_BLOCKS = PART_BYTES // BLOCK_BYTES


class Store(Protocol):
    """What an assembly needs of the landing."""

    def store(self, instance: Instance, body: Sequence[memoryview]) -> bool:
        """Make a complete instance durable and record it; False if it is known already."""

    def start_upload(self, instance: Instance, bytes_per_s: float) -> PartsInFlight:
        """Start the upload of an instance that came at this pace so far."""

    def finish_upload(self, instance: Instance, upload: PartsInFlight) -> bool:
        """Complete an upload and record it; False if the instance is known already."""

    def keep_refused(
        self, instance: Instance, body: Sequence[memoryview], reason: WireReason, detail: str
    ) -> None:
        """Keep the bytes of a refused instance; never raises."""


class Instance:
    """The product's `ports.Assembly`."""

    def __init__(self, store: Store, claim: Claim, identity: Identity, origin: Origin) -> None:
        """Start with the file meta, which waits for memory as any other bytes do."""
        self.identity = identity
        self.origin = origin
        self._store = store
        self.claim = claim
        self._blocks: list[Block] = []
        self._filled = 0
        """Bytes in `_blocks`; those of shipped parts are not counted."""
        self._shipped = 0
        self._checked_blocks = 0
        self._crc = 0
        self._identified = False
        self._upload: PartsInFlight | None = None
        self._started_at = time.monotonic()
        self._write(
            file_meta(
                sop_class_uid=identity.sop_class_uid,
                sop_instance_uid=identity.sop_instance_uid,
                transfer_syntax_uid=identity.transfer_syntax_uid,
            )
        )

    @property
    def size(self) -> int:
        """Bytes taken so far, file meta included."""
        return self._shipped + self._filled

    @property
    def crc64nvme(self) -> int:
        """Checksum of the bytes taken so far."""
        crc = self._crc
        tail = self._filled - self._checked_blocks * BLOCK_BYTES
        if tail:
            crc = crc64nvme(self._blocks[self._checked_blocks].view[:tail], crc)
        return crc

    def space(self, wanted: int) -> memoryview:
        """Return writable memory for the next bytes: what is left of a block."""
        if self._upload is not None:
            self._upload.check()
        if self.size + wanted > MAX_INSTANCE_BYTES:
            wanted = MAX_INSTANCE_BYTES - self.size
            if wanted == 0:
                raise StoreError(WireReason.TOO_BIG, f"above {MAX_INSTANCE_BYTES} bytes")
        limit = SINGLE_PUT_BYTES if self._upload is None else PART_BYTES
        if self._filled == limit:
            self._ship_full()
            limit = PART_BYTES
        index, offset = divmod(self._filled, BLOCK_BYTES)
        if index == len(self._blocks):
            self._blocks.append(self.claim.acquire())
        end = offset + min(wanted, limit - self._filled)
        return self._blocks[index].view[offset:end]

    def advance(self, count: int) -> None:
        """Take the first `count` bytes of the last `space` as received."""
        self._filled += count
        while (self._checked_blocks + 1) * BLOCK_BYTES <= self._filled:
            # Block by block: it is still in the processor's cache, and the calls are few.
            self._crc = crc64nvme(self._blocks[self._checked_blocks].view, self._crc)
            self._checked_blocks += 1

    def identify(self, identity: Identity) -> None:
        """Say that the header checks passed."""
        self.identity = identity
        self._identified = True

    def commit(self) -> bool:
        """Make the instance durable and record it in its batch; False if it is known already."""
        if self._upload is None:
            try:
                return self._store.store(self, self._body())
            finally:
                self._end()
        is_new = False
        try:
            if self._filled:
                self._ship(self._blocks[: -(-self._filled // BLOCK_BYTES)], self._filled)
            is_new = self._store.finish_upload(self, self._upload)
        finally:
            if is_new:
                self._end()
            else:
                self._upload.abandon()  # returns the memory after the last part
        return is_new

    def refuse(self, reason: WireReason, detail: str) -> None:
        """Keep the bytes under refused/ with a record of why, then return the memory."""
        if self._upload is None:
            try:
                self._store.keep_refused(self, self._body(), reason, detail)
            finally:
                self._end()
            return
        # Its blocks are in use by parts in flight: the upload returns them after the last.
        self._store.keep_refused(self, (), reason, detail)
        self._upload.abandon()

    def discard(self) -> None:
        """Forget the instance and return the memory."""
        if self._upload is None:
            self._end()
        else:
            self._upload.abandon()

    def _write(self, data: bytes) -> None:
        view = self.space(len(data))
        view[: len(data)] = data
        self.advance(len(data))

    def _body(self) -> list[memoryview]:
        whole, tail = divmod(self._filled, BLOCK_BYTES)
        views = [block.view for block in self._blocks[:whole]]
        if tail:
            views.append(self._blocks[whole].view[:tail])
        return views

    def _ship_full(self) -> None:
        if self._upload is None:
            if not self._identified:
                raise StoreError(
                    WireReason.TOO_BIG, f"header checks not passed in {SINGLE_PUT_BYTES} bytes"
                )
            elapsed = max(time.monotonic() - self._started_at, 1e-6)
            self._upload = self._store.start_upload(self, self._filled / elapsed)
            self._ship(self._blocks[:_PART_BLOCKS], PART_BYTES)
        self._ship(self._blocks[:_PART_BLOCKS], PART_BYTES)

    def _ship(self, blocks: list[Block], size: int) -> None:
        """Hand blocks to the upload, which returns them; waits while two parts are in flight."""
        if self._upload is None:
            raise AssertionError
        crc = self.crc64nvme if size == self._filled else self._crc
        self._upload.add(blocks, size)
        self._crc = crc
        self._shipped += size
        self._filled -= size
        self._blocks = self._blocks[len(blocks) :]
        self._checked_blocks = self._filled // BLOCK_BYTES

    def _end(self) -> None:
        self._blocks = []
        self.claim.close()
