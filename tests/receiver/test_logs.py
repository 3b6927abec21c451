from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from receiver.logs import MAX_LINE_BYTES, QUEUE_LINES, JsonLog, describe_exception, encode

_UNCAUGHT = """
import threading
from receiver.logs import JsonLog, install_exception_hooks

log = JsonLog("INFO")
install_exception_hooks(log)

def fail(name="DOE^JOHN"):
    raise ValueError(f"bad value {name}")

thread = threading.Thread(target=fail, name="association")
thread.start()
thread.join()

class Unraisable:
    def __del__(self):
        fail()

Unraisable()
try:
    fail()
finally:
    import atexit
    atexit.register(log.close)
"""


class Pipe:
    """A pipe whose reading end may stall."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()

    def lines(self) -> list[dict[str, Any]]:
        """Read all that was written, after the log was closed."""
        os.close(self.write_fd)
        self.write_fd = -1
        with os.fdopen(self.read_fd, "rb") as stream:
            self.read_fd = -1
            return [json.loads(line) for line in stream]

    def close(self) -> None:
        """Close what is open."""
        for fd in (self.read_fd, self.write_fd):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_event_is_one_json_line_with_its_fields(pipe: Pipe) -> None:
    """Time, level, event, the process's fields and the event's."""
    log = JsonLog("INFO", fd=pipe.write_fd, slot=3)
    log.warning("connection_cut", peer="10.0.0.1")
    log.close()

    (line,) = pipe.lines()

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "WARNING",
        "event": "connection_cut",
        "pid": os.getpid(),
        "slot": 3,
        "peer": "10.0.0.1",
    }


def test_events_below_the_level_are_not_written(pipe: Pipe) -> None:
    """LOG_LEVEL is the least severe level."""
    log = JsonLog("WARNING", fd=pipe.write_fd)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    log.close()

    assert [line["event"] for line in pipe.lines()] == ["c", "d"]


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_a_log_says_whether_it_writes_debug(pipe: Pipe, level: str) -> None:
    """Who makes many such events asks first, and must not be told wrong."""
    log = JsonLog(level, fd=pipe.write_fd)
    log.debug("a")
    log.info("b")
    log.close()

    assert [line["event"] for line in pipe.lines()] == (["a", "b"] if log.is_debug else ["b"])
    assert log.is_debug is (level == "DEBUG")


def test_metrics_are_written_at_every_level(pipe: Pipe) -> None:
    """LOG_LEVEL=ERROR must not switch the alarms off."""
    log = JsonLog("ERROR", fd=pipe.write_fd)
    log.document({"event": "metrics", "_aws": {}})
    log.close()

    assert [line["event"] for line in pipe.lines()] == ["metrics"]


@pytest.mark.parametrize(
    "value",
    [
        "line\nbreak",
        "carriage\rreturn",
        "\u2028",
        "\x00\x1b[31m",
        "\udc80 lone",
        '"quote"',
        "\u202e",
    ],
    ids=["lf", "cr", "line separator", "control", "surrogate", "quote", "override"],
)
def test_no_value_can_forge_or_break_a_line(value: str) -> None:
    """Every text is escaped to printable ASCII and reads back as it was."""
    line = encode({"event": "x", "value": value})

    assert line.count(b"\n") == 1
    assert line[:-1].decode("ascii").isprintable()
    assert json.loads(line)["value"] == value


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "x" * 100_000},
        {"value": "\udc80" * 5_000},
        {f"n{i}": "y" * 300 for i in range(500)},
        {"value": list(range(10_000))},
    ],
    ids=["long text", "long when escaped", "many fields", "long list"],
)
def test_line_is_never_longer_than_a_pipe_writes_in_one_piece(fields: dict[str, object]) -> None:
    """A line too long is cut and stays JSON with its event."""
    line = encode({"time": "t", "level": "INFO", "event": "x", **fields})

    assert len(line) <= MAX_LINE_BYTES
    assert json.loads(line)["event"] == "x"


def test_stalled_reader_delays_nobody_and_drops_are_counted(pipe: Pipe) -> None:
    """With nobody reading, every call returns at once; what does not fit the queue is counted."""
    drops: list[None] = []
    log = JsonLog("INFO", fd=pipe.write_fd, on_drop=lambda: drops.append(None))
    began = time.monotonic()

    for _ in range(QUEUE_LINES + 500):
        log.info("x", value="y" * 300)

    assert time.monotonic() - began < 10
    assert 0 < len(drops) <= 500
    os.close(pipe.read_fd)  # lets the writer end
    pipe.read_fd = -1
    log.close(5)


def test_exception_is_described_without_its_text() -> None:
    """The text may quote what was being parsed; type and place are enough to find the bug."""
    try:
        int("DOE^JOHN")
    except ValueError as error:
        described = describe_exception(error)

    assert described["error"] == "ValueError"
    assert "test_logs.py:" in str(described["where"])
    assert "DOE" not in str(described)


def test_whatever_nobody_caught_is_an_event_without_its_text() -> None:
    """Main thread, other threads and finalisers: one JSON line each, nothing on stderr."""
    run = subprocess.run(
        [sys.executable, "-c", _UNCAUGHT], check=False, capture_output=True, text=True, timeout=30
    )

    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert [e["event"] for e in events] == ["unhandled_exception"] * 3
    assert [e["thread"] for e in events] == ["association", "?", "main"]
    assert "DOE" not in run.stdout + run.stderr
    assert run.stderr == ""
