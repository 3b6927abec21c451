"""Which ends of a part another one follows: what Lambda and ECS do in the account."""

from __future__ import annotations

from local.function import TIMED_OUT
from receiver.supervisor import EXIT_FAILED

LIVED_S = 10.0
"""A receiver that fails sooner than this would only fail again."""


def why_again(exit_code: int | None) -> str:
    """Return why a function is given a new execution environment, as Lambda does; empty if it is not."""
    if exit_code == TIMED_OUT:
        return "took longer than its timeout"
    if exit_code is not None and exit_code < 0:
        return f"was killed (signal {-exit_code})"
    return ""


def why_another_task(exit_code: int | None, lived_s: float) -> str:
    """Return why the receiver is started again, as ECS does; empty if it runs, or cannot run at all.

    Args:
        exit_code: None while it runs.
        lived_s: Since it was started.
    """
    if exit_code == 0:
        return "was stopped"
    if exit_code == EXIT_FAILED and lived_s > LIVED_S:
        return "could not seal all batches before it stopped (Sweep will)"
    return why_again(exit_code)
