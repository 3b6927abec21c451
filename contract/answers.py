"""HTTP answers of AWS whose connection ended within their headers: botocore takes them for empty ones.

No object in a listing, no line in a job's output, no item in a query: every client that reads has to refuse
them. What AWS answers says how long it is (RFC 9112, section 6.3).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

PAUSE_S = 0.1
"""Before the next try."""

_OK = 200
_LENGTHS = ("content-length", "transfer-encoding")


def is_cut(method: str, status: int, headers: Container[str]) -> bool:
    """Return whether a successful answer's headers (of any case) do not say how long it is."""
    return status == _OK and method != "HEAD" and all(name not in headers for name in _LENGTHS)


def retry_cut(most: int, error: Callable[[str], Exception]) -> Callable[..., float | None]:
    """Return a handler of botocore's event `needs-retry` that has such answers asked for again.

    Args:
        most: Tries of one call, the first included.
        error: Makes what the handler raises when the last one was cut too, from the URL.
    """

    def handle(
        response: tuple[Any, Any] | None, attempts: int, request_dict: Any, **_: Any
    ) -> float | None:
        if response is None:
            return None
        answer = response[0]
        if not is_cut(request_dict["method"], answer.status_code, answer.headers):
            return None
        if attempts < most:
            return PAUSE_S
        raise error(request_dict["url"])

    return handle
