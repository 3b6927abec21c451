"""One table: items by key, partitions in order, and its secondary indexes, which hold what has their keys."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.dynamodb.values import (
    MAX_ITEM_BYTES,
    Item,
    Value,
    check,
    comparable,
    invalid,
    kind_of,
    size_of,
)

Key = tuple[Any, Any]
"""Comparable values of partition and sort key."""


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Names and types of a table's or index's keys; no sort key is an empty name."""

    partition: str
    sort: str
    types: Mapping[str, str]

    @classmethod
    def read(cls, elements: Sequence[Mapping[str, str]], types: Mapping[str, str]) -> KeySchema:
        """Read CreateTable's KeySchema and attribute types."""
        names = {element["KeyType"]: element["AttributeName"] for element in elements}
        return cls(names["HASH"], names.get("RANGE", ""), types)

    @property
    def names(self) -> tuple[str, ...]:
        """The key attributes."""
        return (self.partition, self.sort) if self.sort else (self.partition,)

    def key_of(self, item: Item) -> Key | None:
        """Return an item's key; None if it lacks an attribute of it."""
        if any(name not in item for name in self.names):
            return None
        sort = comparable(item[self.sort]) if self.sort else None
        return comparable(item[self.partition]), sort

    def check(self, item: Item) -> None:
        """Refuse key attributes of another type, or empty ones.

        Raises:
            DynamoError: ValidationException.
        """
        for name in self.names:
            if name in item:
                kind = kind_of(item[name])
                if kind != self.types[name]:
                    raise invalid(
                        f"Type mismatch for key {name} expected: {self.types[name]} actual: {kind}"
                    )
                if kind in ("S", "B") and not item[name][kind]:
                    raise invalid(
                        f"The AttributeValue for a key attribute cannot be empty. Key: {name}"
                    )


@dataclass(slots=True)
class Index:
    """A global secondary index; `projected` is None if it has every attribute."""

    keys: KeySchema
    projected: frozenset[str] | None
    partitions: dict[Any, list[tuple[Any, Key]]] = field(default_factory=dict)

    def replace(self, key: Key, old: Item | None, new: Item | None) -> None:
        """Follow a change of the item at `key`."""
        before = self.keys.key_of(old) if old is not None else None
        after = self.keys.key_of(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            entries = self.partitions[before[0]]
            del entries[bisect_left(entries, (before[1], key))]
        if after is not None:
            insort(self.partitions.setdefault(after[0], []), (after[1], key))

    def project(self, item: Item) -> Item:
        """Return what the index has of an item."""
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}


class Table:
    """A table; the caller holds its lock.

    Attributes:
        keys: Its primary key.
        indexes: By name.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        """Make what CreateTable asks for."""
        types = {a["AttributeName"]: a["AttributeType"] for a in request["AttributeDefinitions"]}
        self.keys = KeySchema.read(request["KeySchema"], types)
        self.indexes = {
            found["IndexName"]: _index(found, self.keys, types)
            for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            for found in request.get(kind) or ()
        }
        self._items: dict[Key, Item] = {}
        self._partitions: dict[Any, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def key(self, attributes: Item) -> Key:
        """Return the key that a request names.

        Raises:
            DynamoError: It names other attributes than the key's, or wrong types.
        """
        if set(attributes) != set(self.keys.names):
            raise invalid("The provided key element does not match the schema")
        for value in attributes.values():
            check(value)
        self.keys.check(attributes)
        return _some(self.keys.key_of(attributes))

    def get(self, key: Key) -> Item | None:
        """Return an item; it is not to be changed."""
        return self._items.get(key)

    def checked(self, item: Item) -> Key:
        """Return the key of an item that may be written.

        Raises:
            DynamoError: It may not.
        """
        for value in item.values():
            check(value)
        for keys in (self.keys, *(index.keys for index in self.indexes.values())):
            keys.check(item)
        key = self.keys.key_of(item)
        if key is None:
            raise invalid("One or more parameter values were invalid: Missing the key in the item")
        if size_of(item) > MAX_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        return key

    def put(self, key: Key, item: Item | None) -> None:
        """Write a checked item, or delete it."""
        old = self._items.get(key)
        for index in self.indexes.values():
            index.replace(key, old, item)
        if item is None:
            if old is not None:
                del self._items[key]
                sorts = self._partitions[key[0]]
                del sorts[bisect_left(sorts, key[1])]
            return
        if old is None:
            insort(self._partitions.setdefault(key[0], []), key[1])
        self._items[key] = item

    def partition(self, value: Value) -> Iterator[Item]:
        """Return the items of a partition, in order."""
        name = comparable(value)
        return (self._items[name, sort] for sort in self._partitions.get(name, ()))

    def of_index(self, index: Index, value: Value) -> Iterator[Item]:
        """Return the items of an index's partition, in order."""
        return (self._items[key] for _, key in index.partitions.get(comparable(value), ()))

    def all(self) -> Iterator[Item]:
        """Return every item."""
        return iter(self._items.values())


def _index(request: Mapping[str, Any], table: KeySchema, types: Mapping[str, str]) -> Index:
    keys = KeySchema.read(request["KeySchema"], types)
    projection = request.get("Projection", {})
    if projection.get("ProjectionType", "ALL") == "ALL":
        return Index(keys, None)
    more = projection.get("NonKeyAttributes") or ()
    return Index(keys, frozenset({*table.names, *keys.names, *more}))


def _some(key: Key | None) -> Key:
    assert key is not None  # noqa: S101 - `key` compared the names
    return key
