"""pydicom's own test files as a DICOM sender would send them, and what must become of each.

The expectation is worked out from pydicom's reading of the file, never from the receiver's, by the
rules of the bad-input table: known to be no instance of its context -> refused; everything else ->
Success, and the import decides.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pydicom

from tests.builders import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Instance
from tests.part10 import parse

_DATA = Path(pydicom.__file__).parent / "data"
_MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"


class Fate(Enum):
    """What must become of a file."""

    ACKED = "Success, the same bytes landed"
    NOT_SENDABLE = "no SOP class, instance or transfer syntax: no sender can send it"
    CONTEXT_REFUSED = "its presentation context is not accepted"
    TS_MISMATCH = "C000 and kept as refused: the dataset is not encoded as its file meta says"
    UID_MISSING = "C000 and kept as refused: the dataset does not say which instance it is"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, as an instance where it can be one, and its fate."""

    path: Path
    fate: Fate
    instance: Instance | None = None

    @property
    def is_part10(self) -> bool:
        """Whether it has a preamble: what command line senders take without being told."""
        return self.path.read_bytes()[128:132] == b"DICM"


def read_corpus() -> list[Sample]:
    """Return every file that the installed pydicom package carries, in a stable order."""
    files = (
        path for path in _DATA.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    )
    return [_sample(path) for path in sorted(files)]


def _sample(path: Path) -> Sample:
    data = path.read_bytes()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")  # the files are odd on purpose
        try:
            dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            meta = getattr(dataset, "file_meta", pydicom.Dataset())
            said = [str(dataset.get(name, "")) for name in ("SOPClassUID", "SOPInstanceUID")]
            filed = [
                str(meta.get(name, ""))
                for name in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID")
            ]
            syntax = str(meta.get("TransferSyntaxUID", "")) or _guessed_syntax(dataset)
        except Exception:  # noqa: BLE001 - whatever pydicom thinks of a text file, it is no instance
            return Sample(path, Fate.NOT_SENDABLE)
    sop_class_uid, sop_instance_uid = (s or f for s, f in zip(said, filed, strict=True))
    if not (sop_class_uid and sop_instance_uid and syntax):
        return Sample(path, Fate.NOT_SENDABLE)
    content = parse(data).dataset if data[128:132] == b"DICM" else data
    instance = Instance(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=syntax,
        pieces=((content, 1),),
        name=path.name,
    )
    if sop_class_uid == _MEDIA_STORAGE_DIRECTORY or syntax == DEFLATED:
        return Sample(path, Fate.CONTEXT_REFUSED, instance)
    if any("Expected explicit VR, but found implicit VR" in str(one.message) for one in told):
        return Sample(path, Fate.TS_MISMATCH, instance)
    return Sample(path, Fate.ACKED if all(said) else Fate.UID_MISSING, instance)


def _guessed_syntax(dataset: pydicom.Dataset) -> str:
    implicit, little = dataset.original_encoding
    if implicit:
        return IMPLICIT_LITTLE
    return EXPLICIT_LITTLE if little else EXPLICIT_BIG
