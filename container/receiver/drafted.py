"""One instance that the storage takes as it comes: a window of one block, whatever its size.

Where the storage can hold bytes that have no name yet (`ports.Draft`), nothing waits for the last byte:
each piece is written while it is in the processor's cache and while the sender sends the next one.
"""

from __future__ import annotations

from typing import Protocol

from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver.batch import MAX_INSTANCE_BYTES
from receiver.filemeta import file_meta
from receiver.memory import Claim
from receiver.ports import Draft, Identity, Origin, Part, StoreError
from receiver.records import Described

FLUSH_BYTES = 96 * 1024
"""Written at once at the least: a piece of a fragment is not worth a system call of its own."""


class DraftStore(Protocol):
    """What a drafted instance needs of the landing."""

    def store_draft(self, instance: Described, draft: Draft) -> bool:
        """Name a complete draft, durably, and record it; False if it is known already."""

    def keep_refused_draft(
        self, instance: Described, draft: Draft, reason: WireReason, detail: str
    ) -> None:
        """Keep the bytes of a refused instance; never raises."""


class DraftedInstance:
    """The product's `ports.Assembly` for storage that takes drafts."""

    def __init__(
        self,
        store: DraftStore,
        claim: Claim,
        draft: Draft,
        identity: Identity,
        origin: Origin,
        *,
        part: Part | None = None,
    ) -> None:
        """Start with the file meta, or with what the draft holds; waits for the window as others for memory.

        Args:
            store: The landing.
            claim: Of the window.
            draft: Where the bytes go.
            identity: What the file meta tells.
            origin: Who sends it.
            part: What has come; the draft holds the first of it.
        """
        self.identity = identity
        self.origin = origin
        self.size = 0
        """Bytes taken so far, file meta included."""
        self.crc64nvme = 0
        """Checksum of the bytes written so far: of all of them once it is to be stored."""
        self._store = store
        self._claim = claim
        self._draft = draft
        self._error: StoreError | None = None
        self._window = claim.acquire().view
        self._filled = 0
        if part is None:
            content = file_meta(
                sop_class_uid=identity.sop_class_uid,
                sop_instance_uid=identity.sop_instance_uid,
                transfer_syntax_uid=identity.transfer_syntax_uid,
            )
        else:
            content = part.held
            self.size, self.crc64nvme, self._error = part.size, part.crc64nvme, part.failure
        self._window[: len(content)] = content
        self._filled = len(content)
        self.size += len(content)
        if self._filled >= FLUSH_BYTES:  # what a part held may fill the window
            self._flush()

    def space(self, wanted: int) -> memoryview:
        """Return what the window has left."""
        if self._error is not None:
            raise self._error
        filled = self._filled
        if self.size + wanted > MAX_INSTANCE_BYTES:
            wanted = MAX_INSTANCE_BYTES - self.size
            if not wanted:
                raise StoreError(WireReason.TOO_BIG, f"above {MAX_INSTANCE_BYTES} bytes")
        return self._window[filled : filled + wanted]

    def advance(self, count: int) -> None:
        """Take the first `count` bytes of the last `space` as received."""
        self.size += count
        self._filled += count
        if self._filled >= FLUSH_BYTES:
            self._flush()

    def identify(self, identity: Identity) -> None:
        """Say that the header checks passed."""
        self.identity = identity

    def commit(self) -> bool:
        """Make the instance durable and record it in its batch."""
        try:
            self._flush()
            if self._error is not None:
                raise self._error
            return self._store.store_draft(self, self._draft)
        finally:
            self.discard()

    def refuse(self, reason: WireReason, detail: str) -> None:
        """Keep the bytes under refused/ with a record of why, then return the memory."""
        try:
            self._flush()
            self._store.keep_refused_draft(self, self._draft, reason, detail)
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget the instance, unless it has its name by now, and return the memory."""
        self._claim.close()
        self._draft.discard()

    def _flush(self) -> None:
        """Write the window out; a failure is told by the next call that may fail."""
        if not self._filled or self._error is not None:
            return
        data = self._window[: self._filled]
        self._filled = 0
        self.crc64nvme = crc64nvme(data, self.crc64nvme)
        try:
            self._draft.append(data)
        except StoreError as error:
            self._error = error
