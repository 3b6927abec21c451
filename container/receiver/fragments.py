"""P-DATA-TF PDUs as a sequence of fragments (PDVs), whatever PDUs they come in and wherever they are cut."""

from __future__ import annotations

from contract.reasons import WireReason
from receiver.pdu import (
    BOTH_HEADERS,
    HEADER,
    OVERSHOOT_BYTES,
    PDU_TYPES,
    PDV_HEADER,
    AbortReason,
    PduType,
    ProtocolError,
    unknown_pdu,
)
from receiver.stream import Stream

_P_DATA_TF = PduType.P_DATA_TF.value  # an enum's member costs a look-up in its class
_NO_CONTENT = 2  # a PDV item of context id and control header alone
HEADERS_BYTES = BOTH_HEADERS.size
"""A PDU's header and that of the fragment which it starts with."""
MAX_EMPTY = 16
"""Fragments without a byte in one message: legal, but nobody sends more than one (row 21)."""


class PduArrivedError(Exception):
    """Another PDU than P-DATA-TF came where a fragment may start; its header is read, its body is not.

    Attributes:
        kind: Its type.
        length: Of its body.
    """

    def __init__(self, kind: PduType, length: int) -> None:
        self.kind = kind
        self.length = length
        super().__init__(kind.name)


class Fragments:
    """Reads fragment headers; the content is the caller's to read from the stream.

    Attributes:
        context_id: Of the current fragment.
        control: Its message control header.
        length: Bytes of its content.
    """

    __slots__ = (
        "_empty",
        "_left",
        "_maximum",
        "_most",
        "_stream",
        "context_id",
        "control",
        "length",
    )

    def __init__(self, stream: Stream, maximum_length: int) -> None:
        self._stream = stream
        self._maximum = maximum_length + OVERSHOOT_BYTES
        self._most = self._maximum - 4
        self._left = 0  # bytes of the current PDU that are not read
        self._empty = 0
        self.context_id = 0
        self.control = 0
        self.length = 0

    def start_message(self) -> None:
        """Say that the next fragment is a message's first."""
        self._empty = 0

    @property
    def left(self) -> int:
        """Bytes of the current PDU beyond the current fragment."""
        return self._left

    def go_on(self, context_id: int, control: int, length: int, left: int) -> None:
        """Go on in a fragment of which `length` bytes are to come, and then `left` bytes of its PDU."""
        self.context_id, self.control, self.length, self._left = context_id, control, length, left
        self._empty = 0  # the part in C stops before the first one

    def next(self) -> None:
        """Read the header of the next fragment.

        Raises:
            PduArrivedError: Another PDU came instead.
            ProtocolError: A length is wrong, or a PDU of no known type came.
            StreamEndedError: Nothing more comes.
        """
        stream = self._stream
        if not self._left:
            if stream.end - stream.start >= BOTH_HEADERS.size:
                # What nearly always is the case: both headers are there, and all is well.
                kind, size, length, context_id, control = BOTH_HEADERS.unpack_from(
                    stream.buffer, stream.start
                )
                if kind == _P_DATA_TF and _NO_CONTENT < length <= size - 4 <= self._most:
                    stream.start += BOTH_HEADERS.size
                    self._left = size - 4 - length
                    self.length = length - _NO_CONTENT
                    self.context_id = context_id
                    self.control = control
                    return
            stream.need(HEADER.size)
            kind, length = HEADER.unpack_from(stream.buffer, stream.start)
            if kind != _P_DATA_TF:
                self._leave(kind)
                stream.start += HEADER.size
                raise PduArrivedError(PduType(kind), length)
            if length > self._maximum:
                raise ProtocolError(
                    AbortReason.INVALID_PARAMETER_VALUE,
                    WireReason.PDU_OVER_MAX,
                    f"P-DATA-TF of {length} bytes",
                )
            stream.start += HEADER.size
            self._left = length
        if self._left < PDV_HEADER.size:
            raise self._wrong_length(self._left)
        stream.need(PDV_HEADER.size)
        length, self.context_id, self.control = PDV_HEADER.unpack_from(stream.buffer, stream.start)
        stream.start += PDV_HEADER.size
        self._left -= 4 + length
        if length < _NO_CONTENT or self._left < 0:
            raise self._wrong_length(length)
        self.length = length - _NO_CONTENT
        if not self.length:
            self._count_empty()

    def _leave(self, kind: int) -> None:
        if kind not in PDU_TYPES:
            stream = self._stream
            raise unknown_pdu(bytes(stream.buffer[stream.start : stream.end]))

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > MAX_EMPTY:
            raise ProtocolError(
                AbortReason.NOT_SPECIFIED,
                WireReason.DIMSE_ORDER,
                f"{self._empty} empty fragments in a message",
            )

    @staticmethod
    def _wrong_length(length: int) -> ProtocolError:
        return ProtocolError(
            AbortReason.INVALID_PARAMETER_VALUE, WireReason.PDV_LEN, f"PDV item of {length} bytes"
        )
