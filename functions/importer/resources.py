"""Where a stack's bucket, table and queues are, for the commands that an operator runs by hand.

A stack's own functions know: their environment is read. The local emulator has no stack, and one of each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Any

from importer.adapters.clients import client

START_IMPORT, REDRIVE = "StartImport", "Redrive"
"""Logical IDs of functions in the template."""
_LOCAL_ENDPOINT = "http://127.0.0.1:{port}"
_LOCAL_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
"""The emulator asks for any."""


class NotFoundError(Exception):
    """There is no such stack, or it is not one of ours."""


def use_emulator(environ: MutableMapping[str, str]) -> None:
    """Let every client of this process speak to `make run` on this machine."""
    port = environ.get("AWS_PORT") or "4566"
    environ.setdefault("AWS_ENDPOINT_URL", _LOCAL_ENDPOINT.format(port=port))
    for name, value in _LOCAL_ENVIRONMENT.items():
        environ.setdefault(name, value)


def target_of(stack: str) -> str:
    """Return, for the person at the keyboard, what a command is about to act on."""
    if stack:
        return f"stack {stack}"
    use_emulator(os.environ)
    return f"local product at {os.environ['AWS_ENDPOINT_URL']}"


def environment_of(stack: str) -> dict[str, str]:
    """Return the environment of a stack's functions; of the emulator's for an empty name.

    Raises:
        NotFoundError: There is none.
    """
    if not stack:
        use_emulator(os.environ)
        return _of_emulator()
    variables: Mapping[str, str] = client("lambda").get_function_configuration(
        FunctionName=function_of(stack, START_IMPORT)
    )["Environment"]["Variables"]
    return dict(variables)


def function_of(stack: str, logical_id: str) -> str:
    """Return the name of a stack's function.

    Raises:
        NotFoundError: The stack has no such function.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as clients.py: only when used

    try:
        found = client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )
    except ClientError as error:
        raise NotFoundError(f"stack {stack} has no function {logical_id}: {error}") from error
    name: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return name


def _of_emulator() -> dict[str, str]:
    buckets = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    queues = client("sqs").list_queues().get("QueueUrls", [])
    tables = client("dynamodb").list_tables()["TableNames"]
    stores = client("medical-imaging").list_datastores()["datastoreSummaries"]
    return {
        "LANDING_BUCKET": _only("landing bucket", [name for name in buckets if "landing" in name]),
        "RESULTS_BUCKET": _only("results bucket", [name for name in buckets if "results" in name]),
        "TABLE_NAME": _only("table", tables),
        "IMPORT_QUEUE_URL": _only("import queue", [u for u in queues if _named(u, "import")]),
        "OUTCOME_QUEUE_URL": _only("outcome queue", [u for u in queues if _named(u, "outcome")]),
        "DATASTORE_ID": _only("data store", [store["datastoreId"] for store in stores]),
        "STACK_NAME": "local",
    }


def _named(url: str, kind: str) -> bool:
    name = url.rpartition("/")[2].lower()
    return kind in name and "dead" not in name


def _only(what: str, found: list[Any]) -> str:
    if len(found) != 1:
        raise NotFoundError(
            f"the emulator has {len(found)} of a {what}: is `make run` running, with this AWS_PORT?"
        )
    return str(found[0])
