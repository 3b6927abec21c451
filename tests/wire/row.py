"""One row of the bad-input table as data: what a peer sends, what it must be answered, what is said of it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from contract.reasons import WireReason
from tests.receiver import wire
from tests.wire.peer import CLOSED, Answer, Peer, status

IMPLICIT, EXPLICIT = wire.IMPLICIT, wire.EXPLICIT
BIG_ENDIAN = b"1.2.840.10008.1.2.2"
JPEG_BASELINE = b"1.2.840.10008.1.2.4.50"
CT = wire.CT
MR = b"1.2.840.10008.5.1.4.1.1.4"

ON_EXPLICIT, ON_ECHO, ON_IMPLICIT, ON_BIG_ENDIAN, ON_JPEG = 1, 3, 5, 7, 9
"""Presentation context ids of `PROPOSAL`."""
PROPOSAL = wire.associate(
    wire.context(ON_EXPLICIT, CT, EXPLICIT),
    wire.context(ON_ECHO, wire.VERIFICATION, IMPLICIT),
    wire.context(ON_IMPLICIT, CT, IMPLICIT),
    wire.context(ON_BIG_ENDIAN, CT, BIG_ENDIAN),
    wire.context(ON_JPEG, CT, JPEG_BASELINE),
)
CANARY = "ZZPHICANARY"
"""In every value that a patient's data could be: it may be in no log line."""
FRAGMENT_BYTES = 1_000_000


class Use(Enum):
    """Which receiver a row is played against."""

    OPEN = "default settings"
    STRICT = "one SOP class, two AE titles, two associations"
    TLS = "mutual TLS in the receiver"
    DRAINING = "told to stop while an association is open"


@dataclass(frozen=True, slots=True)
class Line:
    """A log line that gives a reason."""

    event: str
    reason: str


def aborted(reason: WireReason) -> Line:
    """Return the line of an association that ended by an A-ABORT or without a release."""
    return Line("association_aborted", reason)


def rejected(reason: WireReason) -> Line:
    """Return the line of an A-ASSOCIATE-RJ."""
    return Line("association_rejected", reason)


def refused(reason: WireReason) -> Line:
    """Return the line of an instance that was not stored."""
    return Line("instance_refused", reason)


@dataclass(frozen=True, slots=True)
class Sent:
    """An instance as it goes on the wire: the command's UID and the dataset's bytes."""

    uid: bytes
    dataset: bytes
    context_id: int = ON_EXPLICIT
    sop_class: bytes = CT

    def pdus(self, message_id: int = 1) -> bytes:
        """Return its C-STORE-RQ and data set."""
        command = wire.store_rq(message_id, self.sop_class, self.uid)
        return wire.data(wire.pdv(self.context_id, 3, command)) + dataset_pdus(
            self.context_id, self.dataset
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case of a row.

    Attributes:
        number: Of the row in the table; a row has one case or several.
        name: What is special about this case.
        proposal: Sent first and accepted; None where the case starts before that.
        send: Then sent.
        answers: Then read, exactly these.
        play: Does the talking instead of the four above, where bytes alone do not say it; returns what
            was acknowledged, if that is not known before.
        goes_on: Whether the association must store a good instance and release afterwards.
        logs: Every log line with a reason that the case causes, in order.
        acked: Instances answered with Success; their bytes must land.
        objects: How many objects may have landed; as many as acked if None.
        kept: Records under refused/ that it causes.
        use: The receiver.
        within_s: Time from the first byte to the last answer.
        slow: It waits for a real deadline of 30 s: played beside the others.
    """

    number: int
    name: str
    proposal: bytes | None = None
    send: bytes = b""
    answers: tuple[Answer, ...] = ()
    play: Callable[[Peer], Sequence[Sent] | None] | None = None
    goes_on: bool = False
    logs: tuple[Line, ...] = ()
    acked: tuple[Sent, ...] = ()
    objects: tuple[int, ...] | None = None
    kept: int = 0
    use: Use = Use.OPEN
    within_s: float = 20.0
    slow: bool = False

    @property
    def id(self) -> str:
        """What pytest calls it."""
        return f"{self.number:02d} {self.name}"


def dataset_pdus(context_id: int, dataset: bytes) -> bytes:
    """Return a data set as P-DATA-TF PDUs of one fragment each, at least one."""
    starts = range(0, max(len(dataset), 1), FRAGMENT_BYTES)
    return b"".join(
        wire.data(
            wire.pdv(
                context_id,
                wire.DATA if start + FRAGMENT_BYTES < len(dataset) else wire.LAST,
                dataset[start : start + FRAGMENT_BYTES],
            )
        )
        for start in starts
    )


def stored(number: int, name: str, *instances: Sent, objects: tuple[int, ...] | None = None) -> Row:
    """Return a case in which everything is Success and nothing is said of it."""
    return Row(
        number=number,
        name=name,
        proposal=PROPOSAL,
        send=b"".join(sent.pdus(n) for n, sent in enumerate(instances, 1)),
        answers=tuple(status(0) for _ in instances),
        goes_on=True,
        acked=instances,
        objects=objects,
    )


def not_stored(number: int, name: str, sent: Sent, code: int, reason: WireReason) -> Row:
    """Return a case whose instance gets a failure status and is kept as refused."""
    return Row(
        number=number,
        name=name,
        proposal=PROPOSAL,
        send=sent.pdus(),
        answers=(status(code),),
        goes_on=True,
        logs=(refused(reason),),
        kept=1,
    )


def broken(number: int, name: str, send: bytes, abort: int, reason: WireReason) -> Row:
    """Return a case that ends an association by A-ABORT (2, `abort`)."""
    return Row(
        number=number,
        name=name,
        proposal=PROPOSAL,
        send=send,
        answers=(Answer("A-ABORT", (2, abort)), CLOSED),
        logs=(aborted(reason),),
    )


def command_pdu(command: bytes, context_id: int = ON_EXPLICIT) -> bytes:
    """Return a whole command set in one P-DATA-TF PDU."""
    return wire.data(wire.pdv(context_id, 3, command))


def raw_command(elements: Sequence[bytes]) -> bytes:
    """Return a command set of these elements in a P-DATA-TF PDU."""
    return command_pdu(wire.command(*elements))


def window_item(invoked: int, performed: int) -> bytes:
    """Return an asynchronous operations window item (PS3.7 D.3.3.3)."""
    return wire.item(0x53, struct.pack(">HH", invoked, performed))
