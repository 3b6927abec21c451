"""What HealthImaging says of each file, read from a job's output.

`success.ndjson`, `warning.ndjson` and `failure.ndjson` hold one line a file. A file with a warning may
stand in the first two or in the second only; where lines disagree, the one that knows more wins.
A message of HealthImaging may quote a value of the dataset: only its exception type and the names of
attributes in it are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from contract.reasons import QuarantineReason
from contract.states import InstanceState

_PYTHON_BOOLEAN = re.compile(r'("isPrimary"\s*:\s*)(True|False)\b')
_EXCEPTION_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}")
_TAG = re.compile(r"\([0-9A-Fa-f]{4},\s?[0-9A-Fa-f]{4}\)")
_WORD = re.compile(r"[A-Za-z]+")
_KEYWORDS = frozenset(
    [
        "AccessionNumber",
        "BitsAllocated",
        "BitsStored",
        "Columns",
        "FrameOfReferenceUID",
        "HighBit",
        "InstanceNumber",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "Modality",
        "NumberOfFrames",
        "NumberOfStudyRelatedInstances",
        "NumberOfStudyRelatedSeries",
        "PatientBirthDate",
        "PatientID",
        "PatientName",
        "PatientSex",
        "PhotometricInterpretation",
        "PixelData",
        "PixelRepresentation",
        "PlanarConfiguration",
        "Rows",
        "SOPClassUID",
        "SOPInstanceUID",
        "SamplesPerPixel",
        "SeriesInstanceUID",
        "SeriesNumber",
        "SpecificCharacterSet",
        "StudyDate",
        "StudyDescription",
        "StudyID",
        "StudyInstanceUID",
        "StudyTime",
        "TransferSyntaxUID",
    ]
)
"""Attributes that HealthImaging checks or groups by; any other word of a message could be a value."""


class OutputKind(StrEnum):
    """The three lists of a job's output."""

    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of one object's import.

    Attributes:
        state: A terminal state.
        image_set_id: Where it is in HealthImaging; empty if it is not.
        warnings: HealthImaging's warning codes.
        reason: Why it is quarantined, if it is.
        exception_type: HealthImaging's, if it refused it.
        elements: Attribute keywords and tags that its message names.
    """

    state: InstanceState
    image_set_id: str = ""
    warnings: tuple[int, ...] = ()
    reason: QuarantineReason | None = None
    exception_type: str = ""
    elements: tuple[str, ...] = ()


class UnreadableLineError(ValueError):
    """A line of a job's output is no JSON (cut short, or not written yet)."""


def parse_line(kind: OutputKind, line: bytes) -> tuple[str, Answer]:
    """Read one line of a job's output.

    Returns:
        The file as the job names it, and what is said of it.

    Raises:
        UnreadableLineError: Not JSON, or without the name of a file.
    """
    document = _json(line)
    name = document.get("inputFile")
    if not isinstance(name, str) or not name:
        raise UnreadableLineError("a line without inputFile")
    if kind is OutputKind.FAILURE:
        return name, _refused(_object(document.get("exception")))
    return name, _imported(kind, _object(document.get("importResponse")))


def merge(answers: Iterable[tuple[str, Answer]]) -> dict[str, Answer]:
    """Put the lines of one job together, one answer a file.

    Imported outranks refused, and among imported lines the more careful state wins: non-primary, then
    with warning, then plain; image set and warning codes are kept from any line.
    """
    merged: dict[str, Answer] = {}
    for name, answer in answers:
        known = merged.get(name)
        merged[name] = answer if known is None else _merged(known, answer)
    return merged


def _merged(one: Answer, other: Answer) -> Answer:
    if InstanceState.QUARANTINED in (one.state, other.state):
        return max(one, other, key=lambda answer: answer.state.rank)
    careful, rest = sorted((one, other), key=lambda answer: answer.state.rank)
    return replace(
        careful,
        image_set_id=careful.image_set_id or rest.image_set_id,
        warnings=tuple(dict.fromkeys(careful.warnings + rest.warnings)),
    )


def _json(line: bytes) -> dict[str, Any]:
    text = line.decode("utf-8", "replace")
    try:
        try:
            document = json.loads(text)
        except ValueError:
            # The service's own documentation prints Python's True.
            document = json.loads(_PYTHON_BOOLEAN.sub(lambda m: m[1] + m[2].lower(), text))
    except ValueError as error:
        raise UnreadableLineError("a line that is not JSON") from error
    return _object(document)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _refused(exception: dict[str, Any]) -> Answer:
    kind = str(exception.get("exceptionType", ""))
    return Answer(
        state=InstanceState.QUARANTINED,
        reason=QuarantineReason.IMPORT_REFUSED,
        exception_type=kind if _EXCEPTION_TYPE.fullmatch(kind) else "",
        elements=named_elements(str(exception.get("message", ""))),
    )


def _imported(kind: OutputKind, response: dict[str, Any]) -> Answer:
    warnings = tuple(
        int(warning["warning_reason_code"])
        for warning in response.get("warnings") or ()
        if isinstance(warning, dict) and str(warning.get("warning_reason_code", "")).isdigit()
    )
    primary = str(response.get("isPrimary", True)).strip().lower() != "false"
    if not primary:
        state = InstanceState.IMPORTED_NON_PRIMARY
    elif kind is OutputKind.WARNING or warnings:
        state = InstanceState.IMPORTED_WITH_WARNING
    else:
        state = InstanceState.IMPORTED
    return Answer(state=state, image_set_id=str(response.get("imageSetId", "")), warnings=warnings)


def named_elements(message: str) -> tuple[str, ...]:
    """Return the attribute keywords and tags that a message names, and nothing else of it."""
    words = [word for word in _WORD.findall(message) if word in _KEYWORDS]
    return tuple(dict.fromkeys(words + _TAG.findall(message)))
