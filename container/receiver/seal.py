"""Writing manifests: create-only, again and again until the storage has one.

A manifest's bytes are fixed before its first attempt, so an attempt that did arrive and one that is
repeated are the same object, and the first writer wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from awscrt.checksums import crc64nvme

from contract.keys import BatchId
from contract.manifest import Sealer, join_rows
from receiver.ports import Counters, Log, ObjectExistsError, Sink, StoreError

ATTEMPT_S = 25.0
"""Time for one call of the sink, which makes attempts of its own."""
LONGEST_PAUSE_S = 30.0
"""Between calls. There is no end: the journal is held, and after the lease Sweep may have been first."""


@dataclass(slots=True, eq=False)
class Seal:
    """A manifest on its way.

    Attributes:
        batch: What it seals.
        slot: Journal of the batch.
        body: Its bytes.
        count: Instances in it.
        total_bytes: Their size.
        done: Called once when a manifest is in the storage.
        failures: Calls that failed.
        next_at: Monotonic time (s) of the next call.
    """

    batch: BatchId
    slot: int
    body: bytes
    count: int
    total_bytes: int
    done: Callable[[], None]
    failures: int = 0
    next_at: float = 0.0


def prepare(
    batch: BatchId,
    slot: int,
    rows: bytes,
    total_bytes: int,
    *,
    sealed_by: Sealer,
    now: float,
    done: Callable[[], None],
) -> Seal:
    """Fix the manifest of `batch` from its rows, a line each."""
    body = join_rows(
        batch=batch, sealed_at=now, sealed_by=sealed_by, rows=rows, total_bytes=total_bytes
    )
    return Seal(batch, slot, body, rows.count(b"\n"), total_bytes, done)


@dataclass(frozen=True, slots=True)
class ManifestWriter:
    """Writes seals; one call at a time for each seal."""

    sink: Sink
    counters: Counters
    log: Log
    monotonic: Callable[[], float] = time.monotonic

    def attempt(self, seal: Seal) -> bool:
        """Try once; True if the storage has the batch's manifest now, whoever wrote it."""
        started = self.monotonic()
        try:
            self.sink.put(
                seal.batch.manifest_key,
                [memoryview(seal.body)],
                size=len(seal.body),
                crc64nvme=crc64nvme(seal.body),
                metadata={},
                deadline=started + ATTEMPT_S,
            )
        except ObjectExistsError:
            # Sweep or this slot's predecessor was first. Acknowledged objects that theirs does not name
            # are landed objects without a job, which Sweep puts into a batch of their own.
            self.log.warning("batch_sealed_elsewhere", batch=str(seal.batch), count=seal.count)
            return True
        except StoreError as error:
            seal.failures += 1
            seal.next_at = self.monotonic() + min(0.5 * 2 ** min(seal.failures, 6), LONGEST_PAUSE_S)
            self.log.error(  # noqa: TRY400 -- an event, not a traceback: the detail says it
                "batch_seal_failed",
                batch=str(seal.batch),
                failures=seal.failures,
                detail=error.detail,
            )
            return False
        self.counters.add("batches_sealed")
        self.log.info(
            "batch_sealed",
            batch=str(seal.batch),
            count=seal.count,
            bytes=seal.total_bytes,
            ms=round((self.monotonic() - started) * 1000),
        )
        return True
