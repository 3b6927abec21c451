"""Pages of a list, as the service's list operations give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from local.healthimaging.protocol import ApiError

MAX_RESULTS = 50


def page(
    name: str,
    items: Sequence[Any],
    parameters: dict[str, Any],
    render: Callable[[Any], Any] = lambda item: item,
) -> dict[str, Any]:
    """Return one page of `items` under `name`, with a token when more follow.

    Raises:
        ApiError: The token is none of ours.
    """
    token = parameters.get("nextToken", "0")
    if not token.isdecimal():
        raise ApiError("ValidationException", "The token is not valid")
    start = int(token)
    end = start + int(parameters.get("maxResults") or MAX_RESULTS)
    answer: dict[str, Any] = {name: [render(item) for item in items[start:end]]}
    if end < len(items):
        answer["nextToken"] = str(end)
    return answer
