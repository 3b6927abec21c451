"""AWS clients, made when first used; boto3 takes endpoint, Region and credentials from the environment.

boto3 is imported inside the functions: it is most of a cold start, and a handler that only refuses
a message, or a test that only imports it, does without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

_OK = 200
_LENGTH_HEADERS = ("content-length", "transfer-encoding")
_CUT_ATTEMPTS = 3
_CUT_PAUSE_S = 0.1

POOL = 32
"""Threads and connections for many small requests."""


@cache
def client(service: str, *, attempts: int = 5) -> Any:
    """Return the client of an AWS service; thread-safe, one a process.

    Args:
        service: boto3's name of it.
        attempts: Tries of one call, the first included, on throttling, server errors and connection errors.
    """
    import boto3  # noqa: PLC0415 - see the module's docstring
    from botocore.config import Config  # noqa: PLC0415 - likewise

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=POOL,
        connect_timeout=5,
        read_timeout=30,
    )
    made = boto3.client(service, config=config)
    made.meta.events.register("needs-retry", _retry_cut_answer)
    return made


def _retry_cut_answer(
    response: tuple[Any, Any] | None, attempts: int, request_dict: Any, **_: Any
) -> float | None:
    """Have an answer asked for again whose connection ended within its headers.

    botocore reads it as an empty one: no object in a listing, no line in an output, no item in a query. What
    AWS answers says how long it is (RFC 9112, section 6.3).

    Raises:
        ConnectionClosedError: It was cut each time.
    """
    if response is None or response[0].status_code != _OK:
        return None
    headers = response[0].headers
    if request_dict["method"] == "HEAD" or any(name in headers for name in _LENGTH_HEADERS):
        return None
    if attempts < _CUT_ATTEMPTS:
        return _CUT_PAUSE_S
    from botocore.exceptions import ConnectionClosedError  # noqa: PLC0415 - as above

    raise ConnectionClosedError(endpoint_url=request_dict["url"])


def error_code(error: Exception) -> str:
    """Return the AWS error code of a botocore ClientError, empty for any other error."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def in_parallel(work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Return `work` of each item, in order, on up to `POOL` threads; the first error is raised."""
    if not items:
        return []
    with ThreadPoolExecutor(min(POOL, len(items))) as pool:
        return list(pool.map(work, items))
