"""The answer to CloudFormation: at most 4,096 bytes of it (user guide, "Custom resource response objects")."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from importer.preflight.problems import Problem
from importer.preflight.request import Request
from importer.preflight.verdict import Verdict

MAX_BYTES = 4_096
SUCCESS = "SUCCESS"
FAILED = "FAILED"
NOTHING = "none / なし"
_DATA_BYTES = 1_500
"""Each of the two texts in Data; with the ids, whose longest is the stack's, well below the limit."""
_MORE_BYTES = 160
_REPLACED = str.maketrans({'"': "'", "\\": "/"})
"""What JSON would make longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer.

    Attributes:
        status: SUCCESS or FAILED.
        reason: Why it failed.
        data: For Fn::GetAtt; the same names in every success.
    """

    status: str
    reason: str = ""
    data: dict[str, str] = field(default_factory=dict)


def answer_of(verdict: Verdict) -> Answer:
    """Return the answer that says a verdict."""
    if verdict.stopping:
        return Answer(status=FAILED, reason=sentences(verdict.stopping, MAX_BYTES))
    notes = "; ".join(f"{topic} ({why})" for topic, why in verdict.notes.items())
    return Answer(
        status=SUCCESS,
        data={
            "Warnings": sentences(verdict.said, _DATA_BYTES) or NOTHING,
            "NotChecked": shortened(clean(notes), _DATA_BYTES) or NOTHING,
        },
    )


def sentences(problems: Sequence[Problem], limit: int) -> str:
    """Return the problems' sentences in at most `limit` bytes; a number before each if there are more."""
    texts = list(dict.fromkeys(clean(str(problem.text)) for problem in problems))
    if len(texts) == 1:
        return shortened(texts[0], limit)
    said = ""
    for number, text in enumerate(texts, 1):
        longer = f"{said} ({number}) {text}".lstrip()
        left = len(texts) - number
        if _size(longer) > limit - (_MORE_BYTES if left else 0):
            more = left + 1
            rest = f" (+{more} more, said once these are mended / ほか{more}件は、上記の修正後に表示されます)"
            return said + rest if said else shortened(longer, limit - _size(rest)) + rest
        said = longer
    return said


def clean(text: str) -> str:
    """Return text without control characters: one of them and the console shows no events at all."""
    return "".join(
        " " if unicodedata.category(character).startswith("C") else character for character in text
    ).translate(_REPLACED)


def shortened(text: str, limit: int) -> str:
    """Return text of at most `limit` bytes of UTF-8, cut between characters."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: max(0, limit - 3)].decode(errors="ignore") + "..."


def document(request: Request, answer: Answer) -> bytes:
    """Return the bytes to send, the reason shortened to what fits."""
    room = MAX_BYTES - len(_encoded(request, answer, ""))
    return _encoded(request, answer, shortened(answer.reason, room))


def _encoded(request: Request, answer: Answer, reason: str) -> bytes:
    fields: dict[str, Any] = {
        "Status": answer.status,
        "Reason": reason,
        "PhysicalResourceId": request.physical_id,
        "StackId": request.stack.arn,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_id,
    }
    if answer.data:
        fields["Data"] = answer.data
    # As UTF-8: escaped, a Japanese sentence would be twice as long.
    return json.dumps(fields, ensure_ascii=False).encode()


def _size(text: str) -> int:
    return len(text.encode())
