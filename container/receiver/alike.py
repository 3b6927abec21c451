"""The commands of a series: each C-STORE-RQ is like the one before but for Message ID and SOP Instance UID."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from receiver.dimse import (
    ELEMENT,
    GROUP_LENGTH,
    MESSAGE_ID,
    SOP_INSTANCE,
    US,
    Command,
    CommandField,
    decode,
)

MAX_KEPT_BYTES = 1024
"""Longest command set that is kept to compare the next one with: a parked association holds it."""

_UL = struct.Struct("<L")
_GROUP_LENGTH_HEADER = ELEMENT.pack(0, 0, 4)


class Alike(NamedTuple):
    """A C-STORE-RQ of a series, apart from Message ID and SOP Instance UID.

    Attributes:
        command: One of them.
        before_id: What comes between Command Group Length and the Message ID.
        after_id: Between that and the length of the SOP Instance UID.
        rest: After the SOP Instance UID.
    """

    command: Command
    before_id: bytes
    after_id: bytes
    rest: bytes


class Decoder:
    """`decode` for the commands of one association.

    Those of a series differ in Message ID and SOP Instance UID alone, so most are read by comparing
    everything else with the C-STORE-RQ before.
    """

    __slots__ = ("_after_id", "_before_id", "_command", "_rest", "_uid_length_at")

    def __init__(self) -> None:
        self._command: Command | None = None
        self._before_id = self._after_id = self._rest = b""
        """What came between Command Group Length and the Message ID, between that and the length of the
        SOP Instance UID, and after it."""
        self._uid_length_at = 0

    def decode(self, data: bytes) -> Command:
        """Read a command set as `decode` does.

        Raises:
            ProtocolError: It is none.
        """
        return self._decode_alike(data) or self._remember(data, decode(data))

    @property
    def alike(self) -> Alike | None:
        """What the next command of the series will be like; None if the last was no C-STORE-RQ to go by."""
        if self._command is None:
            return None
        return Alike(self._command, self._before_id, self._after_id, self._rest)

    def _decode_alike(self, data: bytes) -> Command | None:
        command, at = self._command, self._uid_length_at
        if command is None or len(data) < at + _UL.size:
            return None
        id_at = GROUP_LENGTH.size + len(self._before_id)
        uid_at = at + _UL.size
        uid_end = uid_at + _UL.unpack_from(data, at)[0]
        if (
            not uid_at < uid_end <= len(data)
            or data[: ELEMENT.size] != _GROUP_LENGTH_HEADER
            or data[GROUP_LENGTH.size : id_at] != self._before_id
            or data[id_at + US.size : at] != self._after_id
            or data[uid_end:] != self._rest
        ):
            return None
        return Command(
            command.field,
            US.unpack_from(data, id_at)[0],
            command.has_dataset,
            command.sop_class,
            data[uid_at:uid_end],
            command.type_id,
            command.status,
        )

    def _remember(self, data: bytes, command: Command) -> Command:
        """Keep a C-STORE-RQ that is as PS3.7 table 9.3-1 and section 6.3.1 have it: elements in their order, each once."""
        self._command = None
        self._before_id = self._after_id = self._rest = b""
        if len(data) > MAX_KEPT_BYTES:
            return command
        found = tuple(_positions(data))
        elements = [element for element, *_ in found]
        values = {element: (at, length) for element, at, length in found}
        if (
            command.field == CommandField.C_STORE_RQ
            and elements == sorted(values)
            and elements[0] == 0
            and values.keys() >= {MESSAGE_ID, SOP_INSTANCE}
            and data[: ELEMENT.size] == _GROUP_LENGTH_HEADER
        ):
            id_at, _ = values[MESSAGE_ID]
            uid_at, uid_length = values[SOP_INSTANCE]
            self._uid_length_at = uid_at - _UL.size
            self._before_id = data[GROUP_LENGTH.size : id_at]
            self._after_id = data[id_at + US.size : self._uid_length_at]
            self._rest = data[uid_at + uid_length :]
            self._command = command
        return command


def _positions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield element number, place and length of each value of a command set that `decode` has read."""
    at = 0
    while at < len(data):
        _, element, length = ELEMENT.unpack_from(data, at)
        at += ELEMENT.size
        yield element, at, length
        at += length
