"""The messages of an association: command sets, and which operation answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from contract.reasons import WireReason
from receiver.alike import Decoder
from receiver.associate import ContextResult
from receiver.commitments import Commitments, judge_action, refuse
from receiver.dimse import (
    MAX_COMMAND_BYTES,
    N_EVENT_REPORT_RSP,
    RESPONSE,
    Command,
    CommandField,
    encode_response,
)
from receiver.pdu import (
    PDV_COMMAND,
    PDV_LAST,
    AbortReason,
    ProtocolError,
    encode_command,
)
from receiver.responses import Responses
from receiver.series import Series, Unfinished
from receiver.status import Status
from receiver.store import Reception, Refusal, StoreService, judge_command, note_bug
from receiver.syntaxes import STORAGE_COMMITMENT, uid_text

MAX_CANCELS = 64
"""C-CANCEL-RQs ignored in one association: there is nothing here to cancel (row 25)."""


class Messages:
    """Reads and serves one message at a time.

    Attributes:
        responses: Where operations are run and answered.
        series: The instances that the part in C receives; None where it cannot.

    Args:
        service: What operations need.
        contexts: The accepted presentation contexts by id.
        maximum_length: Longest P-DATA-TF that the peer takes, 0 for no limit.
        responses: Where operations are run and answered.
        commitments: Storage commitment of the association.
    """

    def __init__(
        self,
        service: StoreService,
        contexts: Mapping[int, ContextResult],
        maximum_length: int,
        responses: Responses,
        commitments: Commitments,
    ) -> None:
        self._service = service
        self._contexts = contexts
        self._maximum_length = maximum_length
        self.responses = responses
        self._commitments = commitments
        self.series: Series | None = None
        self._cancels = 0
        self._decoder = Decoder()
        self._operations: dict[int, Callable[[Command, ContextResult], None]] = {
            CommandField.C_ECHO_RQ: self._echo,
            CommandField.C_STORE_RQ: self._store,
            CommandField.C_CANCEL_RQ: self._cancel,
        }
        self._commitment_operations: dict[int, Callable[[Command, ContextResult], None]] = {
            CommandField.N_ACTION_RQ: self._commit,
            N_EVENT_REPORT_RSP: self._take_response,
            CommandField.C_CANCEL_RQ: self._cancel,
        }

    def start(self) -> None:
        """Read the header of a message's first fragment.

        Raises:
            PduArrivedError: Another PDU came instead.
            ProtocolError: It is broken.
            StreamEndedError: Nothing more comes.
        """
        self._service.fragments.start_message()
        self._service.fragments.next()

    def serve(self) -> None:
        """Read the message whose first fragment `start` has read, and answer it.

        Raises:
            PduArrivedError: Another PDU came within it.
            ProtocolError: It is broken.
            StreamEndedError: Its rest will not come.
        """
        command, context = self._read_command()
        commits = context.abstract_syntax == STORAGE_COMMITMENT
        operations = self._commitment_operations if commits else self._operations
        operation = operations.get(command.field)
        if operation is None:
            self._refuse_operation(command, context)
        else:
            operation(command, context)

    def drain(self) -> None:
        """Wait until every operation is answered."""
        self.responses.drain()

    def _read_command(self) -> tuple[Command, ContextResult]:
        fragments = self._service.fragments
        take = self._service.stream.take
        context_id = fragments.context_id
        context = self._contexts.get(context_id)
        if context is None:
            raise ProtocolError(
                AbortReason.UNEXPECTED_PARAMETER, WireReason.CX_UNKNOWN, f"context {context_id}"
            )
        pieces = []
        size = 0
        while True:
            if not fragments.control & PDV_COMMAND:
                raise _order("data set before its command")
            if fragments.context_id != context_id:
                raise ProtocolError(
                    AbortReason.UNEXPECTED_PARAMETER,
                    WireReason.CX_MIX,
                    f"context {fragments.context_id} within a message of {context_id}",
                )
            size += fragments.length
            if size > MAX_COMMAND_BYTES:
                raise _order(f"command set of more than {MAX_COMMAND_BYTES} bytes")
            pieces.append(take(fragments.length))
            if fragments.control & PDV_LAST:
                return self._decoder.decode(b"".join(pieces)), context
            fragments.next()

    def _echo(self, command: Command, context: ContextResult) -> None:
        status = Status.SUCCESS
        if command.has_dataset:
            self._skip_dataset(context)
            status = Status.MISTYPED_ARGUMENT
        elif uid_text(command.sop_class) != context.abstract_syntax:
            status = Status.SOP_CLASS_NOT_SUPPORTED
        self._service.tally.echoed += 1
        self.answer(command, context, status)

    def _store(self, command: Command, context: ContextResult) -> None:
        refusal = judge_command(command, context)
        if self.responses.is_outstanding(command.message_id):
            refusal = Refusal(
                Status.DUPLICATE_INVOCATION,
                WireReason.DUP_INVOCATION,
                f"Message ID {command.message_id} is outstanding",
            )
        reception = Reception(self._service, command, context, refusal)
        if command.has_dataset:
            reception.receive()
        self._conclude(reception, command, context)

    def resume(self, unfinished: Unfinished) -> None:
        """Go on with an instance of a series, and answer it.

        Raises:
            PduArrivedError: Another PDU came within it.
            ProtocolError: It is broken.
            StreamEndedError: Its rest will not come.
        """
        unfinished.reception.receive()
        self._conclude(*unfinished)

    def _conclude(self, reception: Reception, command: Command, context: ContextResult) -> None:
        self.responses.submit(
            command.message_id, partial(self._outcome, reception, command, context)
        )
        if self.series is not None and reception.is_sound:
            self.series.expect(self._decoder.alike, context)

    def _commit(self, command: Command, context: ContextResult) -> None:
        answer, link = judge_action(command), None
        if answer is not None:
            if command.has_dataset:
                self._skip_dataset(context)
        else:
            # On this thread also where a window was granted: requests are few, and the answer may not
            # come before the response.
            answer, link = self._commitments.ask(context, self._dataset_pieces(context))
        if answer.status is not Status.SUCCESS:
            self._service.counters.add_reason(WireReason.COMMITMENT_REFUSED)
            refuse(self._service.log, self._service.origin, answer)
        response = self._encode(command, context, answer.status, answer.comment)
        self.responses.submit(command.message_id, lambda: response)
        self.responses.drain()
        if link is not None:
            self._commitments.await_report(link, context)

    def _take_response(self, command: Command, context: ContextResult) -> None:
        if command.has_dataset:
            self._skip_dataset(context)
        if not self._commitments.take_response(command):
            raise _unexpected(f"response {command.field:04X} to nothing")

    def _outcome(self, reception: Reception, command: Command, context: ContextResult) -> bytes:
        try:
            status, comment = reception.store()
        except Exception as error:  # noqa: BLE001 - on a thread of its own nobody else would see it
            reception.discard()
            status, comment = note_bug(self._service, error)
        return self._encode(command, context, status, comment)

    def _cancel(self, command: Command, context: ContextResult) -> None:
        self._cancels += 1
        if command.has_dataset or self._cancels > MAX_CANCELS:
            raise _unexpected(f"C-CANCEL-RQ number {self._cancels} in context {context.context_id}")

    def _refuse_operation(self, command: Command, context: ContextResult) -> None:
        """Answer a request of a service that is not provided; abort on what is no request (row 25)."""
        if command.field & RESPONSE:
            raise _unexpected(f"response {command.field:04X} to nothing")
        try:
            name = CommandField(command.field).name
        except ValueError:
            raise ProtocolError(
                AbortReason.NOT_SPECIFIED,
                WireReason.DIMSE_BAD,
                f"command field {command.field:04X}",
            ) from None
        if command.has_dataset:
            self._skip_dataset(context)
        self._service.counters.add_reason(WireReason.OP_UNEXPECTED)
        self._service.log.warning(
            "operation_refused",
            **self._service.sender,
            reason=WireReason.OP_UNEXPECTED.value,
            operation=name,
        )
        self.answer(command, context, Status.UNRECOGNIZED_OPERATION)

    def _skip_dataset(self, context: ContextResult) -> None:
        for _ in self._dataset_pieces(context):
            pass

    def _dataset_pieces(self, context: ContextResult) -> Iterator[bytes]:
        fragments = self._service.fragments
        last = False
        while not last:
            fragments.next()
            if fragments.control & PDV_COMMAND or fragments.context_id != context.context_id:
                raise _order("not the data set that was announced")
            yield from self._service.stream.pieces(fragments.length)
            last = bool(fragments.control & PDV_LAST)

    def answer(
        self, command: Command, context: ContextResult, status: Status, comment: str = ""
    ) -> None:
        """Answer a request."""
        response = self._encode(command, context, status, comment)
        self.responses.submit(command.message_id, lambda: response)

    def _encode(
        self, command: Command, context: ContextResult, status: Status, comment: str = ""
    ) -> bytes:
        return encode_command(
            context.context_id, encode_response(command, status, comment), self._maximum_length
        )


def _order(detail: str) -> ProtocolError:
    return ProtocolError(AbortReason.NOT_SPECIFIED, WireReason.DIMSE_ORDER, detail)


def _unexpected(detail: str) -> ProtocolError:
    return ProtocolError(AbortReason.NOT_SPECIFIED, WireReason.OP_UNEXPECTED, detail)
