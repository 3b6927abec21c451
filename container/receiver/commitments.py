"""Storage commitment on an association (PS3.4 annex J): N-ACTION in, N-EVENT-REPORT out.

The thread that receives only carries bytes: what is asked is read, kept and answered by the committer, a
process of its own, so that a request of ten thousand references delays nobody's images.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from contract.reasons import WireReason
from receiver.associate import ContextResult
from receiver.commitment.link import Asker, Frame, Link, LinkClosedError
from receiver.dimse import Command, encode_event_report
from receiver.pdu import encode_command, encode_dataset
from receiver.ports import Log, Origin
from receiver.responses import Sender
from receiver.status import Status
from receiver.syntaxes import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    uid_text,
)

REQUEST_STORAGE_COMMITMENT = 1
"""Action Type ID, the only one (PS3.4 table J.3-1)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an N-ACTION-RSP says."""

    status: Status
    comment: str = ""


def judge_action(command: Command) -> Answer | None:
    """Return why an N-ACTION-RQ is refused whatever its data set says, None if it is not (PS3.7 10.1.4)."""
    if uid_text(command.sop_class) != STORAGE_COMMITMENT:
        return Answer(Status.NO_SUCH_SOP_CLASS, "not the presentation context's")
    if uid_text(command.sop_instance) != STORAGE_COMMITMENT_INSTANCE:
        return Answer(Status.NO_SUCH_OBJECT_INSTANCE, "not the well-known instance")
    if command.type_id != REQUEST_STORAGE_COMMITMENT:
        return Answer(Status.NO_SUCH_ACTION, "Action Type ID is not 1")
    if not command.has_dataset:
        return Answer(Status.MISTYPED_ARGUMENT, "Action Information is missing")
    return None


@dataclass(slots=True, eq=False)
class _Report:
    """An N-EVENT-REPORT-RQ that waits for its response."""

    answered: threading.Event = field(default_factory=threading.Event)
    status: int | None = None


class Commitments:
    """The storage commitment of one association.

    Args:
        address: Where the committer listens; None if storage commitment is not offered.
        origin: Who asks.
        sender: Writes to the association.
        maximum_length: Longest P-DATA-TF that the peer takes, 0 for no limit.
        keep_s: Time for a request to be kept.
        response_s: Time for the peer to answer an N-EVENT-REPORT-RQ.
        log: Events.
    """

    def __init__(
        self,
        address: bytes | None,
        origin: Origin,
        sender: Sender,
        maximum_length: int,
        *,
        keep_s: float,
        response_s: float,
        log: Log,
    ) -> None:
        self._address = address
        self._origin = origin
        self._sender = sender
        self._maximum_length = maximum_length
        self._keep_s = keep_s
        self._response_s = response_s
        self._log = log
        # Held while a report is written, so that none can follow the end of the association.
        self._lock = threading.Lock()
        self._is_over = False
        self._links: set[Link] = set()
        self._reports: dict[int, _Report] = {}
        self._last_id = 0

    def ask(self, context: ContextResult, pieces: Iterator[bytes]) -> tuple[Answer, Link | None]:
        """Have a request kept; return its N-ACTION-RSP, and the link on which its answer will come.

        Args:
            context: On which it came.
            pieces: The Action Information; read to its end, whatever happens.
        """
        if self._address is None:
            raise ValueError("storage commitment was not negotiated")
        try:
            link = Link.connect(self._address, self._keep_s)
        except LinkClosedError:
            return _read_over(pieces)
        try:
            self._tell(link, context, pieces)
            said = json.loads(link.expect(Frame.STATUS))
        except LinkClosedError:
            link.close()
            return _read_over(pieces)
        except BaseException:  # the peer has gone, or breaks the protocol
            link.close()
            raise
        answer = Answer(Status(said["status"]), said["comment"])
        if answer.status is Status.SUCCESS:
            return answer, link
        link.close()
        return answer, None

    def _tell(self, link: Link, context: ContextResult, pieces: Iterator[bytes]) -> None:
        asker = Asker(
            association_id=self._origin.association_id,
            calling_ae_title=self._origin.calling_ae_title,
            called_ae_title=self._origin.called_ae_title,
            peer=self._origin.peer,
            implicit=context.transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN,
        )
        link.send(Frame.ASK, asker.encode())
        for piece in pieces:
            link.send(Frame.PIECE, piece)
        link.send(Frame.END)

    def await_report(self, link: Link, context: ContextResult) -> None:
        """Send the answer when it comes; the N-ACTION-RSP has been sent."""
        with self._lock:
            if self._is_over:
                link.close()
                return
            self._links.add(link)
        threading.Thread(
            target=self._report, args=(link, context), name="commitment", daemon=True
        ).start()

    def take_response(self, command: Command) -> bool:
        """Take the response to a report; False if it answers none."""
        with self._lock:
            report = self._reports.pop(command.message_id, None)
        if report is None:
            return False
        report.status = command.status
        report.answered.set()
        return True

    def close(self) -> None:
        """Send no more reports: what is not answered will be, on an association of its own."""
        with self._lock:
            self._is_over = True
            for link in self._links:
                link.shut()
            for report in self._reports.values():
                report.answered.set()

    def _report(self, link: Link, context: ContextResult) -> None:
        try:
            link.wait(None)
            content = link.expect(Frame.EVENT)
            status = self._send(content[0], content[1:], context)
            if status is not None:
                link.wait(self._keep_s)
                link.send(Frame.OUTCOME, status.to_bytes(2, "big"))
        except LinkClosedError:
            pass  # the association has ended, or the committer is being replaced
        finally:
            with self._lock:
                self._links.discard(link)
            link.close()

    def _send(self, event_type: int, dataset: bytes, context: ContextResult) -> int | None:
        report = _Report()
        with self._lock:
            if self._is_over:
                return None
            self._last_id = self._last_id % 0xFFFF + 1
            message_id = self._last_id
            self._reports[message_id] = report
            command = encode_event_report(
                message_id, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, event_type
            )
            sent = self._sender.send(
                encode_command(context.context_id, command, self._maximum_length)
                + encode_dataset(context.context_id, dataset, self._maximum_length)
            )
        if not sent or not report.answered.wait(self._response_s):
            with self._lock:
                self._reports.pop(message_id, None)
            return None
        if report.status is not None:
            self._log.info(
                "commitment_reported",
                association_id=self._origin.association_id,
                calling_ae_title=self._origin.calling_ae_title,
                status=f"{report.status:04X}",
            )
        return report.status


def _read_over(pieces: Iterator[bytes]) -> tuple[Answer, None]:
    """Say that nothing could be kept; the next message is behind the rest of this one."""
    for _ in pieces:
        pass
    return Answer(Status.PROCESSING_FAILURE, "not kept: ask again"), None


def refuse(log: Log, origin: Origin, answer: Answer) -> None:
    """Say that an N-ACTION was refused."""
    log.warning(
        "commitment_refused",
        association_id=origin.association_id,
        calling_ae_title=origin.calling_ae_title,
        peer=origin.peer,
        reason=WireReason.COMMITMENT_REFUSED.value,
        status=f"{answer.status:04X}",
        detail=answer.comment,
    )
