"""What the part in C is told, so that it can record what follows an instance that Python has stored."""

from __future__ import annotations

import threading

from contract.keys import INSTANCE_SUFFIX, SHARD_INSTANCES
from contract.manifest import MAX_BYTES, MAX_INSTANCES
from receiver import native
from receiver.batch import Batches, Ticket
from receiver.journal import Journal
from receiver.ports import Counters, Directory
from receiver.recent import RECENT_S, RecentContents


def make_recorder(
    lock: threading.Lock, batches: Batches, recent: RecentContents, counters: Counters
) -> native.Recorder:
    """Make a worker's recorder; `lock` is its landing's, which guards `batches` and their journals."""
    return native.Recorder(
        lock,
        recent.memory,
        recent.secret,
        RECENT_S,
        counters.add_stored,
        batches.idle_s,
        MAX_INSTANCES,
        MAX_BYTES,
        SHARD_INSTANCES,
        INSTANCE_SUFFIX,
    )


def expect_alike(
    recorder: native.Recorder,
    ticket: Ticket,
    directory: Directory,
    journal: Journal,
    closes_at: float,
) -> None:
    """Let it record what follows in the same folder.

    Args:
        recorder: The landing's.
        ticket: Of an instance that was recorded.
        directory: What is above its own folder.
        journal: Its batch's.
        closes_at: See `Batches.closes_at`.
    """
    recorder.expect(
        ticket.batch,
        journal.fd,
        closes_at,
        ticket.batch.id.deadline,
        directory,
        directory.fd,
        ticket.n // SHARD_INSTANCES,
        ticket.key.rsplit("/", 2)[0],
    )
