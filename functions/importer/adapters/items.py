"""DynamoDB's item notation, and the ledger's items to and from the domain's data."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from contract import schema
from contract.keys import INCOMING_PREFIX, BatchId
from contract.reasons import QuarantineReason
from contract.states import BatchState, InstanceState
from importer.domain.batch import Batch, Part
from importer.domain.counts import Counts
from importer.domain.records import Quarantined, Redrive, Released

Item = dict[str, dict[str, Any]]

_STATES = tuple(InstanceState)
_QUARANTINE_KIND = "QUARANTINED"


def key(pk: str, sk: str) -> Item:
    """Return a primary key."""
    return {schema.PARTITION_KEY: text(pk), schema.SORT_KEY: text(sk)}


def text(value: str) -> dict[str, Any]:
    """Return a string value."""
    return {"S": value}


def number(value: float) -> dict[str, Any]:
    """Return a number value."""
    return {"N": str(value)}


def get_text(item: Mapping[str, Any], name: str) -> str:
    """Return a string attribute, empty if it is not there."""
    return str(item.get(name, {}).get("S", ""))


def get_number(item: Mapping[str, Any], name: str) -> float:
    """Return a number attribute, 0 if it is not there."""
    return float(item.get(name, {}).get("N", 0))


def get_int(item: Mapping[str, Any], name: str) -> int:
    """Return a whole number attribute, 0 if it is not there."""
    return int(item.get(name, {}).get("N", 0))


def instant(unix_s: float) -> str:
    """Return UTC text that sorts by time."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def shard_of(name: str) -> int:
    """Return the shard that spreads writes about `name`."""
    return zlib.crc32(name.encode()) % schema.SHARDS


def quarantine_shard(shard: int) -> str:
    """Return the index partition of quarantined objects in a shard."""
    return f"{_QUARANTINE_KIND}#{shard}"


def hour_pk(hour: str) -> str:
    """Return the partition of an hour."""
    return f"HOUR#{hour}"


def batch_key(batch_id: BatchId) -> Item:
    """Return the primary key of a batch."""
    return key(hour_pk(batch_id.hour), f"BATCH#{batch_id}")


def batch_item(batch: Batch) -> Item:
    """Return a batch's item.

    The states of its objects, one digit each, and its parts are one compressed attribute: 4,000 objects
    of one fate take some 50 bytes, so a batch costs one write unit, not a hundred.
    """
    counts = {name: number(value) for name, value in asdict(batch.counts).items()}
    item = {
        **batch_key(batch.id),
        "batch": text(str(batch.id)),
        "version": number(batch.version),
        "state": text(batch.state.value),
        "oldest_received_at": number(batch.oldest_received_at),
        "proved": {"BOOL": batch.proved},
        "book": {"B": _book(batch)},
        **counts,
    }
    if batch.state is not BatchState.DONE:
        item[schema.STATE_SHARD] = text(schema.batch_shard(shard_of(str(batch.id))))
        item[schema.STATE_TIME] = text(instant(batch.oldest_received_at))
    return item


def batch_of(item: Mapping[str, Any]) -> Batch:
    """Read a batch's item."""
    batch_id = BatchId.parse(get_text(item, "batch"))
    book = json.loads(zlib.decompress(bytes(item["book"]["B"])))
    return Batch(
        id=batch_id,
        version=get_int(item, "version"),
        rows=book["rows"],
        extras=tuple(batch_id.prefix + name for name in book["extras"]),
        states=tuple(_STATES[int(digit)] for digit in book["states"]),
        parts=tuple(_part(part) for part in book["parts"]),
        attempts=book["attempts"],
        jobs=get_int(item, "jobs"),
        oldest_received_at=get_number(item, "oldest_received_at"),
        proved=bool(item.get("proved", {}).get("BOOL", False)),
        released=tuple(book.get("released", ())),
    )


def _part(document: Mapping[str, Any]) -> Part:
    """Read a part, ignoring fields of later versions: a rolled back function reads newer rows."""
    return Part(**{name: document[name] for name in _PART_FIELDS if name in document})


