"""A-ASSOCIATE-RQ and A-ASSOCIATE-AC (PS3.8 sections 9.3.2 and 9.3.3, PS3.7 annex D.3): bytes and data.

Decoded here and not by pynetdicom: 128 contexts take its classes 17 ms on the thread that other
associations wait for, a few hundred microseconds here, and senders that open one association per image
are common. pynetdicom's classes are the oracle of the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from contract.reasons import WireReason
from receiver.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from receiver.pdu import HEADER, AbortReason, PduType, ProtocolError
from receiver.syntaxes import APPLICATION_CONTEXT

MAX_CONTEXTS = 128
"""Odd ids of one byte."""

_FIXED = struct.Struct(">HH16s16s32x")
_ITEM = struct.Struct(">BxH")
_TWO = struct.Struct(">HH")

_APPLICATION_CONTEXT = 0x10
_CONTEXT_RQ = 0x20
_CONTEXT_AC = 0x21
_ABSTRACT_SYNTAX = 0x30
_TRANSFER_SYNTAX = 0x40
_USER_INFORMATION = 0x50
_MAXIMUM_LENGTH = 0x51
_IMPLEMENTATION_CLASS = 0x52
_ASYNCHRONOUS_WINDOW = 0x53
_ROLE_SELECTION = 0x54
_IMPLEMENTATION_VERSION = 0x55


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context as proposed: its id is odd and unique, it has a transfer syntax."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection for one SOP class (PS3.7 D.3.3.4): which roles the requestor would take."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ.

    Extended negotiation, common extended negotiation and user identity items are legal and ignored: this
    receiver does the same for everyone, and it authenticates by network and TLS, so it must not say that
    it verified a name.

    Attributes:
        protocol_version: Bit field; bit 0 is version 1.
        called: The 16 bytes of the called AE title.
        calling: The 16 bytes of the calling AE title.
        application_context: Empty if there was no such item.
        contexts: In the order proposed.
        maximum_length: Longest P-DATA-TF that the peer takes; 0 for no limit (also when it did not say).
        window: Proposed asynchronous operations (invoked, performed), None if not proposed.
        roles: Role selections proposed.
        implementation: Implementation class UID and version name, for the log.
    """

    protocol_version: int
    called: bytes
    calling: bytes
    application_context: str
    contexts: tuple[ProposedContext, ...]
    maximum_length: int = 0
    window: tuple[int, int] | None = None
    roles: tuple[Role, ...] = ()
    implementation: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The answer to one proposed context (PS3.8 table 9-18)."""

    context_id: int
    result: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What an A-ASSOCIATE-AC says."""

    contexts: tuple[ContextResult, ...]
    window: tuple[int, int] | None
    roles: tuple[Role, ...]
    maximum_length: int


def _invalid(detail: str, reason: WireReason = WireReason.PDU_INVALID) -> NoReturn:
    raise ProtocolError(AbortReason.INVALID_PARAMETER_VALUE, reason, detail)


