"""DIMSE command sets (PS3.7 annex E): always Implicit VR Little Endian, decoded and encoded by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, NoReturn

from contract.reasons import WireReason
from receiver.pdu import AbortReason, ProtocolError
from receiver.status import Status
from receiver.syntaxes import uid_fault

MAX_COMMAND_BYTES = 65_536
"""Longest command set that is collected; a C-STORE-RQ takes about 200 bytes."""
MAX_KEPT_BYTES = 1024
"""Longest command set that is kept to compare the next one with: a parked association holds it."""
NO_DATASET = 0x0101
"""Command Data Set Type (0000,0800) that says that no data set follows."""
RESPONSE = 0x8000
"""Bit of Command Field that makes a response."""


class CommandField(IntEnum):
    """Command Field (0000,0100) of the requests of PS3.7 table E.1-1."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_GET_RQ = 0x0110
    N_SET_RQ = 0x0120
    N_ACTION_RQ = 0x0130
    N_CREATE_RQ = 0x0140
    N_DELETE_RQ = 0x0150
    C_CANCEL_RQ = 0x0FFF


N_EVENT_REPORT_RSP = CommandField.N_EVENT_REPORT_RQ | RESPONSE
"""The only response that this receiver waits for."""


class Command(NamedTuple):
    """What this receiver needs of a command set.

    Attributes:
        field: Command Field (0000,0100).
        message_id: Message ID (0000,0110).
        has_dataset: Whether a data set follows.
        sop_class: Affected or Requested SOP Class UID as sent, padding and all; empty if absent.
        sop_instance: Affected or Requested SOP Instance UID, likewise.
        type_id: Event Type ID (0000,1002) or Action Type ID (0000,1008); None if there is none.
        status: Status (0000,0900) of a response; None if there is none.
    """

    field: int
    message_id: int
    has_dataset: bool
    sop_class: bytes
    sop_instance: bytes
    type_id: int | None = None
    status: int | None = None


_ELEMENT = struct.Struct("<HHL")
_US = struct.Struct("<H")
_UL = struct.Struct("<L")
_US_ELEMENT = struct.Struct("<HHLH")
_GROUP_LENGTH = struct.Struct("<HHLL")
_SOP_CLASS = 0x0002
_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_RESPONDED_ID = 0x0120
_DATASET_TYPE = 0x0800
_STATUS = 0x0900
_EVENT_TYPE = 0x1002
_ACTION_TYPE = 0x1008
_SOP_INSTANCE = 0x1000
_GROUP_LENGTH_HEADER = _ELEMENT.pack(0, 0, 4)


def decode(data: bytes) -> Command:
    """Read a command set.

    Raises:
        ProtocolError: It is none (rows 17 and 18).
    """
    elements: dict[int, bytes] = {}
    start, end = 0, len(data)
    while start < end:
        if start + _ELEMENT.size > end:
            _bad(f"{end - start} bytes after the last element")
        group, element, length = _ELEMENT.unpack_from(data, start)
        start += _ELEMENT.size
        if group or start + length > end:
            _bad(f"({group:04X},{element:04X}) of {length} bytes in a command set")
        elements[element] = data[start : start + length]
        start += length
    field = _number(elements, _FIELD)
    # A C-CANCEL-RQ and every response have (0000,0120) in its place.
    id_element = (
        _RESPONDED_ID if field & RESPONSE or field == CommandField.C_CANCEL_RQ else _MESSAGE_ID
    )
    return Command(
        field,
        _number(elements, id_element),
        _number(elements, _DATASET_TYPE) != NO_DATASET,
        elements.get(_SOP_CLASS) or elements.get(0x0003, b""),
        elements.get(_SOP_INSTANCE) or elements.get(0x1001, b""),
        _optional_number(elements, _ACTION_TYPE, _EVENT_TYPE),
        _optional_number(elements, _STATUS),
    )


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

    def _decode_alike(self, data: bytes) -> Command | None:
        command, at = self._command, self._uid_length_at
        if command is None or len(data) < at + _UL.size:
            return None
        id_at = _GROUP_LENGTH.size + len(self._before_id)
        uid_at = at + _UL.size
        uid_end = uid_at + _UL.unpack_from(data, at)[0]
        if (
            not uid_at < uid_end <= len(data)
            or data[: _ELEMENT.size] != _GROUP_LENGTH_HEADER
            or data[_GROUP_LENGTH.size : id_at] != self._before_id
            or data[id_at + _US.size : at] != self._after_id
            or data[uid_end:] != self._rest
        ):
            return None
        return Command(
            command.field,
            _US.unpack_from(data, id_at)[0],
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
            and values.keys() >= {_MESSAGE_ID, _SOP_INSTANCE}
            and data[: _ELEMENT.size] == _GROUP_LENGTH_HEADER
        ):
            id_at, _ = values[_MESSAGE_ID]
            uid_at, uid_length = values[_SOP_INSTANCE]
            self._uid_length_at = uid_at - _UL.size
            self._before_id = data[_GROUP_LENGTH.size : id_at]
            self._after_id = data[id_at + _US.size : self._uid_length_at]
            self._rest = data[uid_at + uid_length :]
            self._command = command
        return command


