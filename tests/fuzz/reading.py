"""What a session's bytes say, read a second time and without the receiver's code: for the oracle."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.raw_pdus import elements_of

C_STORE_RSP, C_CANCEL_RQ, N_ACTION_RQ = 0x8001, 0x0FFF, 0x0130
_NO_DATASET = 0x0101
_COMMAND, _LAST = 1, 2
_P_DATA = 4
_PDV_HEAD = 2


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: its command set's elements and its data set."""

    elements: dict[int, bytes]
    dataset: bytes

    def number(self, tag: int) -> int:
        """Return an element of VR US; -1 if there is none."""
        value = self.elements.get(tag, b"")
        return int.from_bytes(value, "little") if len(value) == 2 else -1

    @property
    def sop_instance_uid(self) -> str:
        """The Affected SOP Instance UID without its padding."""
        return self.elements.get(0x1000, b"").rstrip(b"\0 ").decode("latin-1")


def messages_of(session: bytes) -> list[Message]:
    """Return a session's whole messages, up to the first thing that is no part of one."""
    found: list[Message] = []
    command, dataset = bytearray(), bytearray()
    elements: dict[int, bytes] | None = None
    for control, content in _fragments(session):
        if control & _COMMAND:
            command += content
        else:
            dataset += content
        if not control & _LAST:
            continue
        if control & _COMMAND:
            try:
                elements = dict(elements_of(bytes(command)))
            except struct.error:
                return found
            message = Message(elements, b"")
            if message.number(0x0800) != _NO_DATASET:
                continue
        elif elements is None:
            return found
        found.append(Message(elements, bytes(dataset)))
        command, dataset, elements = bytearray(), bytearray(), None
    return found


def _fragments(session: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield message control header and content of each whole PDV, before whatever is wrong behind it."""
    position = 0
    while position + 6 <= len(session):
        kind, length = struct.unpack_from(">BxI", session, position)
        position += 6
        end = position + length
        if kind == _P_DATA:
            while position < end:
                if position + 6 > len(session):
                    return
                size, control = struct.unpack_from(">IxB", session, position)
                after = position + 4 + size
                if size < _PDV_HEAD or after > min(end, len(session)):
                    return
                yield control, session[position + 6 : after]
                position = after
        elif position != 6:
            return
        position = end


def statuses_of(answers: bytes) -> list[tuple[int, int]]:
    """Return command field and status of each response in what the receiver sent."""
    return [(m.number(0x0100), m.number(0x0900)) for m in messages_of(answers)]
