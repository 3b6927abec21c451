"""PDU framing (PS3.8 section 9.3): types, the PDUs of fixed form, and what breaks the protocol."""

from __future__ import annotations

import struct
from enum import IntEnum

from contract.reasons import WireReason

HEADER = struct.Struct(">BxL")
"""Type and length of every PDU."""
PDV_HEADER = struct.Struct(">LBB")
"""Item length, presentation context id, message control header."""
BOTH_HEADERS = struct.Struct(HEADER.format + PDV_HEADER.format.lstrip(">"))
"""Of a P-DATA-TF and of the fragment which it starts with."""
PDV_COMMAND = 0x01
"""Message control: the fragment is of a command set, else of a data set."""
PDV_LAST = 0x02
"""Message control: the last fragment."""
MAX_ASSOCIATE_BYTES = 1 << 20
"""Longest A-ASSOCIATE-RQ that is read: 128 contexts with every transfer syntax take about 200 KiB."""
UNLIMITED_BYTES = 65_536
"""Longest PDU with a data set for a peer that set no limit."""
OVERSHOOT_BYTES = 1024
"""Tolerated above the maximum length offered: some senders do not count the PDV headers in it."""


class PduType(IntEnum):
    """PDU types (PS3.8 section 9.3.1)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


PDU_TYPES = frozenset(PduType)


class AbortReason(IntEnum):
    """Reasons of an A-ABORT whose source is the service provider (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER_VALUE = 6


class ProtocolError(Exception):
    """The peer broke the protocol: the association ends with an A-ABORT (source 2).

    Attributes:
        abort: Reason in the A-ABORT.
        reason: Stable code for log and metric.
        detail: Numbers and names only, never bytes of the peer.
    """

    def __init__(self, abort: AbortReason, reason: WireReason, detail: str) -> None:
        self.abort = abort
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


RELEASE_RP = struct.pack(">BxLL", PduType.RELEASE_RP, 4, 0)
"""A-RELEASE-RP, always the same."""


def encode_abort(reason: AbortReason) -> bytes:
    """Return an A-ABORT from the service provider."""
    return struct.pack(">BxLxxBB", PduType.ABORT, 4, 2, reason)


def encode_reject(result: int, source: int, reason: int) -> bytes:
    """Return an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""
    return struct.pack(">BxLxBBB", PduType.ASSOCIATE_RJ, 4, result, source, reason)


def encode_command(context_id: int, command: bytes, maximum_length: int) -> bytes:
    """Return P-DATA-TF PDUs with one command set, none longer than the peer's maximum (0: no limit)."""
    return _encode_data(context_id, command, maximum_length, PDV_COMMAND)


def encode_dataset(context_id: int, dataset: bytes, maximum_length: int) -> bytes:
    """Return P-DATA-TF PDUs with one data set, likewise."""
    # A peer without a limit still need not have room for all of it at once.
    return _encode_data(context_id, dataset, maximum_length or UNLIMITED_BYTES, 0)


def _encode_data(context_id: int, data: bytes, maximum_length: int, kind: int) -> bytes:
    size = len(data) + PDV_HEADER.size
    if data and (size <= maximum_length or not maximum_length):  # what nearly always is the case
        head = BOTH_HEADERS.pack(PduType.P_DATA_TF, size, size - 4, context_id, kind | PDV_LAST)
        return head + data
    pieces = []
    most = max(maximum_length - PDV_HEADER.size, 1)
    for start in range(0, len(data), most):
        piece = data[start : start + most]
        control = kind | (PDV_LAST if start + most >= len(data) else 0)
        pieces.append(HEADER.pack(PduType.P_DATA_TF, len(piece) + PDV_HEADER.size))
        pieces.append(PDV_HEADER.pack(len(piece) + 2, context_id, control))
        pieces.append(piece)
    return b"".join(pieces)


_TLS_HANDSHAKE = 0x16


def unknown_pdu(first_bytes: bytes) -> ProtocolError:
    """Return the error for bytes that are no PDU, told apart by whether they look like another protocol.

    A scanner or a wrong port is an event of its own: nobody's modality is broken.
    """
    first = first_bytes[0]
    foreign = first == _TLS_HANDSHAKE or first_bytes[:1].isalpha() or b"SMB" in first_bytes
    return ProtocolError(
        AbortReason.UNRECOGNIZED_PDU,
        WireReason.NOT_DICOM if foreign else WireReason.PDU_UNKNOWN,
        f"first byte 0x{first:02X}",
    )
