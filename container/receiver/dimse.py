"""DIMSE command sets (PS3.7 annex E): always Implicit VR Little Endian, decoded and encoded by hand."""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, NoReturn

from contract.reasons import WireReason
from receiver.pdu import AbortReason, ProtocolError
from receiver.status import Status
from receiver.syntaxes import uid_fault

MAX_COMMAND_BYTES = 65_536
"""Longest command set that is collected; a C-STORE-RQ takes about 200 bytes."""
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


ELEMENT = struct.Struct("<HHL")
US = struct.Struct("<H")
_US_ELEMENT = struct.Struct("<HHLH")
GROUP_LENGTH = struct.Struct("<HHLL")
_SOP_CLASS = 0x0002
_FIELD = 0x0100
MESSAGE_ID = 0x0110
_RESPONDED_ID = 0x0120
_DATASET_TYPE = 0x0800
_STATUS = 0x0900
_EVENT_TYPE = 0x1002
_ACTION_TYPE = 0x1008
SOP_INSTANCE = 0x1000


def decode(data: bytes) -> Command:
    """Read a command set.

    Raises:
        ProtocolError: It is none (rows 17 and 18).
    """
    elements: dict[int, bytes] = {}
    start, end = 0, len(data)
    while start < end:
        if start + ELEMENT.size > end:
            _bad(f"{end - start} bytes after the last element")
        group, element, length = ELEMENT.unpack_from(data, start)
        start += ELEMENT.size
        if group or start + length > end:
            _bad(f"({group:04X},{element:04X}) of {length} bytes in a command set")
        elements[element] = data[start : start + length]
        start += length
    field = _number(elements, _FIELD)
    # A C-CANCEL-RQ and every response have (0000,0120) in its place.
    id_element = (
        _RESPONDED_ID if field & RESPONSE or field == CommandField.C_CANCEL_RQ else MESSAGE_ID
    )
    return Command(
        field,
        _number(elements, id_element),
        _number(elements, _DATASET_TYPE) != NO_DATASET,
        elements.get(_SOP_CLASS) or elements.get(0x0003, b""),
        elements.get(SOP_INSTANCE) or elements.get(0x1001, b""),
        _optional_number(elements, _ACTION_TYPE, _EVENT_TYPE),
        _optional_number(elements, _STATUS),
    )


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element)
    if value is None or len(value) != US.size:
        _bad(f"(0000,{element:04X}) is missing or not a number")
    return int(US.unpack(value)[0])


def _optional_number(elements: dict[int, bytes], *names: int) -> int | None:
    """Return the first of `names` that is there and a number."""
    for name in names:
        value = elements.get(name)
        if value is not None and len(value) == US.size:
            return int(US.unpack(value)[0])
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
    instance = _uid(SOP_INSTANCE, command.sop_instance)
    before, after = around_id(command.field, command.sop_class, int(status), comment, len(instance))
    return before + US.pack(command.message_id) + after + instance


@lru_cache(maxsize=64)
def around_id(
    field: int, sop_class: bytes, status: int, comment: str, instance_length: int
) -> tuple[bytes, bytes]:
    """Return what comes before the value of (0000,0120), and what comes between it and (0000,1000).

    The length of all, (0000,0000), stands in the first; `instance_length` is that of (0000,1000), header included.
    """
    before = (
        _uid(_SOP_CLASS, sop_class)
        + _US_ELEMENT.pack(0, _FIELD, 2, field | RESPONSE)
        + ELEMENT.pack(0, _RESPONDED_ID, 2)
    )
    after = (
        _US_ELEMENT.pack(0, _DATASET_TYPE, 2, NO_DATASET)
        + _US_ELEMENT.pack(0, _STATUS, 2, status)
        + _text(0x0902, comment)
    )
    length = len(before) + US.size + len(after) + instance_length
    return GROUP_LENGTH.pack(0, 0, 4, length) + before, after


def encode_event_report(
    message_id: int, sop_class: str, sop_instance: str, event_type: int
) -> bytes:
    """Return the command set of an N-EVENT-REPORT-RQ with Event Information (PS3.7 table 10.3-1)."""
    elements = b"".join(
        (
            _uid(_SOP_CLASS, sop_class.encode()),
            _US_ELEMENT.pack(0, _FIELD, 2, CommandField.N_EVENT_REPORT_RQ),
            _US_ELEMENT.pack(0, MESSAGE_ID, 2, message_id),
            _US_ELEMENT.pack(0, _DATASET_TYPE, 2, NO_DATASET - 1),
            _uid(SOP_INSTANCE, sop_instance.encode()),
            _US_ELEMENT.pack(0, _EVENT_TYPE, 2, event_type),
        )
    )
    return GROUP_LENGTH.pack(0, 0, 4, len(elements)) + elements


def _uid(element: int, value: bytes) -> bytes:
    """Return a UID of the request; nothing if it was no UID (the fields are optional in a response)."""
    if uid_fault(value):
        return b""
    padded = value + b"\0" * (len(value) % 2)
    return ELEMENT.pack(0, element, len(padded)) + padded


def _text(element: int, value: str) -> bytes:
    if not value:
        return b""
    encoded = value[:64].encode("ascii", "replace")
    encoded += b" " * (len(encoded) % 2)
    return ELEMENT.pack(0, element, len(encoded)) + encoded
