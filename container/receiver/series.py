"""The instances of a series: each like the one before, received by one call of the part in C.

A modality sends hundreds of instances in a row that differ in little. After the first has gone the whole way
(messages.py, store.py), the part in C is told what the next will be like, and receives it as long as it is: command,
fragments, header, file. Most it records as well (recorder.c), and goes on to the next. It stops at whatever
else comes, and the whole way goes on from there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple

from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver import native
from receiver.alike import Alike
from receiver.associate import ContextResult
from receiver.batch import MAX_INSTANCE_BYTES
from receiver.dimse import Command, around_id
from receiver.filemeta import around_instance
from receiver.native import Files
from receiver.pdu import OVERSHOOT_BYTES
from receiver.ports import Identity, Part, Received, StoreError
from receiver.records import row_template
from receiver.responses import SEND_S, Responses
from receiver.status import Status
from receiver.store import (
    Reception,
    StoreService,
    fail,
    note_bug,
    note_duplicate,
    note_stored,
)
from receiver.stream import CREDIT_S, EARNED_S_PER_BYTE
from receiver.syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

MAX_RESPONSE_BYTES = 1024
"""Longest response that is prepared; a peer that takes no such PDU gets its responses in pieces."""


_new = tuple.__new__  # a named tuple's own takes two calls


class Unfinished(NamedTuple):
    """An instance of which some was received, and what it answers."""

    reception: Reception
    command: Command
    context: ContextResult


class Series:
    """The series of one association, used by its thread alone.

    Attributes:
        waits: What the watchdog looks at.
        is_expected: Whether the next message may be an instance like the one before.
        credit_s: The peer's credit where `serve` has stopped.

    Args:
        socket: Descriptor of the connection.
        files: Of the landing.
        service: What operations need.
        maximum_length: Longest P-DATA-TF that is taken.
        peer_maximum: Longest that the peer takes, 0 for no limit.
        responses: Takes what is answered; without a window.
        is_alone: Whether nobody else sends on the connection: responses then leave without a detour.
        answer: Answers what is no success.
    """

    def __init__(
        self,
        socket: int,
        files: Files,
        service: StoreService,
        *,
        maximum_length: int,
        peer_maximum: int,
        responses: Responses,
        is_alone: bool,
        answer: Callable[[Command, ContextResult, Status, str], None],
    ) -> None:
        self._service = service
        self._stream = service.stream
        self._responses = responses
        self._answer = answer
        self._is_alone = is_alone
        # One message for each instance is Python's, and so are the responses of who is not alone.
        self._records = is_alone and not service.log.is_debug
        self._takes_responses = not 0 < peer_maximum < MAX_RESPONSE_BYTES
        self._native = native.NativeSeries(
            socket,
            files.root,
            files.windows,
            files.recorder if self._records else None,
            None if native.HAS_CRC64NVME else crc64nvme,
            service.stream.buffer,
            maximum_length + OVERSHOOT_BYTES,
            MAX_INSTANCE_BYTES,
            CREDIT_S,
            EARNED_S_PER_BYTE,
            SEND_S,
        )
        self.waits = self._native
        self.is_expected = False
        self.credit_s = CREDIT_S
        self._command: Command
        self._context: ContextResult

    def expect(self, alike: Alike | None, context: ContextResult) -> None:
        """Say that an instance went well, and what its command was like; None if nothing can be told of the next."""
        syntax = context.transfer_syntax
        self.is_expected = False
        # Big endian is retired, and the walk in C knows little endian alone.
        if alike is None or syntax == EXPLICIT_VR_BIG_ENDIAN or not self._takes_responses:
            return
        command = alike.command
        self._native.expect(
            context.context_id,
            syntax == IMPLICIT_VR_LITTLE_ENDIAN,
            (
                alike.before_id,
                alike.after_id,
                alike.rest,
                context.abstract_syntax.encode(),
                *around_instance(context.abstract_syntax, 0, syntax),
                *around_id(command.field, command.sop_class, Status.SUCCESS, "", 0),
            ),
        )
        self._command, self._context = command, context
        self.is_expected = True

    def serve(self, idle_s: float, is_cutting: Callable[[], bool]) -> Unfinished | None:
        """Receive, store and answer instances until something else comes.

        Args:
            idle_s: How long a message may be waited for.
            is_cutting: Whether to stop, as in `Stream.wait_idle`.

        Returns:
            What to go on with; None if the next message has not been begun. The stream is where it is.
        """
        part, context = self._native, self._context
        service = self._service
        responses = self._responses
        stream, fragments = self._stream, service.fragments
        part.go_on(stream.start, stream.end, stream.received, fragments.left)
        is_answered = True
        try:
            while True:
                part.idle = True
                # After declaring itself idle, see Watchdog.interrupt_idle.
                if is_cutting() or responses.broken:
                    if not is_answered:
                        responses.respond(part.response())
                    return None
                found = part.next(idle_s, is_answered)
                if found is None:
                    if part.is_unheard:
                        responses.give_up()
                    return self._unfinished() if part.has_part else None
                is_answered = not self._store(found)
        finally:
            part.idle = False
            part.close()
            self._note_recorded()
            stream.go_on(part.start, part.end, part.received)
            fragments.go_on(context.context_id, part.control, part.length, part.left)
            self.credit_s = part.credit

    def _store(self, found: tuple[int, str, str, str, int, int, float]) -> bool:
        """Store what `next` has returned; return whether the next call shall say Success."""
        fd, uid, study, series, size, crc, received_at = found
        service, context = self._service, self._context
        identity = _new(
            Identity, (context.abstract_syntax, uid, context.transfer_syntax, study, series)
        )
        instance = _new(Received, (identity, service.origin, size, crc))
        try:
            if self._land(instance, fd):
                note_stored(service, identity, size, received_at)
            else:
                note_duplicate(service, identity, size)
        except StoreError as error:
            self._answer_failure(uid, *fail(service, identity, error))
        except Exception as error:  # noqa: BLE001 - as in messages.py: the sender is told
            self._answer_failure(uid, *note_bug(service, error))
        else:
            if self._is_alone:
                return True
            self._responses.respond(self._native.response())
        return False

    def _land(self, instance: Received, fd: int) -> bool:
        """Store what the recorder has left; what it could not record is not tried again."""
        failed_at = self._native.failed_at
        if failed_at == "lease":
            raise StoreError(WireReason.LEASE_ENDED, "before it was recorded")
        if failed_at is not None:
            error = errno.errorcode.get(self._native.failure, "OSError")
            raise StoreError(WireReason.STORAGE_FAILED, f"{failed_at}: {error}")
        is_new = self._service.landing.store_file(instance, fd)
        if is_new and self._records:
            row = row_template(instance.identity, instance.origin).encode()
            self._native.expect_row(
                row, instance.identity.study_instance_uid, instance.identity.series_instance_uid
            )
        return is_new

    def _note_recorded(self) -> None:
        """Count what was recorded since the last `go_on`."""
        tally = self._service.tally
        tally.stored += self._native.stored
        tally.stored_bytes += self._native.stored_bytes

    def _answer_failure(self, uid: str, status: Status, comment: str) -> None:
        command = self._command._replace(
            message_id=self._native.message_id, sop_instance=uid.encode()
        )
        self._answer(command, self._context, status, comment)

    def _unfinished(self) -> Unfinished:
        """Take what came of an instance, for the whole way to go on with."""
        part, context = self._native, self._context
        fd, size, crc, meta_bytes, held, raw_uid, study, series = part.take()
        command = self._command._replace(message_id=part.message_id, sop_instance=raw_uid)
        failure = None
        if part.error:
            failure = StoreError(
                WireReason.STORAGE_FAILED, errno.errorcode.get(part.error, "OSError")
            )
        arrived = Part(fd, size, crc, meta_bytes, held, study, series, failure)
        return Unfinished(
            Reception(self._service, command, context, None, arrived), command, context
        )
