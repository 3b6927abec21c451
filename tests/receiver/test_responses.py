"""Responses: what becomes of an operation for which no thread is to be had."""

from __future__ import annotations

import socket
import threading

import pytest

from receiver.deadlines import Watchdog
from receiver.responses import Responses, Sender


def test_an_operation_without_a_thread_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds memory of the worker, so it is run when the association is closed; nothing is answered."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        responses = Responses(Sender(ours, Watchdog().register(ours)), 2, lambda: None)
        ran: list[int] = []

        def work() -> bytes:
            ran.append(1)
            return b"response"

        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", _no_thread)
            with pytest.raises(RuntimeError):
                responses.submit(1, work)
        before = list(ran)
        responses.close()
        ours.close()
        answered = theirs.recv(100)

    assert before == []
    assert ran == [1]
    assert answered == b""


def _no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
