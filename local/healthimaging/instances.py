"""Reads a Part 10 file as far as an import must, and says what is wrong with it.

The limits are https://docs.aws.amazon.com/healthimaging/latest/devguide/dicom-element-constraints.html,
the warnings .../reference-warning-codes.html, the syntaxes .../supported-transfer-syntaxes.html.
The wording of refusals follows the one example that is documented.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

_CONFORMING_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
_UID_LENGTH = 64
_REFERENCE = "1.2.840.10008.1.2"
SUPPORTED_TRANSFER_SYNTAXES = frozenset(
    [_REFERENCE]
    + [f"{_REFERENCE}.{tail}" for tail in ("1", "1.99", "2", "5")]
    + [f"{_REFERENCE}.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 92, 93, 112)]
    + [f"{_REFERENCE}.4.{n}" for n in range(100, 109)]
    + [f"{_REFERENCE}.4.{n}.1" for n in range(100, 107)]
    + [f"{_REFERENCE}.4.{n}" for n in (201, 202, 203)]
)

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
STUDY_TIME = 0x00080030
ACCESSION_NUMBER = 0x00080050
MODALITY = 0x00080060
STUDY_DESCRIPTION = 0x00081030
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
PATIENT_BIRTH_DATE = 0x00100030
PATIENT_SEX = 0x00100040
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
STUDY_ID = 0x00200010
SERIES_NUMBER = 0x00200011

GROUPING = (
    STUDY_DATE,
    ACCESSION_NUMBER,
    PATIENT_ID,
    STUDY_INSTANCE_UID,
    STUDY_ID,
    SERIES_INSTANCE_UID,
    SERIES_NUMBER,
)
"""Elements that all instances of an image set share (understanding-image-sets)."""

_REQUIRED = {
    STUDY_INSTANCE_UID: "StudyInstanceUID",
    SERIES_INSTANCE_UID: "SeriesInstanceUID",
    SOP_INSTANCE_UID: "SOPInstanceUID",
    SOP_CLASS_UID: "SOPClassUID",
}
_LIMITS = {
    PATIENT_NAME: ("PatientName", 256, 64 * 3 + 2),
    PATIENT_ID: ("PatientID", 256, 64),
    PATIENT_BIRTH_DATE: ("PatientBirthDate", 18, 8),
    PATIENT_SEX: ("PatientSex", 16, 16),
    STUDY_INSTANCE_UID: ("StudyInstanceUID", 256, _UID_LENGTH),
    STUDY_ID: ("StudyID", 256, 16),
    STUDY_DESCRIPTION: ("StudyDescription", 256, 64),
    ACCESSION_NUMBER: ("AccessionNumber", 256, 16),
    STUDY_DATE: ("StudyDate", 18, 8),
    STUDY_TIME: ("StudyTime", 28, 16),
    SOP_INSTANCE_UID: ("SOPInstanceUID", 256, _UID_LENGTH),
    SERIES_INSTANCE_UID: ("SeriesInstanceUID", 256, _UID_LENGTH),
}
"""Keyword, greatest length on import, greatest length of the value representation (PS3.5 6.2)."""
_TAGS: list[Any] = sorted({*GROUPING, *_REQUIRED, *_LIMITS, MODALITY})


class Warning(Enum):  # noqa: A001 (the service's own word)
    """A documented warning: code and type."""

    UNSUPPORTED_TRANSFER_SYNTAX = (45344, "UnsupportedTransferSyntax")
    INVALID_UID_FORMAT = (45570, "InvalidUidFormat")
    INVALID_DICOM_VALUE_LENGTH = (45571, "InvalidDicomValueLength")

    def document(self, message: str) -> dict[str, Any]:
        """Return the warning as it stands in warning.ndjson."""
        code, kind = self.value
        return {"warning_reason_code": code, "type": kind, "message": message}


class UnimportableError(Exception):
    """The file cannot be imported; the message is what failure.ndjson says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What an import needs of a file.

    Attributes:
        values: Text of the elements above by tag, padding removed; absent ones are left out.
        transfer_syntax_uid: (0002,0010).
        warnings: As they stand in warning.ndjson.
    """

    values: dict[int, str]
    transfer_syntax_uid: str
    warnings: tuple[dict[str, Any], ...]

    @property
    def study_instance_uid(self) -> str:
        """(0020,000D)."""
        return self.values[STUDY_INSTANCE_UID]

    @property
    def series_instance_uid(self) -> str:
        """(0020,000E)."""
        return self.values[SERIES_INSTANCE_UID]

    @property
    def sop_instance_uid(self) -> str:
        """(0008,0018)."""
        return self.values[SOP_INSTANCE_UID]

    @property
    def grouping(self) -> tuple[str, ...]:
        """Values of the elements that an image set shares."""
        return tuple(self.values.get(tag, "") for tag in GROUPING)


def read_instance(content: bytes) -> Instance:
    """Read a Part 10 file, pixel data left alone.

    Raises:
        UnimportableError: It cannot be imported.
    """
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, specific_tags=_TAGS)
        values = dict(_texts(dataset))
    except InvalidDicomError:
        raise UnimportableError("The file is not a DICOM P10 file") from None
    except Exception as error:  # a hostile file may break the parser anywhere
        raise UnimportableError("The DICOM file could not be parsed") from error
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "").rstrip("\0 ")
    if not syntax:
        raise UnimportableError("DICOM attribute TransferSyntaxUID does not exist")
    for tag, keyword in _REQUIRED.items():
        if not values.get(tag):
            raise UnimportableError(f"DICOM attribute {keyword} does not exist")
    for tag, (keyword, limit, _) in _LIMITS.items():
        if len(values.get(tag, "")) > limit:
            raise UnimportableError(f"DICOM attribute {keyword} is longer than {limit} characters")
    warnings = tuple(_warnings(values, syntax))
    return Instance(values=values, transfer_syntax_uid=syntax, warnings=warnings)


def _texts(dataset: pydicom.Dataset) -> Iterator[tuple[int, str]]:
    for tag in _TAGS:
        if tag in dataset:
            raw = dataset.get_item(tag).value
            # Latin-1 keeps every byte: lengths and equality are all that is asked of these values.
            text = raw.decode("latin-1") if isinstance(raw, bytes) else str(raw or "")
            yield tag, text.strip("\0 ")


def _warnings(values: dict[int, str], syntax: str) -> Iterator[dict[str, Any]]:
    if syntax not in SUPPORTED_TRANSFER_SYNTAXES:
        message = "The transfer syntax is not supported; the pixel data is stored as a blob"
        yield Warning.UNSUPPORTED_TRANSFER_SYNTAX.document(message)
    malformed = [
        keyword
        for tag, keyword in _REQUIRED.items()
        if _CONFORMING_UID.fullmatch(values[tag]) is None
    ]
    if malformed:
        message = f"Not conforming to the value representation UI: {', '.join(malformed)}"
        yield Warning.INVALID_UID_FORMAT.document(message)
    overlong = [
        keyword for tag, (keyword, _, limit) in _LIMITS.items() if len(values.get(tag, "")) > limit
    ]
    if overlong:
        message = f"Longer than the value representation allows: {', '.join(overlong)}"
        yield Warning.INVALID_DICOM_VALUE_LENGTH.document(message)
