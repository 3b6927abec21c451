"""What the ledger and the manifests say of instances, and the leases on requests, in DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from contract import schema
from contract.keys import BatchId, CommitmentId, hour_of
from contract.states import InstanceState
from receiver.commitment.manifests import Manifests
from receiver.commitment.ports import LEASE_S, Known, UnavailableError
from receiver.commitment.s3 import S3Archive, answered

LOOK_BACK_S = 2 * 3600.0
"""Manifests not older than this are looked at though no open batch names them: StartImport may not have
heard of them yet."""
_CONDITION_FAILED = "ConditionalCheckFailedException"

Item = dict[str, dict[str, Any]]


class LedgerRegistry:
    """The product's `ports.Registry` beside `s3://bucket`.

    Args:
        client: DynamoDB's.
        table: The ledger.
        archive: Where the manifests are.
        owner: This process, in leases.
        clock: Unix time (s).
    """

    def __init__(
        self, client: Any, table: str, archive: S3Archive, owner: str, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._table = table
        self._archive = archive
        self._owner = owner
        self._clock = clock
        self._manifests = Manifests(archive.read)

    def known(self, uids: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """Return what RecordOutcome has written; at most 100 UIDs."""
        found: dict[str, Sequence[Known]] = {}
        with answered("BatchGetItem"):
            for item in self._firsts(uids):
                uid = _text(item, "sop_instance_uid")
                conflicting = item.get(schema.CONFLICTING, {}).get("BOOL", False)
                found[uid] = self._contents(uid) if conflicting else (_known(item),)
        return found

    def landed(self, uids: Iterable[str]) -> Mapping[str, str]:
        """Look through the manifests of batches that are not done, the newest first."""
        return self._manifests.find(uids, self._open_batches())

    def lease(self, commitment: CommitmentId, now: float) -> float:
        """Take or renew a lease, by one conditional write."""
        with answered("UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_lease_key(commitment),
                    UpdateExpression="SET #owner = :owner, #until = :until",
                    ConditionExpression="attribute_not_exists(pk) OR #owner = :owner OR #until < :now",
                    ExpressionAttributeNames={"#owner": "owner", "#until": "until"},
                    ExpressionAttributeValues={
                        ":owner": {"S": self._owner},
                        ":until": {"N": str(now + LEASE_S)},
                        ":now": {"N": str(now)},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != _CONDITION_FAILED:
                    raise
                item = error.response.get("Item", {})
                return float(item.get("until", {}).get("N", now + LEASE_S))
        return 0.0

    def release(self, commitment: CommitmentId) -> None:
        """Let a lease end now, if it is ours."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_lease_key(commitment),
                UpdateExpression="SET #until = :never",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner", "#until": "until"},
                ExpressionAttributeValues={":owner": {"S": self._owner}, ":never": {"N": "0"}},
            )
        except Exception:  # noqa: BLE001 - best effort at the end: the lease ends by itself
            return

    def _firsts(self, uids: Sequence[str]) -> Iterator[Item]:
        keys = [_key(schema.instance_pk(uid), schema.FIRST) for uid in uids]
        while keys:
            # The newest word: a device may act on what it is told.
            request = {self._table: {"Keys": keys, "ConsistentRead": True}}
            response = self._client.batch_get_item(RequestItems=request)
            yield from response["Responses"].get(self._table, ())
            keys = response.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])

    def _contents(self, uid: str) -> Sequence[Known]:
        items = self._query(
            ConsistentRead=True,
            KeyConditionExpression=f"{schema.PARTITION_KEY} = :pk",
            ExpressionAttributeValues={":pk": {"S": schema.instance_pk(uid)}},
        )
        return tuple(map(_known, items))

    def _open_batches(self) -> list[BatchId]:
        found = set(self._archive.batches(hour_of(self._clock() - LOOK_BACK_S)))
        with answered("Query"):
            for shard in range(schema.SHARDS):
                for item in self._query(
                    IndexName=schema.STATE_INDEX,
                    KeyConditionExpression=f"{schema.STATE_SHARD} = :shard",
                    ExpressionAttributeValues={":shard": {"S": schema.batch_shard(shard)}},
                ):
                    found.add(BatchId.parse(_text(item, "batch")))
        return sorted(found, reverse=True)

    def _query(self, **query: Any) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(TableName=self._table, **query)
        for page in pages:
            yield from page["Items"]


def _key(pk: str, sk: str) -> Item:
    return {schema.PARTITION_KEY: {"S": pk}, schema.SORT_KEY: {"S": sk}}


def _lease_key(commitment: CommitmentId) -> Item:
    return _key(f"{schema.COMMITMENT_PREFIX}{commitment}", schema.LEASE)


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _known(item: Item) -> Known:
    try:
        return Known(_text(item, "sop_class_uid"), InstanceState(_text(item, "state")))
    except ValueError as error:
        raise UnavailableError("a record of a later version") from error
