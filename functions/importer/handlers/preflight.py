"""Lambda Preflight: custom resources that refuse what cannot work or loses data, with a sentence that helps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from importer.observability import logger
from importer.preflight import kept_datastore
from importer.preflight.adapters.sources import aws_sources
from importer.preflight.answer import FAILED, SUCCESS, Answer, answer_of, document
from importer.preflight.gathering import Time
from importer.preflight.request import Request
from importer.preflight.sending import send
from importer.preflight.service import answer_of_own_failure, examine
from importer.preflight.verdict import DELETE, Verdict

CHECKS_S = 25.0
"""For the checks: the user hears of a fault within half a minute."""
RESERVE_S = 15.0
"""Left of the function's time for the answer when the checks end."""


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Answer one request of CloudFormation.

    Raises:
        AnswerNotSentError: CloudFormation did not take the answer; Lambda then runs the function again.
    """
    left_s = context.get_remaining_time_in_millis() / 1000
    end = time.monotonic() + left_s - 1
    request = Request.of(event)
    if request.resource_type == kept_datastore.RESOURCE_TYPE:
        request, answer = kept_datastore.answer_to(request)
    else:
        answer = _answer(request, _time(min(time.monotonic() + CHECKS_S, end - RESERVE_S)))
    logger.info("preflight_answered", extra={"request": request.kind, "status": answer.status})
    send(request.response_url, document(request, answer), _time(end))


def _answer(request: Request, until: Time) -> Answer:
    if request.kind == DELETE:
        return Answer(status=SUCCESS)
    try:
        verdict = examine(request, aws_sources(), until, datetime.now(UTC))
        _log(verdict)
        return answer_of(verdict)
    except Exception as error:  # noqa: BLE001 - a bug of ours must not refuse a hospital's stack
        logger.exception("preflight_broken")
        return answer_of_own_failure(error)


def _log(verdict: Verdict) -> None:
    """Log what the answer may have no room for."""
    for level, problems in ((FAILED, verdict.stopping), (SUCCESS, verdict.said)):
        for problem in problems:
            logger.warning(
                "preflight_problem",
                extra={"stops": level == FAILED, "en": problem.text.en, "ja": problem.text.ja},
            )
    for topic, why in verdict.notes.items():
        logger.warning("preflight_not_checked", extra={"topic": topic, "why": why})


def _time(until: float) -> Time:
    return Time(clock=time.monotonic, sleep=time.sleep, until=until)
