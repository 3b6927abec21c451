"""JSON log events on stdout, one a line, written by a thread so that a stalled reader delays nobody.

An event has a name, our own ids, UIDs and numbers; never a value of a dataset, never the text of an
exception (it may quote what was being parsed). A line is one write of at most 4,096 bytes, which a pipe
keeps in one piece (PIPE_BUF) when several processes write to it.
"""

from __future__ import annotations

import json
import os
import queue
import select
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from receiver.ports import Log

MAX_LINE_BYTES = select.PIPE_BUF
QUEUE_LINES = 8192
"""Lines that wait for a stalled stdout, at most 32 MiB; more are dropped and counted."""

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
_CUT_VALUE = 200
_STACK_FRAMES = 12


class JsonLog:
    """This process's log; `ports.Log`. Make one per process, after the fork.

    Args:
        level: Least severe level to write.
        fd: Where to.
        on_drop: Called for each line that found the queue full.
        fields: Put on every line (the worker's slot).
    """

    def __init__(
        self,
        level: str,
        *,
        fd: int = 1,
        on_drop: Callable[[], None] = lambda: None,
        **fields: object,
    ) -> None:
        self._least = _LEVELS[level]
        self.is_debug = self._least <= _LEVELS["DEBUG"]
        self._fd = fd
        self._on_drop = on_drop
        self._fields = fields
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUE_LINES)
        # A daemon: a reader that never reads again must not keep the process from its exit.
        self._writer = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._writer.start()

    def debug(self, event: str, **fields: object) -> None:
        """Log at DEBUG."""
        self._log("DEBUG", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log at INFO."""
        self._log("INFO", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log at WARNING."""
        self._log("WARNING", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log at ERROR."""
        self._log("ERROR", event, fields)

    def document(self, fields: dict[str, Any]) -> None:
        """Write a line whatever the level, for metrics."""
        self._put(encode({"time": _now(), "level": "INFO", **fields}))

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, for so long at most."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._writer.join(timeout_s)

    def _log(self, level: str, event: str, fields: dict[str, object]) -> None:
        if _LEVELS[level] >= self._least:
            head = {"time": _now(), "level": level, "event": event, "pid": os.getpid()}
            self._put(encode({**head, **self._fields, **fields}))

    def _put(self, line: bytes) -> None:
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._on_drop()

    def _write_all(self) -> None:
        while (line := self._queue.get()) is not None:
            _write(self._fd, line)


def encode(fields: dict[str, Any]) -> bytes:
    """Return one line of JSON, at most MAX_LINE_BYTES: long texts are cut, then fields left out.

    ASCII only, so that control characters, line separators and lone surrogates are all escaped.
    """
    line = _dump(fields)
    if len(line) > MAX_LINE_BYTES:
        line = _dump({**{name: _cut(value) for name, value in fields.items()}, "cut": True})
    if len(line) > MAX_LINE_BYTES:
        line = _dump({name: _cut(fields.get(name)) for name in ("time", "level", "event")})
    return line


def describe_exception(error: BaseException) -> dict[str, object]:
    """Return an exception as fields: its type and where it was raised, never its text."""
    frames = traceback.extract_tb(error.__traceback__)[-_STACK_FRAMES:]
    where = [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames)]  # noqa: PTH119 a Path per frame is not needed
    return {"error": type(error).__qualname__, "where": " < ".join(where)}


def log_exception(log: Log, event: str, error: BaseException, **fields: object) -> None:
    """Log at ERROR what was caught at an edge."""
    log.error(event, **fields, **describe_exception(error))


def install_exception_hooks(log: Log) -> None:
    """Turn whatever nobody caught, in any thread, into one event `unhandled_exception`."""

    def on_main(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        log_exception(log, "unhandled_exception", error, thread="main")

    def on_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "?"
        if args.exc_value is not None:
            log_exception(log, "unhandled_exception", args.exc_value, thread=name)

    def on_unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            log_exception(log, "unhandled_exception", args.exc_value, thread="?")

    sys.excepthook = on_main
    threading.excepthook = on_thread
    sys.unraisablehook = on_unraisable


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dump(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, separators=(",", ":"), default=lambda value: type(value).__name__)
    return text.encode("ascii") + b"\n"


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _CUT_VALUE:
        return value[:_CUT_VALUE] + "..."
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


def _write(fd: int, line: bytes) -> None:
    while True:
        try:
            os.write(fd, line)
        except BlockingIOError:
            # Whoever gave us this stdout made it non-blocking; leave it so, others may share it.
            select.select([], [fd], [], 1.0)
        except OSError:
            return  # the reader is gone; there is nowhere to say so
        else:
            return