def _positions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield element number, place and length of each value of a command set that `decode` has read."""
    at = 0
    while at < len(data):
        _, element, length = _ELEMENT.unpack_from(data, at)
        at += _ELEMENT.size
        yield element, at, length
        at += length


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element)
    if value is None or len(value) != _US.size:
        _bad(f"(0000,{element:04X}) is missing or not a number")
    return int(_US.unpack(value)[0])


def _optional_number(elements: dict[int, bytes], *names: int) -> int | None:
    """Return the first of `names` that is there and a number."""
    for name in names:
        value = elements.get(name)
        if value is not None and len(value) == _US.size:
            return int(_US.unpack(value)[0])
    return None


def _bad(detail: str) -> NoReturn:
    raise ProtocolError(AbortReason.NOT_SPECIFIED, WireReason.DIMSE_BAD, detail)


def encode_response(command: Command, status: Status, comment: str = "") -> bytes:
    """Return the command set of the response to `command`.

    Args:
        command: The request.
        status: Its outcome.
        comment: Error Comment (0000,0902), at most 64 ASCII characters: what the sender's operator sees.
    """
    instance = _uid(_SOP_INSTANCE, command.sop_instance)
    before, after = _around_id(
        command.field, command.sop_class, int(status), comment, len(instance)
    )
    return before + _US.pack(command.message_id) + after + instance


@lru_cache(maxsize=64)
def _around_id(
    field: int, sop_class: bytes, status: int, comment: str, instance_length: int
) -> tuple[bytes, bytes]:
    """Return what comes before the value of (0000,0120), and what comes between it and (0000,1000)."""
    before = (
        _uid(_SOP_CLASS, sop_class)
        + _US_ELEMENT.pack(0, _FIELD, 2, field | RESPONSE)
        + _ELEMENT.pack(0, _RESPONDED_ID, 2)
    )
    after = (
        _US_ELEMENT.pack(0, _DATASET_TYPE, 2, NO_DATASET)
        + _US_ELEMENT.pack(0, _STATUS, 2, status)
        + _text(0x0902, comment)
    )
    length = len(before) + _US.size + len(after) + instance_length
    return _GROUP_LENGTH.pack(0, 0, 4, length) + before, after


def encode_event_report(
    message_id: int, sop_class: str, sop_instance: str, event_type: int
) -> bytes:
    """Return the command set of an N-EVENT-REPORT-RQ with Event Information (PS3.7 table 10.3-1)."""
    elements = b"".join(
        (
            _uid(_SOP_CLASS, sop_class.encode()),
            _US_ELEMENT.pack(0, _FIELD, 2, CommandField.N_EVENT_REPORT_RQ),
            _US_ELEMENT.pack(0, _MESSAGE_ID, 2, message_id),
            _US_ELEMENT.pack(0, _DATASET_TYPE, 2, NO_DATASET - 1),
            _uid(_SOP_INSTANCE, sop_instance.encode()),
            _US_ELEMENT.pack(0, _EVENT_TYPE, 2, event_type),
        )
    )
    return _GROUP_LENGTH.pack(0, 0, 4, len(elements)) + elements


def _uid(element: int, value: bytes) -> bytes:
    """Return a UID of the request; nothing if it was no UID (the fields are optional in a response)."""
    if uid_fault(value):
        return b""
    padded = value + b"\0" * (len(value) % 2)
    return _ELEMENT.pack(0, element, len(padded)) + padded


def _text(element: int, value: str) -> bytes:
    if not value:
        return b""
    encoded = value[:64].encode("ascii", "replace")
    encoded += b" " * (len(encoded) % 2)
    return _ELEMENT.pack(0, element, len(encoded)) + encoded
