"""`python -m local.function`: runs one function of the stack as Lambda would.

The function's description is the first line of standard input; the process ends when that input does,
after the invocation in progress. Its environment is the function's own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.functions import Function, QueueSource, Schedule
from local.template import REGION

TIMED_OUT = 75
"""Exit code after an invocation took longer than the function's timeout: start the process again."""

_MAX_RECEIVE = 10
_POLL_S = 0.5
Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(slots=True)
class Context:
    """The context object of an invocation."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    aws_request_id: str
    deadline: float
    function_version: str = "$LATEST"
    log_group_name: str = "local"
    log_stream_name: str = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


class Invoker:
    """Calls the handler, one invocation at a time as one execution environment does."""

    def __init__(self, function: Function, handler: Handler) -> None:
        """Serve `function` with `handler`."""
        self._function = function
        self._handler = handler
        self._lock = threading.Lock()

    def invoke(self, event: dict[str, Any]) -> Any:
        """Call the handler; the process ends when it takes longer than the function's timeout."""
        function = self._function
        with self._lock:
            timer = threading.Timer(function.timeout_s, self._time_out)
            timer.daemon = True
            timer.start()
            try:
                return self._handler(event, self._context())
            finally:
                timer.cancel()

    def finish(self) -> None:
        """Wait for the invocation in progress and let no other begin."""
        self._lock.acquire()

    def _context(self) -> Context:
        name = self._function.logical_id
        return Context(
            function_name=name,
            memory_limit_in_mb=self._function.memory_mib,
            invoked_function_arn=f"arn:aws:lambda:{REGION}:123456789012:function:{name}",
            aws_request_id=str(uuid.uuid4()),
            deadline=time.monotonic() + self._function.timeout_s,
        )

    def _time_out(self) -> None:
        sys.stderr.write(f"Task timed out after {self._function.timeout_s} seconds\n")
        sys.stderr.flush()
        os._exit(TIMED_OUT)


class QueuePump:
    """An event source mapping: messages of a queue to the function, those done with deleted."""

    def __init__(self, source: QueueSource, invoker: Invoker, sqs: Any) -> None:
        """Serve `source`."""
        self._source = source
        self._invoker = invoker
        self._sqs = sqs

    def turn(self) -> bool:
        """Serve one batch; False when the queue had nothing."""
        messages = self._gather()
        if not messages:
            return False
        event = {"Records": [self._record(message) for message in messages]}
        try:
            answer = self._invoker.invoke(event)
        except Exception:  # noqa: BLE001 (as Lambda: the whole batch comes back later)
            traceback.print_exc()
            return True
        self._delete(done(messages, answer, reports_failures=self._source.reports_failures))
        return True

    def _gather(self) -> list[dict[str, Any]]:
        """Return up to a batch of messages, waiting for more as long as the window allows."""
        messages = self._receive(self._source.batch_size)
        deadline = time.monotonic() + self._source.window_s
        while messages and len(messages) < self._source.batch_size:
            if time.monotonic() >= deadline:
                break
            time.sleep(min(_POLL_S, self._source.window_s))
            messages += self._receive(self._source.batch_size - len(messages))
        return messages

    def _receive(self, wanted: int) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(
            QueueUrl=self._source.queue_url,
            MaxNumberOfMessages=min(wanted, _MAX_RECEIVE),
            MessageSystemAttributeNames=["All"],
            WaitTimeSeconds=0,  # the emulator's long poll is a busy loop: ask twice a second instead
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._source.queue_arn,
            "awsRegion": REGION,
        }

    def _delete(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self._sqs.delete_message(
                QueueUrl=self._source.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )


def done(
    messages: list[dict[str, Any]], answer: Any, *, reports_failures: bool
) -> list[dict[str, Any]]:
    """Return the messages that the function has served, by its answer (ReportBatchItemFailures)."""
    failures = (answer or {}).get("batchItemFailures", []) if reports_failures else []
    failed = {failure.get("itemIdentifier") for failure in failures}
    if failed - {message["MessageId"] for message in messages}:
        return []  # Lambda takes an unknown or empty id as the failure of the whole batch
    return [message for message in messages if message["MessageId"] not in failed]


def load_handler(path: str) -> Handler:
    """Return the function at `package.module.name`."""
    module, _, name = path.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), name)
    return handler


def _pump_forever(pump: QueuePump) -> None:
    while True:
        try:
            if pump.turn():
                continue
        except (ClientError, BotoCoreError):
            traceback.print_exc()
        time.sleep(_POLL_S)


def _call_regularly(schedule: Schedule, invoker: Invoker) -> None:
    while True:
        time.sleep(schedule.every_s)
        try:
            invoker.invoke(json.loads(schedule.event))
        except Exception:  # noqa: BLE001 (as Lambda: the next run comes anyway)
            traceback.print_exc()


def main() -> int:
    """Serve the function that standard input describes until that input ends."""
    line = sys.stdin.readline()
    if not line:
        return 0
    function = Function.from_document(json.loads(line))
    os.environ.update(function.environment)
    invoker = Invoker(function, load_handler(function.handler))
    jobs: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
    for source in function.sources:
        pump = QueuePump(source, invoker, boto3.client("sqs"))
        jobs.append((_pump_forever, (pump,)))
    jobs.extend((_call_regularly, (schedule, invoker)) for schedule in function.schedules)
    for job, arguments in jobs:
        threading.Thread(target=job, args=arguments, daemon=True).start()
    sys.stdin.read()
    invoker.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
