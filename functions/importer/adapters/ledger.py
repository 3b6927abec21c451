"""The ledger's batches in DynamoDB: versioned writes, totals in the same transaction, lists."""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from botocore.exceptions import ClientError

from contract import schema
from contract.keys import BatchId, hour_of, hour_start
from importer.adapters import items
from importer.adapters.clients import error_code
from importer.adapters.items import Item
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.errors import LedgerConflictError
from importer.domain.proof_round import ProofRound
from importer.domain.records import Quarantined

_LOST = frozenset(
    {
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_RECENT_HOURS = 72
"""How far back recent batches are looked for."""
_CURSOR = items.key("SWEEP", "CURSOR")
_FULL_PROOF = items.key("SWEEP", "FULL_PROOF")
_TOTALS = "TOTALS"


class Ledger:
    """Batches, totals and lists; `ports.Batches`, `Progress` and `Overview`."""

    def __init__(self, client: Any, table: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def batch(self, batch_id: BatchId) -> Batch | None:
        """Return a batch as last written."""
        item = self._get(items.batch_key(batch_id))
        return items.batch_of(item) if item else None

    def commit(self, before: Batch | None, after: Batch) -> Batch:
        """Write a batch if it is unchanged, with the totals; see `ports.Batches`."""
        version = before.version if before else 0
        after = replace(after, version=version + 1)
        put = {"TableName": self._table, "Item": items.batch_item(after), **_unchanged(version)}
        delta = after.counts - (before.counts if before else Counts())
        try:
            if delta:
                self._client.transact_write_items(
                    TransactItems=[{"Put": put}, {"Update": self._totals_update(after.id, delta)}]
                )
            else:
                self._client.put_item(**put)
        except ClientError as error:
            if error_code(error) in _LOST:
                raise LedgerConflictError(str(after.id)) from error
            raise
        return after

    def totals(self) -> Counts:
        """Return the sums over everything the ledger knows (strongly consistent)."""
        return sum(map(items.counts_of, self._partition(_TOTALS)), Counts())

    def recent_batches(self, limit: int) -> list[Batch]:
        """Return the newest batches first, of the last three days."""
        found: list[Batch] = []
        now = self._clock()
        for back in range(_RECENT_HOURS):
            hour = hour_of(now - 3600 * back)
            for item in self._partition(items.hour_pk(hour), "BATCH#", newest_first=True):
                found.append(items.batch_of(item))
                if len(found) >= limit:
                    return found
        return found

    def quarantined(self, limit: int) -> list[Quarantined]:
        """Return quarantined objects, newest first."""
        newest: list[Item] = []
        for shard in range(schema.SHARDS):
            query = self._index(items.quarantine_shard(shard), newest_first=True)
            newest.extend(item for item, _ in zip(query, range(limit), strict=False))
        chosen = heapq.nlargest(limit, newest, key=lambda i: items.get_text(i, schema.STATE_TIME))
        return [items.quarantined_of(item) for item in chosen]

    def quarantined_page(self, limit: int, after: str) -> tuple[list[Quarantined], str]:
        """Return some quarantined objects, shard by shard, oldest first, and where to go on."""
        shard, start = _place(after)
        found: list[Quarantined] = []
        while shard < schema.SHARDS:
            query = self._index_query(items.quarantine_shard(shard), newest_first=False)
            if start:
                query["ExclusiveStartKey"] = start
            page = self._client.query(TableName=self._table, Limit=limit - len(found), **query)
            found.extend(map(items.quarantined_of, page["Items"]))
            start = page.get("LastEvaluatedKey")
            if start is None:
                shard += 1
            if len(found) >= limit:
                break
        return found, _token(shard, start) if shard < schema.SHARDS else ""

    def open_batches(self) -> Iterator[BatchId]:
        """Return the batches that are not DONE."""
        for shard in range(schema.SHARDS):
            for item in self._index(schema.batch_shard(shard), newest_first=False):
                yield BatchId.parse(items.get_text(item, "batch"))

    def batches_of(self, hour: str) -> Iterator[Batch]:
        """Return every batch of an hour."""
        return map(items.batch_of, self._partition(items.hour_pk(hour), "BATCH#"))

    def cursor(self) -> str | None:
        """Return the first hour that may not be closed."""
        item = self._get(_CURSOR)
        return items.get_text(item, "hour") if item else None

    def move_cursor(self, hour: str) -> None:
        """Move the cursor forward; two Sweeps at once cannot move it back."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**_CURSOR, "hour": items.text(hour)},
                ConditionExpression="attribute_not_exists(pk) OR #hour < :hour",
                ExpressionAttributeNames={"#hour": "hour"},
                ExpressionAttributeValues={":hour": items.text(hour)},
            )
        except ClientError as error:
            if error_code(error) not in _LOST:
                raise

    def full_proof(self) -> ProofRound | None:
        """Return how far the daily proof has come."""
        item = self._get(_FULL_PROOF)
        if item is None:
            return None
        return ProofRound(
            began_at=items.get_number(item, "began_at"),
            hour=items.get_text(item, "hour"),
            found=items.get_int(item, "found"),
            proved_at=items.get_number(item, "proved_at"),
            unaccounted=items.get_int(item, "unaccounted"),
        )

    def keep_full_proof(self, proof: ProofRound) -> None:
        """Write how far the daily proof has come; of two Sweeps at once the last word stands."""
        numbers = ("began_at", "found", "proved_at", "unaccounted")
        self._client.put_item(
            TableName=self._table,
            Item={
                **_FULL_PROOF,
                "hour": items.text(proof.hour),
                **{name: items.number(getattr(proof, name)) for name in numbers},
            },
        )

    def closed_hour(self, hour: str) -> Counts | None:
        """Return the proof of an hour."""
        item = self._get(items.key(items.hour_pk(hour), "CLOSED"))
        return items.counts_of(item) if item else None

    def close_hour(self, hour: str, counts: Counts) -> None:
        """Record that everything which landed in `hour` is terminal."""
        numbers = {name: items.number(value) for name, value in asdict(counts).items()}
        self._client.put_item(
            TableName=self._table,
            Item={
                **items.key(items.hour_pk(hour), "CLOSED"),
                **numbers,
                "closed_at": items.number(self._clock()),
                "hour_start": items.number(hour_start(hour)),
            },
        )

    def _totals_update(self, batch_id: BatchId, delta: Counts) -> dict[str, Any]:
        changes = {name: value for name, value in asdict(delta).items() if value}
        return {
            "TableName": self._table,
            "Key": items.key(_TOTALS, f"SHARD#{items.shard_of(str(batch_id))}"),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in changes),
            "ExpressionAttributeNames": {f"#{name}": name for name in changes},
            "ExpressionAttributeValues": {
                f":{name}": items.number(value) for name, value in changes.items()
            },
        }

    def _get(self, key: Item) -> Item | None:
        response = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item: Item | None = response.get("Item")
        return item

    def _partition(
        self, pk: str, sk_prefix: str = "", *, newest_first: bool = False
    ) -> Iterator[Item]:
        values = {":pk": items.text(pk)}
        condition = "pk = :pk"
        if sk_prefix:
            values[":sk"] = items.text(sk_prefix)
            condition += " AND begins_with(sk, :sk)"
        return self._query(
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            ScanIndexForward=not newest_first,
        )

    def _index(self, shard: str, *, newest_first: bool) -> Iterator[Item]:
        return self._query(**self._index_query(shard, newest_first=newest_first))

    @staticmethod
    def _index_query(shard: str, *, newest_first: bool) -> dict[str, Any]:
        return {
            "IndexName": schema.STATE_INDEX,
            "KeyConditionExpression": f"{schema.STATE_SHARD} = :shard",
            "ExpressionAttributeValues": {":shard": items.text(shard)},
            "ScanIndexForward": not newest_first,
        }

    def _query(self, **query: Any) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(TableName=self._table, **query)
        for page in pages:
            yield from page["Items"]


def _token(shard: int, start: Item | None) -> str:
    """Return a place in the quarantine list as text without a meaning to others."""
    return base64.urlsafe_b64encode(json.dumps([shard, start]).encode()).decode()


def _place(token: str) -> tuple[int, Item | None]:
    if not token:
        return 0, None
    try:
        shard, start = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(shard), {
            str(name): dict(value) for name, value in start.items()
        } if start else None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError("not a place in the quarantine list") from error


def _unchanged(version: int) -> dict[str, Any]:
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": items.number(version)},
    }
