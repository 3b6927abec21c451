"""Query and Scan: pages of items in order, at most a megabyte each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local.dynamodb.expressions import Scope, attribute, read_condition
from local.dynamodb.table import Index, KeySchema, Table
from local.dynamodb.values import Item, comparable, invalid, size_of

PAGE_BYTES = 1024 * 1024
Request = Mapping[str, Any]


def read_page(table: Table, request: Request, *, is_query: bool) -> dict[str, Any]:
    """Return one page of a Query or Scan.

    Raises:
        DynamoError: The request is invalid.
    """
    index = _index(table, request)
    schema = index.keys if index is not None else table.keys
    scope = Scope(
        {},
        request.get("ExpressionAttributeNames", {}),
        request.get("ExpressionAttributeValues", {}),
    )
    items = _candidates(table, index, schema, request, scope) if is_query else table.all()
    found, examined, last = _page(table, schema, _after(table, schema, request, items), request)
    if index is not None:
        found = [index.project(item) for item in found]
    if "FilterExpression" in request:
        test = read_condition(request["FilterExpression"])
        found = [item for item in found if test.holds(Scope(item, scope.names, scope.values))]
    page: dict[str, Any] = {"Count": len(found), "ScannedCount": examined}
    if request.get("Select") != "COUNT":
        page["Items"] = _projected(found, request, scope)
    if last is not None:
        page["LastEvaluatedKey"] = last
    return page


def _index(table: Table, request: Request) -> Index | None:
    name = request.get("IndexName")
    if name is None:
        return None
    if name not in table.indexes:
        raise invalid(f"The table does not have the specified index: {name}")
    if request.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return table.indexes[name]


def _candidates(
    table: Table, index: Index | None, schema: KeySchema, request: Request, scope: Scope
) -> Iterable[Item]:
    """Return the items that the key condition names, in the order asked for."""
    text = request["KeyConditionExpression"]
    value = _partition_value(text, schema, scope)
    items = list(table.partition(value) if index is None else table.of_index(index, value))
    test = read_condition(text)
    chosen = [i for i in items if test.holds(Scope(i, scope.names, scope.values))]
    return chosen if request.get("ScanIndexForward", True) else reversed(chosen)


def _partition_value(text: str, schema: KeySchema, scope: Scope) -> Any:
    """Find `<partition key> = :value` in a key condition."""
    words = text.replace("(", " ").replace(")", " ").replace("=", " = ").split()
    for at in range(len(words) - 2):
        path, sign, token = words[at : at + 3]
        if sign == "=" and attribute(path, scope.names) == schema.partition:
            if token not in scope.values:
                raise invalid(f"An expression attribute value is not defined: {token}")
            return scope.values[token]
    raise invalid(f"Query condition missed key schema element: {schema.partition}")


def _after(
    table: Table, schema: KeySchema, request: Request, items: Iterable[Item]
) -> Iterable[Item]:
    """Leave out what comes before, and at, ExclusiveStartKey: an item's place, also if it is gone."""
    start = request.get("ExclusiveStartKey")
    if start is None:
        return items
    if "KeyConditionExpression" not in request:
        listed = list(items)
        at = [
            n
            for n, item in enumerate(listed)
            if table.keys.key_of(item) == table.keys.key_of(start)
        ]
        return listed[at[0] + 1 :] if at else []
    forward, start_at = request.get("ScanIndexForward", True), _place(table, schema, start)
    placed = ((_place(table, schema, item), item) for item in items)
    return [item for at, item in placed if (at > start_at if forward else at < start_at)]


def _place(table: Table, schema: KeySchema, item: Item) -> tuple[Any, ...]:
    own = comparable(item[schema.sort]) if schema.sort else None
    if schema is table.keys:
        return (own,)
    return own, table.keys.key_of(item)


def _page(
    table: Table, schema: KeySchema, items: Iterable[Item], request: Request
) -> tuple[list[Item], int, Item | None]:
    """Return a page's items, their number, and where the next begins, if there may be one."""
    found: list[Item] = []
    size, limit = 0, int(request.get("Limit", 0))
    for item in items:
        if size >= PAGE_BYTES:
            return found, len(found), _key(table, schema, found[-1])
        found.append(item)
        size += size_of(item)
        if limit and len(found) >= limit:
            return found, len(found), _key(table, schema, found[-1])
    return found, len(found), None


def _key(table: Table, schema: KeySchema, item: Item) -> Item:
    return {name: item[name] for name in (*table.keys.names, *schema.names)}


def _projected(items: list[Item], request: Request, scope: Scope) -> list[Item]:
    if "ProjectionExpression" not in request:
        return items
    paths = (path.strip() for path in request["ProjectionExpression"].split(","))
    wanted = {attribute(path, scope.names) for path in paths}
    return [{name: value for name, value in item.items() if name in wanted} for item in items]
