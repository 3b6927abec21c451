"""Sends an answer to CloudFormation's signed URL: without one the stack waits for an hour."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from importer.preflight.gathering import Time

TIMEOUT_S = 5.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 4.0
_CLIENT_ERRORS = range(400, 500)


class AnswerNotSentError(Exception):
    """CloudFormation did not take the answer; raised on, it makes Lambda run the function again."""


def send(url: str, body: bytes, time: Time) -> None:
    """PUT the answer, again after a while where that may help.

    Raises:
        AnswerNotSentError: It was refused, or the time is up.
    """
    wait = _FIRST_WAIT_S
    while True:
        try:
            _put(url, body, min(TIMEOUT_S, max(1.0, time.left)))
        except urllib.error.HTTPError as error:
            error.close()
            # The signature expired or does not fit: it never will.
            if error.code in _CLIENT_ERRORS:
                raise AnswerNotSentError(f"HTTP {error.code}") from None
            problem = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            problem = type(error).__name__
        else:
            return
        if time.left <= wait:
            raise AnswerNotSentError(problem)
        time.sleep(wait)
        wait = min(_LONGEST_WAIT_S, wait * 2)


def _put(url: str, body: bytes, timeout_s: float) -> None:
    if not url.startswith(("https://", "http://")):
        raise AnswerNotSentError("the response URL is not one of HTTP")
    # The signature covers an empty content type; urllib would name one.
    request = urllib.request.Request(  # noqa: S310 - checked above
        url, data=body, method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - likewise
        response.read()
