"""AWS clients, made when first used; boto3 takes endpoint, Region and credentials from the environment.

boto3 is imported inside the functions: it is most of a cold start, and a handler that only refuses
a message, or a test that only imports it, does without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from contract.answers import retry_cut

_T = TypeVar("_T")
_R = TypeVar("_R")

POOL = 32
"""Threads and connections for many small requests."""


@cache
def client(service: str, *, attempts: int = 5) -> Any:
    """Return the client of an AWS service; thread-safe, one a process.

    Args:
        service: boto3's name of it.
        attempts: Tries of one call, the first included, on throttling, server errors, connection errors and
            answers that are cut.
    """
    import boto3  # noqa: PLC0415 - see the module's docstring
    from botocore.config import Config  # noqa: PLC0415 - likewise
    from botocore.exceptions import ConnectionClosedError  # noqa: PLC0415 - likewise

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=POOL,
        connect_timeout=5,
        read_timeout=30,
    )
    made = boto3.client(service, config=config)
    made.meta.events.register(
        "needs-retry", retry_cut(attempts, lambda url: ConnectionClosedError(endpoint_url=url))
    )
    return made


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
