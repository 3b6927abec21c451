"""The ledger's instances in DynamoDB: one record per SOP Instance UID and content.

The first content seen with a UID has the sort key FIRST, so one conditional write records a new
instance and finds out, without a race, whether the UID is known with other bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from contract import schema
from contract.keys import BatchId
from contract.states import InstanceState
from importer.adapters import items
from importer.adapters.clients import error_code, in_parallel
from importer.adapters.items import Item
from importer.adapters.quarantine import QuarantineItems
from importer.adapters.updates import CONDITION_FAILED, Updates
from importer.domain.records import (
    ContentId,
    InstanceRecord,
    KnownContent,
    Quarantined,
    Recorded,
    Redrive,
    Released,
)

_KEYS_KEPT = 100
"""Object keys kept in a content's record; a phantom sent every day must not fill an item (400 KB)."""
_BATCH_GET = 100
_STUDY = "study_instance_uid"


class ContentLedger:
    """Instances and the quarantine list; `ports.Contents`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._updates = Updates(client)
        self._table = table
        self._quarantine = QuarantineItems(client, table)

    def known(self, contents: Sequence[ContentId]) -> dict[ContentId, KnownContent]:
        """Return what is known; a content whose UID also has other bytes is left out.

        HealthImaging holds the latest import of a UID, so with two contents about, sending the first
        again is not a repetition.
        """
        wanted = {_key(content, schema.FIRST)["pk"]["S"]: content for content in contents}
        found: dict[ContentId, KnownContent] = {}
        pks = list(wanted)
        for start in range(0, len(pks), _BATCH_GET):
            for item in self._get_many(pks[start : start + _BATCH_GET]):
                content = wanted[items.get_text(item, "pk")]
                if _is_of(item, content) and not _flag(item, schema.CONFLICTING):
                    found[content] = KnownContent(
                        state=InstanceState(items.get_text(item, "state")),
                        image_set_id=items.get_text(item, "image_set_id"),
                        warnings=tuple(int(n) for n in item.get("warnings", {}).get("NS", ())),
                    )
        return {content: found[content] for content in contents if content in found}

    def record(self, records: Sequence[InstanceRecord]) -> list[Recorded]:
        """Write outcomes; one request each for instances never seen before."""
        return in_parallel(self._record, records)

    def quarantine(self, records: Sequence[Quarantined]) -> list[Quarantined]:
        """Write quarantined objects to the operator's list; see `ports.Contents`."""
        return self._quarantine.write(records)

    def take_off(self, batch_id: BatchId, states: Mapping[str, InstanceState]) -> list[Quarantined]:
        """Take objects off the operator's list; the items stay as history."""
        return self._quarantine.take_off(batch_id, states)

    def note_redrives(
        self, batch_id: BatchId, redrives: Mapping[str, Redrive]
    ) -> list[Quarantined]:
        """Note who has quarantined objects tried again; see `ports.Contents`."""
        return self._quarantine.note_redrives(batch_id, redrives)

    def note_release(self, released: Released) -> None:
        """Write the record of a release."""
        self._client.put_item(TableName=self._table, Item=items.release_item(released))

    def _record(self, record: InstanceRecord) -> Recorded:
        old = self._raise(record, schema.FIRST)
        if old is None or _is_of(old, record.content):
            return self._repeated(record, schema.FIRST, old)
        content = record.content
        other = f"OTHER#{content.size}#{content.crc64nvme}"
        studies = self._flag_conflict(
            content, {items.get_text(old, _STUDY), record.row.study_instance_uid}
        )
        found = self._repeated(record, other, self._raise(record, other))
        return Recorded(
            duplicate=found.duplicate,
            conflicting=True,
            two_studies=studies > 1,
            first_time=found.first_time,
        )

    def _flag_conflict(self, content: ContentId, studies: set[str]) -> int:
        """Note on the UID's first record that there are other bytes; return the studies it is known in.

        A study is not known when the header walk ended before it: then nothing is claimed.
        """
        known = sorted(filter(None, studies))
        response = self._client.update_item(
            TableName=self._table,
            Key=_key(content, schema.FIRST),
            UpdateExpression=f"SET {schema.CONFLICTING} = :true"
            + (" ADD studies :studies" if known else ""),
            ExpressionAttributeValues={
                ":true": {"BOOL": True},
                **({":studies": {"SS": known}} if known else {}),
            },
            ReturnValues="ALL_NEW",
        )
        return len(response["Attributes"].get("studies", {}).get("SS", ()))

    def _raise(self, record: InstanceRecord, sk: str) -> Item | None:
        """Write the record if it is new or of lower rank; return what was there before."""
        names, values, sets = _attributes(record)
        try:
            response = self._updates.update_item(
                TableName=self._table,
                Key=_key(record.content, sk),
                UpdateExpression=f"SET {', '.join(sets)} ADD #keys :keys",
                ConditionExpression=(
                    "attribute_not_exists(pk)"
                    " OR (#size = :size AND #crc64nvme = :crc64nvme AND #rank < :rank)"
                ),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            failed: Item = error.response["Item"]
            return failed
        old: Item | None = response.get("Attributes") or None
        return old

    def _repeated(self, record: InstanceRecord, sk: str, old: Item | None) -> Recorded:
        """Say what `old` means for the record, and add the object's key where it is not there yet."""
        if old is None:
            return Recorded()
        keys = set(old.get("keys", {}).get("SS", ()))
        first_time = record.row.key not in keys
        if first_time and len(keys) < _KEYS_KEPT:
            self._updates.update_item(
                TableName=self._table,
                Key=_key(record.content, sk),
                UpdateExpression="ADD #keys :keys",
                ExpressionAttributeNames={"#keys": "keys"},
                ExpressionAttributeValues={":keys": {"SS": [record.row.key]}},
            )
        return Recorded(
            duplicate=bool(keys - {record.row.key}),
            conflicting=_flag(old, schema.CONFLICTING),
            first_time=first_time,
        )

    def _get_many(self, pks: Sequence[str]) -> Iterator[Item]:
        keys = [items.key(pk, schema.FIRST) for pk in pks]
        while keys:
            request = {self._table: {"Keys": keys, "ConsistentRead": True}}
            response = self._client.batch_get_item(RequestItems=request)
            yield from response["Responses"].get(self._table, ())
            keys = response.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])


