"""AWS clients for a function that must answer within half a minute: short waits, few tries.

boto3's own session is not made to be used by several threads at once, so clients are made one by one; a
client itself may be shared.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from contract.answers import retry_cut

_ATTEMPTS = 4
_MAKING = threading.Lock()


def client(service: str) -> Any:
    """Return the client of an AWS service, one a process."""
    with _MAKING:
        return _client(service)


@cache
def _client(service: str) -> Any:
    import boto3  # noqa: PLC0415 - a Delete is answered without loading it
    from botocore.config import Config  # noqa: PLC0415 - likewise
    from botocore.exceptions import ConnectionClosedError  # noqa: PLC0415 - likewise

    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=3,
        read_timeout=8,
    )
    made = boto3.client(service, config=config)
    made.meta.events.register(
        "needs-retry", retry_cut(_ATTEMPTS, lambda url: ConnectionClosedError(endpoint_url=url))
    )
    return made
