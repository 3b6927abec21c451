"""The parts of one multipart upload on their way: at most two at a time, each on a thread of its own.

A thread per part, not a pool: 8 MiB take far longer than a thread's start, nothing idles between
giants, and a stuck part holds up nobody else's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver.batch import Ticket
from receiver.memory import BLOCK_BYTES, Block, Claim
from receiver.ports import StoreError, Upload

PARTS_IN_FLIGHT = 2


class PartsInFlight:
    """An upload that has started; used by one thread at a time beside its own."""

    def __init__(
        self,
        upload: Upload,
        ticket: Ticket,
        claim: Claim,
        *,
        part_deadline_s: float,
        may_start: Callable[[], bool],
        given_up: Callable[[], None],
    ) -> None:
        """Prepare; no part is sent yet.

        Args:
            upload: What the sink started.
            ticket: Its place in its batch.
            claim: The instance's memory.
            part_deadline_s: Time for all attempts of one part.
            may_start: Whether the batch's lease still allows a PUT to start.
            given_up: Called once after `abandon`, when nothing is on its way any more.
        """
        self.upload: Final = upload
        self.ticket: Final = ticket
        self._claim = claim
        self._part_deadline_s = part_deadline_s
        self._may_start = may_start
        self._given_up = given_up
        self._number = 0
        self._places = threading.Semaphore(PARTS_IN_FLIGHT)
        self._threads: list[threading.Thread] = []
        self._error: StoreError | None = None

    def check(self) -> None:
        """Raise what a part failed with.

        Raises:
            StoreError: A part could not be stored, or the lease ended.
        """
        if self._error is not None:
            raise self._error

    def add(self, blocks: list[Block], size: int) -> None:
        """Send `size` bytes as the next part; its blocks are given back after it.

        Waits while two are in flight.

        Raises:
            StoreError: A part could not be stored, or the lease ended.
        """
        self._places.acquire()  # released by the part's thread
        try:
            self._check_start()
        except StoreError:
            self._places.release()
            raise
        self._number += 1
        thread = threading.Thread(
            target=self._send,
            args=(self._number, blocks, size),
            name=f"part-{self._number}",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:  # the task has as many as it may have
            self._places.release()
            raise StoreError(WireReason.INTERNAL, "no thread for a part") from error
        self._threads = [t for t in self._threads if t.is_alive()]
        self._threads.append(thread)

    def _check_start(self) -> None:
        self.check()
        if not self._may_start():
            raise StoreError(WireReason.LEASE_ENDED, "the upload outlived its batch")

    def wait(self) -> None:
        """Wait until all parts are stored.

        Raises:
            StoreError: One could not be.
        """
        for thread in self._threads:
            thread.join()
        self.check()

    def abandon(self) -> None:
        """Abort in the background, then return the memory: parts may be being read from it."""
        try:
            threading.Thread(target=self._abandon, name="abandon", daemon=True).start()
        except RuntimeError:
            self._abandon()  # no thread to be had: better late than never

    def _abandon(self) -> None:
        for thread in self._threads:
            thread.join()
        try:
            self.upload.abort()
        finally:
            self._claim.close()
            self._given_up()

    def _send(self, number: int, blocks: list[Block], size: int) -> None:
        try:
            body = _views(blocks, size)
            crc = 0
            for view in body:
                crc = crc64nvme(view, crc)
            deadline = time.monotonic() + self._part_deadline_s
            self.upload.add_part(number, body, size=size, crc64nvme=crc, deadline=deadline)
        except StoreError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 -- a thread's end: whatever it was, it is no ack
            self._error = StoreError(WireReason.INTERNAL, type(error).__name__)
        finally:
            self._claim.release(blocks)
            self._places.release()


def _views(blocks: list[Block], size: int) -> list[memoryview]:
    views = [block.view for block in blocks]
    tail = size % BLOCK_BYTES
    if tail:
        views[-1] = views[-1][:tail]
    return views