def _key(content: ContentId, sk: str) -> Item:
    return items.key(schema.instance_pk(content.sop_instance_uid), sk)


def _is_of(item: Mapping[str, Any], content: ContentId) -> bool:
    return (items.get_int(item, "size"), items.get_text(item, "crc64nvme")) == (
        content.size,
        content.crc64nvme,
    )


def _flag(item: Mapping[str, Any], name: str) -> bool:
    return bool(item.get(name, {}).get("BOOL", False))


def _attributes(record: InstanceRecord) -> tuple[dict[str, str], Item, list[str]]:
    row, answer = record.row, record.answer
    values: Item = {
        "state": items.text(answer.state.value),
        "rank": items.number(answer.state.rank),
        "size": items.number(row.size),
        "crc64nvme": items.text(row.crc64nvme),
        "sop_instance_uid": items.text(row.sop_instance_uid),
        "sop_class_uid": items.text(row.sop_class_uid),
        "study_instance_uid": items.text(row.study_instance_uid),
        "series_instance_uid": items.text(row.series_instance_uid),
        "calling_ae_title": items.text(row.calling_ae_title),
        "received_at": items.number(row.received_at),
        "image_set_id": items.text(answer.image_set_id),
        "reason": items.text(answer.reason.value if answer.reason else ""),
        "exception_type": items.text(answer.exception_type),
    }
    if answer.warnings:
        values["warnings"] = {"NS": [str(code) for code in answer.warnings]}
    # Every name by a placeholder: DynamoDB reserves some six hundred words.
    names = {f"#{name}": name for name in (*values, "keys")}
    sets = [f"#{name} = :{name}" for name in values]
    bound = {f":{name}": value for name, value in values.items()}
    return names, {**bound, ":keys": {"SS": [row.key]}}, sets
