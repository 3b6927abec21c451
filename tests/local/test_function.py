from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from local.function import TIMED_OUT, Invoker, QueuePump, done
from local.functions import Function, QueueSource, Schedule
from tests.deadline import wait_until


class FakeQueue:
    """A queue that gives messages once and notes which are deleted."""

    def __init__(self, *bodies: str) -> None:
        self.waiting = [
            {"MessageId": b, "ReceiptHandle": b, "Body": b, "MD5OfBody": ""} for b in bodies
        ]
        self.deleted: list[str] = []

    def receive_message(self, *, MaxNumberOfMessages: int, **_: object) -> dict[str, Any]:  # noqa: N803 (boto3's)
        """Give up to so many."""
        given, self.waiting = (
            self.waiting[:MaxNumberOfMessages],
            self.waiting[MaxNumberOfMessages:],
        )
        return {"Messages": given} if given else {}

    def delete_message(self, *, ReceiptHandle: str, **_: object) -> None:  # noqa: N803 (boto3's)
        """Note it."""
        self.deleted.append(ReceiptHandle)


def function(**changes: Any) -> Function:
    defaults: dict[str, Any] = {
        "logical_id": "F",
        "handler": "",
        "environment": {},
        "timeout_s": 60,
        "memory_mib": 128,
        "sources": (),
        "schedules": (),
    }
    return Function(**{**defaults, **changes})


def source(**changes: Any) -> QueueSource:
    defaults: dict[str, Any] = {
        "queue_url": "url",
        "queue_arn": "arn",
        "batch_size": 10,
        "window_s": 0,
        "reports_failures": True,
    }
    return QueueSource(**{**defaults, **changes})


def pump(queue: FakeQueue, handler: Any, **changes: Any) -> QueuePump:
    return QueuePump(source(**changes), Invoker(function(), handler), queue)


def test_messages_that_were_served_are_deleted_and_failures_stay() -> None:
    """Only the message that the function reports stays in the queue."""
    queue = FakeQueue("a", "b", "c")

    assert pump(queue, lambda *_: {"batchItemFailures": [{"itemIdentifier": "b"}]}).turn()
    assert queue.deleted == ["a", "c"]


def test_a_raising_function_keeps_its_whole_batch() -> None:
    """An exception deletes nothing."""
    queue = FakeQueue("a", "b")

    def handler(*_: object) -> None:
        raise ValueError("broken")

    assert pump(queue, handler).turn()
    assert queue.deleted == []


def test_a_batch_is_no_larger_than_the_mapping_says() -> None:
    """A batch size of two gives two messages to each invocation."""
    queue = FakeQueue("a", "b", "c")
    sizes: list[int] = []
    pumped = pump(queue, lambda event, _: sizes.append(len(event["Records"])), batch_size=2)

    while pumped.turn():
        pass
    assert sizes == [2, 1]


def test_an_empty_queue_invokes_nothing() -> None:
    """Without messages there is no invocation."""
    assert not pump(FakeQueue(), lambda *_: pytest.fail("invoked")).turn()


@pytest.mark.parametrize("unknown", ["", "zz", None])
def test_an_unknown_failure_is_the_failure_of_all(unknown: str | None) -> None:
    """As Lambda does, so that a bug of the report loses no message."""
    answer = {"batchItemFailures": [{"itemIdentifier": unknown}]}

    assert done([{"MessageId": "a"}], answer, reports_failures=True) == []


def test_without_reporting_success_deletes_all() -> None:
    """The answer is not looked at when the mapping does not ask for it."""
    answer = {"batchItemFailures": [{"itemIdentifier": "a"}]}

    assert done([{"MessageId": "a"}], answer, reports_failures=False) == [{"MessageId": "a"}]


def test_invocations_do_not_overlap() -> None:
    """A schedule and a queue share one execution environment, one after the other."""
    inside = threading.Lock()

    def handler(_event: object, context: Any) -> bool:
        assert 0 < context.get_remaining_time_in_millis() <= 60_000
        free = inside.acquire(blocking=False)
        threading.Event().wait(0.02)
        inside.release()
        return free

    invoker = Invoker(function(), handler)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(invoker.invoke({}))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 4


HANDLER = """
import os, pathlib, time
def handler(event, context):
    pathlib.Path(os.environ["MARK"]).write_text(event["name"])
    time.sleep(float(os.environ["SLEEP"]))
"""


def start(folder: Path, *, sleep_s: float, timeout_s: int) -> subprocess.Popen[str]:
    """Start the process for a function on a schedule of one second."""
    (folder / "mine.py").write_text(HANDLER)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    described = function(
        handler="mine.handler",
        environment={"MARK": str(folder / "mark"), "SLEEP": str(sleep_s)},
        timeout_s=timeout_s,
        schedules=(Schedule(every_s=1, event='{"name": "tick"}'),),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "local.function"], env=environ, stdin=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(described.document()) + "\n")
    process.stdin.flush()
    return process


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_schedule_calls_the_handler_until_the_input_ends(tmp_path: Path) -> None:
    """The function's own code and environment are used; end of input ends it with 0."""
    with start(tmp_path, sleep_s=0, timeout_s=10) as process:
        wait_until(lambda: _text(tmp_path / "mark") == "tick", "the handler ran")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_function_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """After its timeout the process is gone with a code of its own."""
    with start(tmp_path, sleep_s=60, timeout_s=1) as process:
        assert process.wait(20) == TIMED_OUT
