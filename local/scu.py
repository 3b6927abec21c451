"""A storage SCU: finds DICOM files, proposes what they need, sends their datasets' bytes as they are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

MAX_CONTEXTS = 128
"""Presentation contexts of one association: odd numbers of one byte (PS3.8 9.3.2.2)."""
_PREAMBLE_BYTES = 128
_AE_TITLE = re.compile(r"(?=.*[^ ])[ -\[\]-~]{1,16}")
"""PS3.5 6.2: no backslash, no control character, not only spaces."""
_SUCCESS = 0x0000
_WARNINGS = range(0xB000, 0xC000)


class ConnectionFailedError(Exception):
    """No association could be opened; the message says why in plain words."""


class Outcome(Enum):
    """What became of a file."""

    STORED = "stored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to send and the context that it needs."""

    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str

    @property
    def context(self) -> tuple[str, str]:
        """Abstract and transfer syntax."""
        return self.sop_class_uid, self.transfer_syntax_uid


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom to send to."""

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str = "STORESCU"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file and, unless it was stored, why."""

    path: Path
    outcome: Outcome
    reason: str = ""


def find(paths: Sequence[Path]) -> Iterator[Candidate]:
    """Yield the DICOM files among `paths` and in their folders, known by their content."""
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                yield from (c for name in sorted(names) if (c := _candidate(Path(folder, name))))
        elif candidate := _candidate(path):
            yield candidate


def plan(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return the files by association, so that none needs more than MAX_CONTEXTS contexts."""
    associations: list[list[Candidate]] = []
    contexts: dict[tuple[str, str], int] = {}
    for candidate in candidates:
        number = contexts.setdefault(candidate.context, len(contexts) // MAX_CONTEXTS)
        if number == len(associations):
            associations.append([])
        associations[number].append(candidate)
    return associations


def send(
    candidates: Sequence[Candidate], receiver: Receiver, progress: Callable[[Result], None]
) -> None:
    """Send files over as many associations as needed, one after another.

    Args:
        candidates: From `find`.
        receiver: Whom to send to.
        progress: Called with each file's result.

    Raises:
        ConnectionFailedError: An association could not be opened.
    """
    _config.STORE_SEND_CHUNKED_DATASET = True  # the file's own bytes, never decoded
    for group in plan(candidates):
        association = _associate(receiver, group)
        try:
            for n, candidate in enumerate(group, start=1):
                progress(_send_one(association, candidate, n))
        finally:
            if association.is_established:
                association.release()


def _associate(receiver: Receiver, group: Sequence[Candidate]) -> Association:
    if _AE_TITLE.fullmatch(receiver.called_ae_title) is None:
        raise ConnectionFailedError(
            f"The AE title {receiver.called_ae_title!r} cannot be called: 1 to 16 ASCII characters."
        )
    ae = AE(ae_title=receiver.calling_ae_title)
    contexts = [
        build_context(sop, [syntax]) for sop, syntax in dict.fromkeys(c.context for c in group)
    ]
    association = ae.associate(
        receiver.host, receiver.port, contexts=contexts, ae_title=receiver.called_ae_title
    )
    where = f"{receiver.host} port {receiver.port}"
    if association.is_rejected:
        answer = association.acceptor.primitive
        raise ConnectionFailedError(
            f"{where} rejected the association: {answer.reason_str if answer else 'no reason given'}. "
            f"Check the AE title {receiver.called_ae_title!r}."
        )
    if not association.is_established and not _has_no_context(association):
        raise ConnectionFailedError(f"Nobody answers at {where}: is the receiver running?")
    return association


def _has_no_context(association: Association) -> bool:
    """Whether the peer accepted the association but none of its contexts, which ends it."""
    return bool(association.rejected_contexts) and not association.accepted_contexts


def _send_one(association: Association, candidate: Candidate, n: int) -> Result:
    accepted = {
        (context.abstract_syntax, context.transfer_syntax[0])
        for context in association.accepted_contexts
    }
    if candidate.context not in accepted:
        reason = f"the receiver does not take {candidate.sop_class_uid} in {candidate.transfer_syntax_uid}"
        return Result(candidate.path, Outcome.REFUSED, reason)
    if not association.is_established:
        return Result(candidate.path, Outcome.REFUSED, "the receiver ended the association")
    try:
        answer = association.send_c_store(candidate.path, msg_id=n % 65_535 + 1)
    except (ValueError, AttributeError, RuntimeError, OSError) as error:
        return Result(candidate.path, Outcome.REFUSED, f"it could not be sent ({error})")
    status = answer.get("Status")
    if status == _SUCCESS or status in _WARNINGS:
        return Result(candidate.path, Outcome.STORED)
    if status is None:
        return Result(candidate.path, Outcome.REFUSED, "no answer from the receiver")
    comment = str(answer.get("ErrorComment", "") or "no comment")
    return Result(candidate.path, Outcome.REFUSED, f"status {status:04X}: {comment}")


def _candidate(path: Path) -> Candidate | None:
    try:
        with path.open("rb") as file:
            file.seek(_PREAMBLE_BYTES)
            if file.read(4) != b"DICM":
                return None
        meta = read_file_meta_info(path)
        sop_class, syntax = str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except Exception:  # noqa: BLE001 (whatever is wrong with it, it is no file that can be sent)
        return None
    if sop_class == MediaStorageDirectoryStorage:
        return None  # a DICOMDIR describes files and is none of them
    return Candidate(path, sop_class, syntax)