_PART_FIELDS = tuple(f.name for f in fields(Part))


def _book(batch: Batch) -> bytes:
    skip = len(batch.id.prefix)
    book = {
        "rows": batch.rows,
        "extras": [name[skip:] for name in batch.extras],
        "states": "".join(str(state.rank) for state in batch.states),
        "parts": [asdict(part) for part in batch.parts],
        "attempts": batch.attempts,
        "released": batch.released,
    }
    return zlib.compress(json.dumps(book, separators=(",", ":")).encode())


def counts_of(item: Mapping[str, Any]) -> Counts:
    """Read the numbers of an item."""
    return Counts(**{f.name: get_int(item, f.name) for f in fields(Counts)})


def quarantine_key(batch: str, object_key: str) -> Item:
    """Return the primary key of a quarantined object."""
    return key(f"QUARANTINE#{batch}", object_key.removeprefix(INCOMING_PREFIX))


def quarantine_values(record: Quarantined) -> Item:
    """Return a quarantined object's attributes besides its key and its history."""
    item = {
        "state": text(record.state.value),
        "elements": text(",".join(record.elements)),
        "received_at": number(record.received_at),
        "quarantined_at": number(record.quarantined_at),
    }
    for name in _QUARANTINE_TEXTS:
        item[name] = text(str(getattr(record, name)))
    if record.state is InstanceState.QUARANTINED:
        item[schema.STATE_SHARD] = text(quarantine_shard(shard_of(record.key)))
        item[schema.STATE_TIME] = text(instant(record.quarantined_at))
    return item


def quarantine_history(attempts: Iterable[int], redrives: Iterable[Redrive]) -> Item:
    """Return attempts and redrives as sets: adding one twice changes nothing."""
    history: Item = {}
    numbers = [str(attempt) for attempt in attempts]
    lines = [f"{redrive.at!r} {redrive.attempt} {redrive.operator}" for redrive in redrives]
    if numbers:
        history["attempts"] = {"NS": numbers}
    if lines:
        history["redrives"] = {"SS": lines}
    return history


def _redrive(line: str) -> Redrive:
    at, attempt, operator = line.split(" ", 2)
    return Redrive(float(at), int(attempt), operator)


_QUARANTINE_TEXTS = (
    "batch",
    "key",
    "reason",
    "exception_type",
    "sop_instance_uid",
    "sop_class_uid",
    "study_instance_uid",
    "series_instance_uid",
    "job_id",
)


def _unix_s(item: Mapping[str, Any]) -> float:
    """Return the time of an item of the index, whose sort key is `instant`'s text."""
    found = get_text(item, schema.STATE_TIME)
    return datetime.fromisoformat(found).timestamp() if found else 0.0


def quarantined_of(item: Mapping[str, Any]) -> Quarantined:
    """Read a quarantined object's item (the index holds only some attributes of it)."""
    texts = {name: get_text(item, name) for name in _QUARANTINE_TEXTS if name != "reason"}
    return Quarantined(
        **texts,
        reason=QuarantineReason(get_text(item, "reason")),
        elements=tuple(filter(None, get_text(item, "elements").split(","))),
        received_at=get_number(item, "received_at"),
        quarantined_at=get_number(item, "quarantined_at") or _unix_s(item),
        state=InstanceState(get_text(item, "state") or InstanceState.QUARANTINED),
        attempts=tuple(sorted(int(n) for n in item.get("attempts", {}).get("NS", ()))),
        redrives=tuple(sorted(map(_redrive, item.get("redrives", {}).get("SS", ())))),
    )


def release_item(released: Released) -> Item:
    """Return the item of a release."""
    return {
        **key(f"RELEASE#{released.batch}", f"{released.attempt:06d}"),
        "prefix": text(released.prefix),
        "operator": text(released.operator),
        "asked_at": number(released.asked_at),
        "released_at": number(released.released_at),
        "count": number(len(released.numbers)),
    }
