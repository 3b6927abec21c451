"""When a request to S3 is tried again, and when it is not: S3's answers told apart."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from contract.reasons import WireReason
from receiver.ports import ObjectExistsError, StoreError
from receiver.sinks.response import HttpError, Response

LONGEST_ATTEMPT_S = 10.0
"""One attempt of a request with a body of up to 16 MiB: 13 Mbit/s; a stalled one leaves time for two."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_RETRIED_CODES = {
    "ConditionalRequestConflict",  # 409: a delete was racing; S3 says to try again
    "InternalError",
    "OperationAborted",
    "RequestTimeout",  # 400: it waited too long for our bytes
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
}
_RETRIED_STATUS = {429, 500, 502, 503, 504}
_EXPIRED_CODES = {"ExpiredToken", "TokenRefreshRequired", "InvalidToken"}
_CODE = re.compile(rb"<Code>([A-Za-z0-9._-]{1,64})</Code>")


CHECKSUM_HEADER = "x-amz-checksum-crc64nvme"
PRECONDITION_FAILED = 412


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last answer to a request.

    Attributes:
        response: As it came.
        code: S3's error code, or `HTTP <status>` where it gave none; empty for success.
        sent_before: Whether an attempt before this one may have reached S3.
    """

    response: Response
    code: str
    sent_before: bool


def raise_for(outcome: Outcome) -> None:
    """Raise what S3 refused.

    Raises:
        ObjectExistsError: There is an object already.
        StoreError: Anything but success.
    """
    if outcome.response.status == PRECONDITION_FAILED:
        raise ObjectExistsError(WireReason.STORAGE_FAILED, "PreconditionFailed")
    if outcome.code:
        raise StoreError(WireReason.STORAGE_FAILED, outcome.code)


def error_code(response: Response) -> str:
    """Return what S3 calls the failure; empty for success.

    A 200 may carry an error in its body (CompleteMultipartUpload).
    """
    found = _CODE.search(response.body)
    if found is not None and b"<Error>" in response.body:
        return found[1].decode()
    return "" if 200 <= response.status < 300 else f"HTTP {response.status}"  # noqa: PLR2004 - the class of HTTP successes


def attempt(
    exchange: Callable[[float], Response],
    deadline: float,
    *,
    refresh: Callable[[], None],
    repeat_if_sent: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Make attempts until there is an answer worth having.

    Args:
        exchange: Makes one attempt until the monotonic time (s) it is given; signs anew each time.
        deadline: Monotonic time (s) until which attempts may run.
        refresh: Gets new credentials; called once, when S3 says that they expired.
        repeat_if_sent: Whether the request may be repeated when it is not known whether it arrived.
        sleep: Waits between attempts.

    Raises:
        StoreError: No answer worth having until the deadline.
    """
    sent_before = refreshed = False
    longest = max(min(LONGEST_ATTEMPT_S, (deadline - time.monotonic()) / 2), 1.0)
    if not repeat_if_sent:
        longest = float("inf")
    pause = FIRST_PAUSE_S
    while True:
        made = _attempt_once(exchange, min(deadline, time.monotonic() + longest))
        expired = made.failure in _EXPIRED_CODES and not refreshed
        if made.response is None:
            if made.sent and not repeat_if_sent:
                raise StoreError(WireReason.STORAGE_FAILED, f"unclear: {made.failure}")
        elif not expired and not _is_retried(made.failure, made.response):
            return Outcome(made.response, made.failure, sent_before)
        sent_before = sent_before or made.sent
        wait = 0.0
        if expired:
            refreshed = True
            refresh()
        elif not made.stale:
            wait = random.uniform(pause / 2, pause)  # noqa: S311 -- jitter, no secret
            pause = min(2 * pause, LONGEST_PAUSE_S)
        if time.monotonic() + wait >= deadline:
            raise StoreError(WireReason.STORE_DEADLINE, made.failure)
        sleep(wait)


@dataclass(frozen=True, slots=True)
class _Made:
    """One attempt: its answer, or why there is none."""

    response: Response | None
    failure: str
    sent: bool
    stale: bool


def _attempt_once(exchange: Callable[[float], Response], until: float) -> _Made:
    try:
        response = exchange(until)
    except HttpError as error:
        return _Made(None, error.detail, error.sent, error.stale)
    return _Made(response, error_code(response), sent=True, stale=False)


def _is_retried(code: str, response: Response) -> bool:
    return code in _RETRIED_CODES or (bool(code) and response.status in _RETRIED_STATUS)
