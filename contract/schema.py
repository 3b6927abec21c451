"""Attribute and index names of the ledger table; the template makes the table from them.

One table. Every item has `pk` and `sk`; only what is not terminal, and what is quarantined, also has
`state_shard` and `state_time`, so that the index holds just what somebody has to look after.

    pk                  sk                     what
    HOUR#<hour>         BATCH#<batch>          a batch, its jobs in progress, the state of each object
    HOUR#<hour>         CLOSED                 the proof of an hour: everything that landed is terminal
    UID#<uid>           FIRST                  the first bytes seen with this SOP Instance UID
    UID#<uid>           OTHER#<size>#<crc>     other bytes with the same UID
    QUARANTINE#<batch>  <shard>/<n>/<id>.dcm   one quarantined object, why, its attempts and redrives
    RELEASE#<batch>     <attempt>              who let originals expire, and when
    TOTALS              SHARD#<n>              sums over all batches, changed in the batch's transaction
    SWEEP               CURSOR                 first hour that is not closed
    SWEEP               FULL_PROOF             how far the daily proof of every hour has come
    COMMITMENT#<id>     LEASE                  which task answers a storage commitment request

Sweep and the functions write everything but the last, which the receiver writes and nobody else reads.
"""

from __future__ import annotations

PARTITION_KEY = "pk"
SORT_KEY = "sk"
FIRST = "FIRST"
"""Sort key of the first content seen with a SOP Instance UID; one read asks for a UID."""
CONFLICTING = "conflicting"
"""Attribute (BOOL) of a FIRST item: there are other items of the UID."""
COMMITMENT_PREFIX = "COMMITMENT#"
"""Start of the partition keys that the receiver may write."""
LEASE = "LEASE"
STATE_INDEX = "ByState"
STATE_SHARD = "state_shard"
"""Partition key (S) of the index: `<kind>#<0..SHARDS-1>`."""
STATE_TIME = "state_time"
"""Sort key (S) of the index: UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ`, when the item came into the index."""
STATE_INDEX_ATTRIBUTES = (
    "state",
    "batch",
    "key",
    "sop_instance_uid",
    "reason",
    "exception_type",
    "elements",
    "landed",
    "oldest_received_at",
)
"""Attributes projected into the index (INCLUDE): enough for the lists an operator sees."""
SHARDS = 8
"""Index and totals partitions: writes of one instant spread, a list is so many queries."""


def instance_pk(sop_instance_uid: str) -> str:
    """Return the partition of a SOP Instance UID."""
    return f"UID#{sop_instance_uid}"


def batch_shard(shard: int) -> str:
    """Return the index partition of open batches in a shard."""
    return f"BATCH#{shard}"
