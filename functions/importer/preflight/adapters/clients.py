"""AWS clients for a function that must answer within half a minute: short waits, few tries.

boto3's own session is not made to be used by several threads at once, so clients are made one by one; a
client itself may be shared.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

_MAKING = threading.Lock()


def client(service: str) -> Any:
    """Return the client of an AWS service, one a process."""
    with _MAKING:
        return _client(service)


@cache
def _client(service: str) -> Any:
    import boto3  # noqa: PLC0415 - a Delete is answered without loading it
    from botocore.config import Config  # noqa: PLC0415 - likewise

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=3,
        read_timeout=8,
    )
    return boto3.client(service, config=config)
