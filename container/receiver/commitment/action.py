"""The Action Information of a storage commitment request (PS3.4 table J.3-1): bytes to references.

Decoded here and not by pydicom: what pydicom makes of 4 MiB of tiny elements takes hundreds of megabytes,
and this memory is nobody's budget. pydicom is the oracle of the tests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from receiver.syntaxes import uid_text

MAX_ACTION_BYTES = 4 * 1024 * 1024
"""Longest Action Information that is taken: MAX_REFERENCES in the longest encoding need 2 MiB."""
MAX_REFERENCES = 10_000
"""Most references of one request; 1.5 times the slices of the largest CT, and devices ask by study."""
MAX_DEPTH = 16
"""Deepest nesting that is read over; what is asked for stands in the first item level."""

_TRANSACTION_UID = 0x00081195
_REFERENCES = 0x00081199
_CLASS = 0x00081150
_INSTANCE = 0x00081155
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR",
                       b"UT", b"UV"))  # fmt: skip
_UID = frozenset("0123456789.")
_MAX_UID = 64
_TAG = struct.Struct("<HH")
_SHORT = struct.Struct("<H")
_LONG = struct.Struct("<L")


class ActionError(Exception):
    """The Action Information cannot be used; the message has tags and numbers, never a value."""


class TooManyError(ActionError):
    """It has more references than are taken."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One instance that the requester asks about, UIDs as sent without their padding."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Action:
    """What is asked."""

    transaction_uid: str
    references: tuple[Reference, ...]


def decode_action(data: bytes, *, implicit: bool) -> Action:
    """Read an Action Information in a little endian encoding.

    Raises:
        TooManyError: It has more than MAX_REFERENCES references.
        ActionError: It is no data set, or lacks the Transaction UID or any reference.
    """
    try:
        return _Reader(data, implicit=implicit).read()
    except struct.error:
        raise ActionError("the data set ends within an element") from None


def is_uid(text: str) -> bool:
    """Return whether `text` may be a UID, components with a leading zero included."""
    return 0 < len(text) <= _MAX_UID and _UID.issuperset(text)


class _Reader:
    def __init__(self, data: bytes, *, implicit: bool) -> None:
        self._data = data
        self._end = len(data)
        self._at = 0
        self._implicit = implicit

    def read(self) -> Action:
        transaction = ""
        references: tuple[Reference, ...] | None = None
        while self._at < self._end:
            tag, length = self._header()
            if tag == _TRANSACTION_UID:
                transaction = self._uid(length)
            elif tag == _REFERENCES and references is None:
                references = tuple(self._references(length))
            elif tag == _REFERENCES:
                raise ActionError("(0008,1199) Referenced SOP Sequence stands there twice")
            else:
                self._skip(length)
        if not is_uid(transaction):
            raise ActionError("(0008,1195) Transaction UID is missing or no UID")
        if not references:
            raise ActionError("(0008,1199) Referenced SOP Sequence is missing or empty")
        return Action(transaction, references)

    def _header(self) -> tuple[int, int]:
        group, element = _TAG.unpack_from(self._data, self._at)
        tag = group << 16 | element
        self._at += 4
        if self._implicit or group == 0xFFFE:  # noqa: PLR2004 - items and delimiters have no VR
            length = _LONG.unpack_from(self._data, self._at)[0]
            self._at += 4
        elif self._data[self._at : self._at + 2] in _LONG_VRS:
            length = _LONG.unpack_from(self._data, self._at + 4)[0]
            self._at += 8
        else:
            length = _SHORT.unpack_from(self._data, self._at + 2)[0]
            self._at += 4
        if length != _UNDEFINED and self._at + length > self._end:
            raise ActionError(
                f"({group:04X},{element:04X}) of {length} bytes is longer than the rest"
            )
        return tag, length

    def _references(self, length: int) -> list[Reference]:
        found: list[Reference] = []
        end = self._end if length == _UNDEFINED else self._at + length
        while self._at < end:
            tag, item_length = self._header()
            if tag == _SEQUENCE_END and length == _UNDEFINED:
                return found
            if tag != _ITEM:
                raise ActionError("something else than an item in (0008,1199)")
            if len(found) == MAX_REFERENCES:
                raise TooManyError(f"more than {MAX_REFERENCES} references")
            found.append(self._reference(item_length))
        if self._at != end or length == _UNDEFINED:
            raise ActionError("(0008,1199) does not end where it should")
        return found

    def _reference(self, length: int) -> Reference:
        sop_class = sop_instance = ""
        end = self._end if length == _UNDEFINED else self._at + length
        closed = length != _UNDEFINED
        while self._at < end:
            tag, element_length = self._header()
            if tag == _ITEM_END and not closed:
                closed = True
                break
            if tag == _CLASS:
                sop_class = self._uid(element_length)
            elif tag == _INSTANCE:
                sop_instance = self._uid(element_length)
            else:
                self._skip(element_length)
        if not closed or (length != _UNDEFINED and self._at != end):
            raise ActionError("an item of (0008,1199) does not end where it should")
        if not is_uid(sop_class) or not is_uid(sop_instance):
            raise ActionError(
                "an item of (0008,1199) lacks (0008,1150) or (0008,1155), or it is no UID"
            )
        return Reference(sop_class, sop_instance)

    def _uid(self, length: int) -> str:
        if length == _UNDEFINED:
            raise ActionError("a UID of undefined length")
        raw = self._data[self._at : self._at + length]
        self._at += length
        return uid_text(raw)

    def _skip(self, length: int) -> None:
        """Read over a value; one of undefined length by its items, which may nest."""
        if length != _UNDEFINED:
            self._at += length
            return
        depth = 1
        while depth:
            tag, inner = self._header()
            if tag in (_ITEM_END, _SEQUENCE_END):
                depth -= 1
            elif inner == _UNDEFINED:
                depth += 1
                if depth > MAX_DEPTH:
                    raise ActionError(f"sequences nested deeper than {MAX_DEPTH}")
            else:
                self._at += inner
