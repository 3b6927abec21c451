"""A layer over the emulator's DynamoDB that holds the items itself.

The emulator copies a whole table for each transaction, walks all of it for each query of an index, and takes
17 ms to read one update expression: importing ten thousand images took it longer than sending them. It
also forgets client request tokens. Here the items are kept with ordered partitions and sparse indexes;
tables themselves are still made and described by the emulator.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.dynamodb.expressions import Scope, attribute, read_condition, read_update
from local.dynamodb.reading import read_page
from local.dynamodb.table import Key, Table
from local.dynamodb.transactions import Transactions
from local.dynamodb.values import DynamoError, Item, invalid
from local.web import Application, Environ, StartResponse, call, respond

_HEADERS = [("Content-Type", "application/x-amz-json-1.0")]
_MOST_GOT = 100
"""Keys of one BatchGetItem."""

Request = dict[str, Any]


class DynamoDBLayer:
    """WSGI application in front of the emulator's DynamoDB; thread-safe."""

    def __init__(self, application: Application) -> None:
        """Wrap `application`, the emulator."""
        self._application = application
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._transactions = Transactions(self._table, self._write)
        self._operations: Mapping[str, Callable[[Request], Request]] = {
            "GetItem": self._get_item,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "DeleteItem": self._delete_item,
            "BatchGetItem": self._batch_get_item,
            "TransactWriteItems": self._transactions.write,
            "Query": lambda request: read_page(self._table(request), request, is_query=True),
            "Scan": lambda request: read_page(self._table(request), request, is_query=False),
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        name = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        operation = self._operations.get(name)
        with self._lock:
            if operation is None:
                return self._administer(name, environ, start_response)
            try:
                answer = operation(json.loads(environ["wsgi.input"].read()))
            except DynamoError as error:
                return _refuse(start_response, error)
        return respond(start_response, 200, json.dumps(answer).encode(), _HEADERS)

    def _administer(
        self, name: str, environ: Environ, start_response: StartResponse
    ) -> list[bytes]:
        """Let the emulator make, describe or delete a table."""
        body = environ["wsgi.input"].getvalue()
        status, headers, content = call(self._application, environ)
        if status.startswith("200") and name in ("CreateTable", "DeleteTable"):
            request = json.loads(body)
            if name == "CreateTable":
                self._tables[request["TableName"]] = Table(request)
            else:
                self._tables.pop(request["TableName"], None)
        start_response(status, headers)
        return [content]

    def _table(self, request: Request) -> Table:
        table = self._tables.get(str(request.get("TableName", "")).rpartition("/")[2])
        if table is None:
            raise DynamoError("ResourceNotFoundException", "Requested resource not found")
        return table

    def _get_item(self, request: Request) -> Request:
        table = self._table(request)
        item = table.get(table.key(request["Key"]))
        if item is None:
            return {}
        if "ProjectionExpression" in request:
            names = request.get("ExpressionAttributeNames", {})
            paths = [path.strip() for path in request["ProjectionExpression"].split(",")]
            wanted = {attribute(path, names) for path in paths}
            return {"Item": {name: value for name, value in item.items() if name in wanted}}
        return {"Item": item}

    def _put_item(self, request: Request) -> Request:
        table, key, old, new = self._write("Put", request)
        table.put(key, new)
        return _returned(request, old, new)

    def _update_item(self, request: Request) -> Request:
        table, key, old, new = self._write("Update", request)
        table.put(key, new)
        return _returned(request, old, new)

    def _delete_item(self, request: Request) -> Request:
        table, key, old, new = self._write("Delete", request)
        table.put(key, new)
        return _returned(request, old, new)

    def _batch_get_item(self, request: Request) -> Request:
        wanted = request["RequestItems"]
        if sum(len(asked["Keys"]) for asked in wanted.values()) > _MOST_GOT:
            raise invalid("Too many items requested for the BatchGetItem call")
        found: dict[str, list[Item]] = {}
        for name, asked in wanted.items():
            table = self._table({"TableName": name})
            keys = [table.key(key) for key in asked["Keys"]]
            if len(set(keys)) != len(keys):
                raise invalid("Provided list of item keys contains duplicates")
            found[name] = [item for item in map(table.get, keys) if item is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _write(self, kind: str, request: Request) -> tuple[Table, Key, Item | None, Item | None]:
        """Return what a write would do: table, key, item before and after.

        Raises:
            DynamoError: Its condition does not hold, or it is invalid.
        """
        table = self._table(request)
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        key = table.checked(request["Item"]) if kind == "Put" else table.key(request["Key"])
        old = table.get(key)
        scope = Scope(old if old is not None else {}, names, values)
        used: set[str] = set()
        condition = request.get("ConditionExpression")
        if condition is not None:
            test = read_condition(condition)
            used |= test.used
        update = read_update(request["UpdateExpression"]) if kind == "Update" else None
        if update is not None:
            used |= update.used
        _refuse_unused(names, values, used)
        if condition is not None and not test.holds(scope):
            more = {}
            if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old is not None:
                more["Item"] = old
            message = "The conditional request failed"
            raise DynamoError("ConditionalCheckFailedException", message, **more)
        if kind in ("Delete", "ConditionCheck"):
            return table, key, old, None if kind == "Delete" else old
        if update is None:
            return table, key, old, request["Item"]
        changed = {attribute(path, names) for path in update.paths}
        if changed & set(table.keys.names):
            raise invalid("Cannot update attribute that is part of the key")
        base = old if old is not None else request["Key"]
        new = update.apply(Scope(base, names, values))
        table.checked(new)
        return table, key, old, new


def _refuse_unused(names: Mapping[str, str], values: Mapping[str, Any], used: set[str]) -> None:
    for what, given in (("Names", names), ("Values", values)):
        unused = sorted(given.keys() - used)
        if unused:
            raise invalid(
                f"Value provided in ExpressionAttribute{what} unused in expressions: keys: {unused}"
            )


def _returned(request: Request, old: Item | None, new: Item | None) -> Request:
    match request.get("ReturnValues", "NONE"):
        case "ALL_OLD":
            return {"Attributes": old} if old is not None else {}
        case "ALL_NEW":
            return {"Attributes": new}
        case "NONE":
            return {}
        case other:
            raise invalid(f"ReturnValues {other} is not part of this double")


def _refuse(start_response: StartResponse, error: DynamoError) -> list[bytes]:
    namespace = "com.amazonaws.dynamodb.v20120810"
    if error.code == "ValidationException":
        namespace = "com.amazon.coral.validate"
    document = {"__type": f"{namespace}#{error.code}", "message": error.message, **error.more}
    return respond(start_response, 400, json.dumps(document).encode(), _HEADERS)
