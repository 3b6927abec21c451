from __future__ import annotations

import signal

import pytest

from local.function import TIMED_OUT
from local.restarts import LIVED_S, why_again, why_another_task
from receiver.supervisor import EXIT_FAILED


@pytest.mark.parametrize(
    ("exit_code", "lived_s", "says"),
    [
        (None, 60, ""),
        (0, 60, "stopped"),
        (-signal.SIGKILL, 0, "signal 9"),
        (EXIT_FAILED, LIVED_S + 1, "seal"),
        (EXIT_FAILED, LIVED_S - 1, ""),
        (2, 60, ""),
    ],
)
def test_another_task(exit_code: int | None, lived_s: float, says: str) -> None:
    """After a stop, a kill and a stop without all seals; not where a new one could only fail again."""
    why = why_another_task(exit_code, lived_s)

    assert says in why
    assert bool(why) is bool(says)


def test_another_execution_environment() -> None:
    """After a kill and a timeout; an error of the function's own code does not end its process."""
    assert "killed" in why_again(-signal.SIGKILL)
    assert "timeout" in why_again(TIMED_OUT)
    assert why_again(0) == why_again(1) == why_again(None) == ""
