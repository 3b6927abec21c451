"""The layer against the emulator that it stands before: the same requests, the same answers."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.moto_server.werkzeug_app import create_backend_app

from contract import schema
from local.dynamodb.layer import DynamoDBLayer
from local.web import Application, call

NAMES = (schema.PARTITION_KEY, schema.SORT_KEY, schema.STATE_SHARD, schema.STATE_TIME)
NUMBERS = st.sampled_from([{"N": "1"}, {"N": "2"}, {"N": "5"}, {"N": "-2.5"}])
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "size": NUMBERS,
        "rank": NUMBERS,
        "keys": st.sampled_from([{"SS": ["x"]}, {"SS": ["y", "x"]}]),
        "text": st.sampled_from([{"S": "a"}, {"BOOL": True}, {"L": [{"N": "1"}]}]),
    },
)
"""Of one type each: the emulator breaks when it compares a number with a set."""
KEYS = st.fixed_dictionaries({
    "pk": st.sampled_from([{"S": "p"}, {"S": "q"}]),
    "sk": st.sampled_from([{"S": "1"}, {"S": "2"}, {"S": "30"}]),
})  # fmt: skip
ITEMS = st.tuples(
    KEYS,
    ATTRIBUTES,
    st.sampled_from([{}, {"state_shard": {"S": "B#1"}, "state_time": {"S": "2026"}}]),
).map(lambda parts: parts[0] | parts[1] | parts[2])
CONDITIONS = st.sampled_from([
    ("attribute_not_exists(pk)", {}),
    ("attribute_exists(pk)", {}),
    ("attribute_not_exists(pk) OR (#size = :size AND #rank < :rank)", {"size", "rank"}),
    ("NOT #size = :size", {"size"}),
    ("#rank >= :rank", {"rank"}),
    ("attribute_not_exists(#rank) OR #rank <> :rank", {"rank"}),
])  # fmt: skip
UPDATES = st.sampled_from(
    [
        "SET #size = :size",
        "ADD #keys :keys",
        "SET #size = :size ADD #keys :keys",
        "ADD #rank :rank REMOVE #size",
    ]
)


class Service:
    """A table behind an application."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.table = f"t{uuid.uuid4().hex}"
        self.call(
            "CreateTable",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in NAMES],
            KeySchema=_keys(*NAMES[:2]),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": schema.STATE_INDEX,
                    "KeySchema": _keys(*NAMES[2:]),
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["size"]},
                }
            ],
        )

    def call(self, operation: str, **request: Any) -> tuple[str, dict[str, Any]]:
        """Return the error's code, or nothing, and the document."""
        if operation not in ("TransactWriteItems", "BatchGetItem"):
            request["TableName"] = self.table
        body = json.dumps(request).encode()
        status, _, content = call(self._application, _environ(operation, body))
        document = json.loads(content)
        if status.startswith("200"):
            return "", document
        return document["__type"].rpartition("#")[2], document


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def _environ(operation: str, body: bytes) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}",
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }


@pytest.fixture(scope="module")
def emulator() -> Application:
    application: Application = create_backend_app("dynamodb")
    return application


@pytest.fixture
def service(emulator: Application) -> Service:
    return Service(DynamoDBLayer(emulator))


def _plain(document: Any) -> Any:
    """Sets have no order."""
    if isinstance(document, dict):
        return {
            name: sorted(value) if name in ("SS", "NS") else _plain(value)
            for name, value in document.items()
            if name not in ("ConsumedCapacity", "message", "Message")
        }
    return [_plain(element) for element in document] if isinstance(document, list) else document