def _items(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and end of each item of `data` from `start` to `end`."""
    while start < end:
        if start + _ITEM.size > end:
            _invalid(f"{end - start} bytes after the last item")
        kind, length = _ITEM.unpack_from(data, start)
        start += _ITEM.size
        if start + length > end:
            _invalid(f"item 0x{kind:02X} is longer than what holds it")
        yield kind, start, start + length
        start += length


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].rstrip(b"\0 ").decode("ascii", "backslashreplace")


def decode_request(body: bytes) -> AssociateRequest:
    """Read an A-ASSOCIATE-RQ from what follows its PDU header.

    Raises:
        ProtocolError: Lengths or items are wrong, or a context id or its syntaxes are (row 13).
    """
    if len(body) < _FIXED.size:
        _invalid(f"A-ASSOCIATE-RQ of {len(body)} bytes")
    version, _, called, calling = _FIXED.unpack_from(body)
    application_context = ""
    contexts: dict[int, ProposedContext] = {}
    user_information: dict[str, object] = {}
    for kind, start, end in _items(body, _FIXED.size, len(body)):
        if kind == _APPLICATION_CONTEXT:
            application_context = _text(body, start, end)
        elif kind == _CONTEXT_RQ:
            context = _decode_context(body, start, end)
            if context.context_id in contexts:
                _invalid(f"context id {context.context_id} twice", WireReason.CX_BAD)
            contexts[context.context_id] = context
        elif kind == _USER_INFORMATION:
            user_information = _decode_user_information(body, start, end)
        # Others are ignored: PS3.8 9.3.1 wants unrecognized items to be.
    return AssociateRequest(
        protocol_version=version,
        called=called,
        calling=calling,
        application_context=application_context,
        contexts=tuple(contexts.values()),
        **user_information,  # type: ignore[arg-type]  # keys are fields, see below
    )


def _decode_context(body: bytes, start: int, end: int) -> ProposedContext:
    if end - start < _ITEM.size:
        _invalid(f"presentation context of {end - start} bytes", WireReason.CX_BAD)
    context_id = body[start]
    if not context_id % 2:
        _invalid(f"context id {context_id} is even", WireReason.CX_BAD)
    abstract_syntax = ""
    transfer_syntaxes = []
    for kind, item_start, item_end in _items(body, start + 4, end):
        if kind == _ABSTRACT_SYNTAX:
            abstract_syntax = _text(body, item_start, item_end)
        elif kind == _TRANSFER_SYNTAX:
            transfer_syntaxes.append(_text(body, item_start, item_end))
    if not transfer_syntaxes:
        _invalid(f"context {context_id} has no transfer syntax", WireReason.CX_BAD)
    return ProposedContext(context_id, abstract_syntax, tuple(transfer_syntaxes))


def _decode_user_information(body: bytes, start: int, end: int) -> dict[str, object]:
    found: dict[str, object] = {}
    roles = []
    class_uid = version_name = ""
    for kind, item_start, item_end in _items(body, start, end):
        length = item_end - item_start
        if kind == _MAXIMUM_LENGTH:
            if length != 4:  # noqa: PLR2004 - an unsigned long, PS3.8 D.1
                _invalid(f"maximum length item of {length} bytes")
            found["maximum_length"] = int.from_bytes(body[item_start:item_end], "big")
        elif kind == _ASYNCHRONOUS_WINDOW:
            if length != _TWO.size:
                _invalid(f"asynchronous operations window item of {length} bytes")
            found["window"] = _TWO.unpack_from(body, item_start)
        elif kind == _ROLE_SELECTION:
            roles.append(_decode_role(body, item_start, item_end))
        elif kind == _IMPLEMENTATION_CLASS:
            class_uid = _text(body, item_start, item_end)
        elif kind == _IMPLEMENTATION_VERSION:
            version_name = _text(body, item_start, item_end)
    return found | {"roles": tuple(roles), "implementation": (class_uid, version_name)}


def _decode_role(body: bytes, start: int, end: int) -> Role:
    uid_length = int.from_bytes(body[start : start + 2], "big")
    uid_end = start + 2 + uid_length
    if end - start < 4 or uid_end + 2 != end:  # noqa: PLR2004 - length field and two roles
        _invalid("role selection item with a wrong length")
    return Role(_text(body, start + 2, uid_end), body[uid_end] == 1, body[uid_end + 1] == 1)


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def encode_accept(request: AssociateRequest, acceptance: Acceptance) -> bytes:
    """Return the A-ASSOCIATE-AC that answers `request`."""
    user_information = [
        _item(_MAXIMUM_LENGTH, acceptance.maximum_length.to_bytes(4, "big")),
        _item(_IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode()),
    ]
    if acceptance.window is not None:
        user_information.append(_item(_ASYNCHRONOUS_WINDOW, _TWO.pack(*acceptance.window)))
    for role in acceptance.roles:
        uid = role.sop_class_uid.encode("ascii", "replace")
        content = len(uid).to_bytes(2, "big") + uid + bytes((role.scu, role.scp))
        user_information.append(_item(_ROLE_SELECTION, content))
    user_information.append(_item(_IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME.encode()))
    body = b"".join(
        (
            # The titles are sent back as they came, PS3.8 table 9-17.
            struct.pack(">HH16s16s32x", 1, 0, request.called, request.calling),
            _item(_APPLICATION_CONTEXT, APPLICATION_CONTEXT.encode()),
            _encode_contexts(acceptance.contexts),
            _item(_USER_INFORMATION, b"".join(user_information)),
        )
    )
    return HEADER.pack(PduType.ASSOCIATE_AC, len(body)) + body


def _encode_contexts(contexts: Sequence[ContextResult]) -> bytes:
    return b"".join(
        _item(
            _CONTEXT_AC,
            bytes((context.context_id, 0, context.result, 0))
            # Not significant when refused, but the item must be there (PS3.8 table 9-18).
            + _item(_TRANSFER_SYNTAX, context.transfer_syntax.encode()),
        )
        for context in contexts
    )