@st.composite
def writes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A write with or without a condition."""
    kind = draw(st.sampled_from(["Put", "Update", "Delete"]))
    request: dict[str, Any] = {}
    used: set[str] = set()
    if kind == "Put":
        request["Item"] = draw(ITEMS)
    else:
        request["Key"] = draw(KEYS)
    if kind == "Update":
        request["UpdateExpression"] = draw(UPDATES)
        used |= {
            name for name in ("size", "keys", "rank") if f"#{name}" in request["UpdateExpression"]
        }
    condition = draw(st.none() | CONDITIONS)
    if condition is not None:
        request["ConditionExpression"] = condition[0]
        used |= set(condition[1])
    if used:
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in used}
        text = request.get("UpdateExpression", "") + request.get("ConditionExpression", "")
        given = {":size": {"N": "5"}, ":rank": {"N": "2"}, ":keys": {"SS": ["k1", "x"]}}
        values = {name: value for name, value in given.items() if name in text}
        if values:
            request["ExpressionAttributeValues"] = values
    return kind, request


STEPS = st.lists(
    st.one_of(
        writes().map(lambda write: ("write", write)),
        st.lists(writes(), min_size=1, max_size=3).map(lambda some: ("transaction", some)),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_it_answers_as_the_emulator_does(emulator: Application, steps: list[Any]) -> None:
    """Any writes, alone or in transactions, and then every way of reading: equal answers, equal errors."""
    ours, theirs = Service(DynamoDBLayer(emulator)), Service(emulator)

    for step, what in steps:
        if step == "write":
            kind, request = what
            more = {"ReturnValues": "ALL_OLD", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
            answers = [_plain(s.call(f"{kind}Item", **request, **more)) for s in (ours, theirs)]
        else:
            answers = [_plain(_transact(s, what)) for s in (ours, theirs)]
        assert answers[0][0] == answers[1][0]
        if not answers[0][0] or answers[0][0].startswith("Conditional"):
            assert _old(answers[0][1]) == _old(answers[1][1])
    for reading in READINGS:
        assert _read(ours, reading) == _read(theirs, reading)


def _transact(
    service: Service, some: list[tuple[str, dict[str, Any]]]
) -> tuple[str, dict[str, Any]]:
    items = [{kind: {"TableName": service.table, **request}} for kind, request in some]
    error, document = service.call("TransactWriteItems", TransactItems=items)
    return error, {
        "reasons": [reason["Code"] for reason in document.get("CancellationReasons", [])]
    }


def _old(document: dict[str, Any]) -> Any:
    return document.get("Attributes") or document.get("Item") or document.get("reasons")


READINGS: list[dict[str, Any]] = [
    {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "p"}}},
    {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": {":pk": {"S": "q"}, ":sk": {"S": "3"}},
        "ScanIndexForward": False,
    },
    {
        "IndexName": schema.STATE_INDEX,
        "KeyConditionExpression": "state_shard = :shard",
        "ExpressionAttributeValues": {":shard": {"S": "B#1"}},
    },
]


def _read(service: Service, reading: dict[str, Any]) -> list[Any]:
    """Read page by page, two items each; an index at once, for equal sort keys have no order there."""
    limit = {} if "IndexName" in reading else {"Limit": 2}
    found: list[Any] = []
    start: dict[str, Any] = {}
    while True:
        error, page = service.call("Query", **limit, **reading, **start)
        assert not error, page
        found += [_plain(item) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return sorted(found, key=_text) if "IndexName" in reading else found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def test_a_token_makes_a_transaction_happen_once(service: Service) -> None:
    """A client that did not hear the answer repeats the call with its token: nothing is done again."""
    add = {
        "Update": {
            "TableName": service.table,
            "Key": {"pk": {"S": "p"}, "sk": {"S": "1"}},
            "UpdateExpression": "ADD #n :one",
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(2):
        assert (
            service.call("TransactWriteItems", TransactItems=[add], ClientRequestToken="t")[0] == ""
        )
    _, read = service.call("GetItem", Key=add["Update"]["Key"])
    error, _ = service.call("TransactWriteItems", TransactItems=[add, add], ClientRequestToken="t")

    assert read["Item"]["n"] == {"N": "1"}
    assert error == "IdempotentParameterMismatchException"


def test_a_page_is_a_megabyte_at_most(service: Service) -> None:
    """What is larger is read in pages, none of them lost."""
    for n in range(5):
        item = {"pk": {"S": "p"}, "sk": {"S": str(n)}, "text": {"S": "x" * 390_000}}
        assert service.call("PutItem", Item=item)[0] == ""
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "p"}}}
    _, first = service.call("Query", **query)
    _, second = service.call("Query", **query, ExclusiveStartKey=first["LastEvaluatedKey"])

    assert (first["Count"], second["Count"]) == (3, 2)
    assert "LastEvaluatedKey" not in second


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutItem", {"Item": {"pk": {"S": "p"}}}),
        ("PutItem", {"Item": {"pk": {"S": ""}, "sk": {"S": "1"}}}),
        ("PutItem", {"Item": {"pk": {"N": "1"}, "sk": {"S": "1"}}}),
        ("PutItem", {"Item": {"pk": {"S": "p"}, "sk": {"S": "1"}, "a": {"SS": []}}}),
        ("PutItem", {"Item": {"pk": {"S": "p"}, "sk": {"S": "1"}, "a": {"S": "x" * 410_000}}}),
        ("GetItem", {"Key": {"pk": {"S": "p"}}}),
        (
            "UpdateItem",
            {
                "Key": {"pk": {"S": "p"}, "sk": {"S": "1"}},
                "UpdateExpression": "SET #a = :a",
                "ExpressionAttributeNames": {"#a": "a", "#b": "b"},
                "ExpressionAttributeValues": {":a": {"S": "a"}},
            },
        ),
        (
            "UpdateItem",
            {
                "Key": {"pk": {"S": "p"}, "sk": {"S": "1"}},
                "UpdateExpression": "SET sk = :a",
                "ExpressionAttributeValues": {":a": {"S": "a"}},
            },
        ),
        (
            "Query",
            {
                "IndexName": schema.STATE_INDEX,
                "ConsistentRead": True,
                "KeyConditionExpression": "state_shard = :s",
                "ExpressionAttributeValues": {":s": {"S": "a"}},
            },
        ),
        (
            "Query",
            {"KeyConditionExpression": "sk = :s", "ExpressionAttributeValues": {":s": {"S": "a"}}},
        ),
    ],
)
def test_what_dynamodb_refuses_is_refused(
    service: Service, operation: str, request_: dict[str, Any]
) -> None:
    """Missing, empty or mistyped keys, empty sets, items above 400 KB, unused placeholders, a changed key."""
    assert service.call(operation, **request_)[0] == "ValidationException"


def test_a_deleted_table_is_empty_when_it_is_made_again(emulator: Application) -> None:
    """The ledger can be lost and rebuilt here too."""
    service = Service(DynamoDBLayer(emulator))
    key = {"pk": {"S": "p"}, "sk": {"S": "1"}}
    assert service.call("PutItem", Item=key)[0] == ""
    assert service.call("DeleteTable")[0] == ""
    gone, _ = service.call("GetItem", Key=key)
    service.call(
        "CreateTable",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in NAMES[:2]],
        KeySchema=_keys(*NAMES[:2]),
    )

    assert gone == "ResourceNotFoundException"
    assert service.call("GetItem", Key=key) == ("", {})


def _text(item: dict[str, Any]) -> str:
    return json.dumps(item, sort_keys=True)
