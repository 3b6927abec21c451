"""One association on one thread: negotiation, messages, release or abort (PS3.8 section 9.2)."""

# long: one state machine (PS3.8 9.2), read top to bottom; its states share every field.

from __future__ import annotations

import secrets
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

from contract.reasons import WireReason
from receiver.associate import AssociateRequest, decode_request, encode_accept
from receiver.closing import linger, reset_at_close
from receiver.commitments import Commitments
from receiver.deadlines import FOREVER, Watch, Watchdog
from receiver.fragments import Fragments, PduArrivedError
from receiver.messages import Messages
from receiver.negotiation import (
    ACCEPTED,
    Rejection,
    accept,
    ae_title_text,
    find_rejection,
    is_without_address,
    over_limit,
)
from receiver.pdu import (
    HEADER,
    MAX_ASSOCIATE_BYTES,
    PDU_TYPES,
    RELEASE_RP,
    AbortReason,
    PduType,
    ProtocolError,
    encode_abort,
    encode_reject,
    unknown_pdu,
)
from receiver.ports import AssociationLimit, Counters, Landing, Log, Origin
from receiver.responses import Responses, Sender
from receiver.series import Series
from receiver.settings import Settings
from receiver.store import StoreService, Tally
from receiver.stream import CREDIT_S, End, Stream, StreamEndedError
from receiver.syntaxes import STORAGE_COMMITMENT
from receiver.tls import HANDSHAKE_S, HandshakeError, is_alert
from receiver.transport import TlsConnection

ASSOCIATE_S = 30.0
"""Absolute time for the A-ASSOCIATE-RQ to be there (ARTIM, PS3.8 9.1.5)."""
_MAX_NAMES_LENGTH = 128
"""Of the common names in the log; one has at most 64 characters (RFC 5280, appendix A)."""
_MAX_BODY_BYTES = 1024
"""Longest body of a release or abort that is read; it has 4 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationContext:
    """What an association needs from its worker.

    Attributes:
        settings: Of the receiver.
        landing: Where instances go.
        limit: MaximumAssociations, and each sender's part of it.
        counters: `associations_accepted`, `_rejected`, `_aborted`, `acked`, `bytes_stored`,
            `failed_stores` and `refused_instances` are counted here.
        log: Events.
        watchdog: Started.
        draining: Once set, new associations are rejected (2,3,1).
        cutting: Once set, an association ends with A-ABORT after the message that it is receiving. The
            worker calls `Watchdog.interrupt_idle` right after setting it.
        on_associated: Called when this connection has become an association.
        tls: What the handshake is held to; None where connections are plain.
        committer: Where the committer listens; None if storage commitment is not offered.
    """

    settings: Settings
    landing: Landing
    limit: AssociationLimit
    counters: Counters
    log: Log
    watchdog: Watchdog
    draining: threading.Event
    cutting: threading.Event
    on_associated: Callable[[], None]
    tls: ssl.SSLContext | None = None
    committer: bytes | None = None


def serve(connection: socket.socket, peer: str, context: AssociationContext) -> None:
    """Serve one connection from its first byte to its end on the calling thread.

    Always closes `connection`; never raises.

    Args:
        connection: Accepted, blocking, without a timeout; any PROXY header already read.
        peer: Address of the sender.
        context: From the worker.
    """
    watch = context.watchdog.register(connection)
    association = _Association(connection, watch, peer, context)
    try:
        association.run()
    except Exception as error:  # noqa: BLE001 - a bug must end one association, not the worker
        association.fail(error)
    finally:
        association.close()
        context.watchdog.unregister(watch)
        connection.close()


class _Association:
    def __init__(
        self, connection: socket.socket, watch: Watch, peer: str, context: AssociationContext
    ) -> None:
        self._connection = connection
        self._watch = watch
        self._context = context
        self._peer = peer
        self._id = secrets.token_hex(8)
        self._tls = TlsConnection(connection, context.tls) if context.tls else None
        self._transport = self._tls or connection
        self._stream = Stream(self._transport, watch)
        self._sender = Sender(self._transport, watch)
        self._responses: Responses | None = None
        self._tally = Tally()
        self._place: Origin | None = None
        self._accepted_at: float | None = None
        self._outcome = "failed"
        self._on_expiry = WireReason.CONN_IDLE
        self._messages: Messages | None = None
        self._commitments: Commitments | None = None
        self._calling = ""

    def run(self) -> None:
        if self._connection.family in (socket.AF_INET, socket.AF_INET6):
            # Responses are small and the peer waits for each.
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls is not None:
                self._shake_hands(self._tls)
            request = self._await_request()
            messages = self._associate(request)
            if messages is not None:
                self._serve(messages)
        except HandshakeError as error:
            self._cut(error)
        except ProtocolError as error:
            self._abort(error.abort, error.reason, error.detail)
        except StreamEndedError as error:
            self._end(error.end)
        except PduArrivedError as arrived:
            self._unexpected(arrived)

    def fail(self, error: Exception) -> None:
        """Log a bug by its type and place: its message might quote what was received."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        self._context.log.error(
            "association_failed",
            association_id=self._id,
            reason=WireReason.INTERNAL.value,
            error=type(error).__name__,
            where=f"{frame.filename.rpartition('/')[2]}:{frame.lineno}",
        )
        self._abort(AbortReason.NOT_SPECIFIED, WireReason.INTERNAL, type(error).__name__)

    def close(self) -> None:
        """Give back what the association holds and say how it went."""
        self._end_commitments()
        if self._responses is not None:
            self._responses.close()
        if self._watch.stalled:
            reset_at_close(self._connection)
        self._leave()
        if self._accepted_at is not None:
            self._context.log.info(
                "association_closed",
                association_id=self._id,
                outcome=self._outcome,
                duration_s=round(time.monotonic() - self._accepted_at, 3),
                received_bytes=self._stream.received,
                **asdict(self._tally),
            )

    # Before it is an association

    def _shake_hands(self, tls: TlsConnection) -> None:
        watch = self._watch
        watch.idle = True  # cut at once when the worker cuts
        if self._context.cutting.is_set():
            raise StreamEndedError(End.INTERRUPTED)
        watch.deadline = watch.send_deadline = time.monotonic() + HANDSHAKE_S
        tls.handshake()
        watch.deadline = watch.send_deadline = FOREVER
        watch.idle = False

    def _cut(self, error: HandshakeError) -> None:
        """End a connection whose TLS handshake failed: the peer has its alert, this is for the log."""
        if self._watch.interrupted:
            return
        reason = error.reason
        if self._watch.expired or self._watch.stalled:
            reason = WireReason.TLS_STALL
        self._context.counters.add("tls_handshakes_failed")
        self._context.counters.add_reason(reason)
        self._context.log.warning(
            "connection_cut",
            association_id=self._id,
            reason=reason.value,
            detail=error.detail,
            peer=self._peer,
        )
        linger(self._connection, self._connection)

    def _await_request(self) -> AssociateRequest:
        stream = self._stream
        stream.set_time(ASSOCIATE_S, earning=False)
        stream.wait_idle(self._context.cutting.is_set)
        self._on_expiry = WireReason.SLOWLORIS
        # Cut at once when the worker cuts: nothing can be lost yet.
        self._watch.idle = True
        kind = stream.buffer[stream.start]
        if kind not in PDU_TYPES:
            raise unknown_pdu(bytes(stream.buffer[stream.start : stream.end]))
        stream.need(HEADER.size)
        kind, length = HEADER.unpack_from(stream.buffer, stream.start)
        stream.start += HEADER.size
        if kind != PduType.ASSOCIATE_RQ:
            raise PduArrivedError(PduType(kind), length)
        if length > MAX_ASSOCIATE_BYTES:
            raise ProtocolError(
                AbortReason.INVALID_PARAMETER_VALUE,
                WireReason.PDU_TOO_LONG,
                f"A-ASSOCIATE-RQ of {length} bytes",
            )
        body = stream.take(length)
        self._watch.idle = False
        return decode_request(body)

    def _associate(self, request: AssociateRequest) -> Messages | None:
        context = self._context
        origin = Origin(
            association_id=self._id,
            calling_ae_title=ae_title_text(request.calling),
            called_ae_title=ae_title_text(request.called),
            peer=self._peer,
        )
        self._calling = origin.calling_ae_title
        rejection = find_rejection(
            request,
            context.settings,
            draining=context.draining.is_set(),
            common_names=self._tls.common_names if self._tls else (),
        )
        if rejection is None:
            reason = context.limit.try_enter(origin)
            if reason is None:
                self._place = origin
            else:
                rejection = over_limit(reason)
        if rejection is not None:
            self._reject(rejection, origin)
            return None
        acceptance = accept(request, context.settings)
        self._accepted_at = time.monotonic()
        context.counters.add("associations_accepted")
        accepted = {c.context_id: c for c in acceptance.contexts if c.result == ACCEPTED}
        window = acceptance.window[0] if acceptance.window else 1
        context.log.info(
            "association_accepted",
            association_id=self._id,
            calling_ae_title=origin.calling_ae_title,
            called_ae_title=origin.called_ae_title,
            peer=origin.peer,
            contexts=len(accepted),
            contexts_refused=len(acceptance.contexts) - len(accepted),
            window=window,
            **self._security(),
        )
        if is_without_address(request, context.settings):
            context.log.warning(
                "commitment_not_offered",
                association_id=self._id,
                calling_ae_title=origin.calling_ae_title,
                peer=origin.peer,
            )
        if not self._sender.send(encode_accept(request, acceptance)):
            raise StreamEndedError(End.EOF)
        context.on_associated()
        fragments = Fragments(self._stream, context.settings.maximum_pdu_size)
        self._responses = Responses(
            self._sender, window, lambda: self._watch.shut(socket.SHUT_RDWR)
        )
        service = StoreService(
            landing=context.landing,
            counters=context.counters,
            log=context.log,
            origin=origin,
            stream=self._stream,
            fragments=fragments,
            tally=self._tally,
        )
        self._commitments = Commitments(
            context.committer,
            origin,
            self._sender,
            request.maximum_length,
            keep_s=context.settings.store_deadline_s,
            response_s=float(context.settings.dimse_timeout_s),
            log=context.log,
        )
        self._messages = Messages(
            service, accepted, request.maximum_length, self._responses, self._commitments
        )
        files = context.landing.files
        if files is not None and self._tls is None and self._responses.is_serial:
            series = Series(
                self._connection.fileno(),
                files,
                service,
                maximum_length=context.settings.maximum_pdu_size,
                peer_maximum=request.maximum_length,
                responses=self._responses,
                is_alone=all(c.abstract_syntax != STORAGE_COMMITMENT for c in accepted.values()),
                answer=self._messages.answer,
            )
            self._watch.series = series.waits
            self._messages.series = series
        return self._messages

    def _security(self) -> dict[str, str]:
        """Return what the log says of TLS: who the sender proved to be, and how."""
        if self._tls is None:
            return {}
        names = ",".join(self._tls.common_names)
        return {"tls": self._tls.protocol, "certificate": names[:_MAX_NAMES_LENGTH]}

    def _reject(self, rejection: Rejection, origin: Origin) -> None:
        self._context.counters.add("associations_rejected")
        self._context.counters.add_reason(rejection.code)
        self._context.log.warning(
            "association_rejected",
            association_id=self._id,
            reason=rejection.code.value,
            result=f"{rejection.result},{rejection.source},{rejection.reason}",
            calling_ae_title=origin.calling_ae_title,
            called_ae_title=origin.called_ae_title,
            peer=origin.peer,
        )
        self._sender.send(encode_reject(rejection.result, rejection.source, rejection.reason))
        linger(self._connection, self._transport)

    # While it is one

    def _serve(self, messages: Messages) -> None:
        stream = self._stream
        settings = self._context.settings
        is_cutting = self._context.cutting.is_set
        responses = messages.responses
        series = messages.series
        while True:
            credit_s = CREDIT_S
            if series is not None and series.is_expected:
                unfinished = series.serve(settings.network_timeout_s, is_cutting)
                credit_s = series.credit_s
                if unfinished is not None:
                    self._on_expiry = WireReason.SLOWLORIS
                    stream.set_time(credit_s, earning=True)
                    messages.resume(unfinished)
                    continue
            # A sender may rightly wait in silence for the responses of its window.
            grace_s = settings.store_deadline_s if responses.outstanding else 0.0
            stream.set_time(settings.network_timeout_s + grace_s, earning=False)
            if is_cutting():
                raise StreamEndedError(End.INTERRUPTED)
            if responses.broken:
                # What the peer has sent meanwhile is not served: nobody would hear the answers.
                raise StreamEndedError(End.EOF)
            self._on_expiry = WireReason.CONN_IDLE
            stream.wait_idle(is_cutting)
            self._on_expiry = WireReason.SLOWLORIS
            stream.set_time(credit_s, earning=True)
            try:
                messages.start()
            except PduArrivedError as arrived:
                if arrived.kind != PduType.RELEASE_RQ:
                    raise
                self._release(messages, arrived)
                return
            messages.serve()

    def _release(self, messages: Messages, arrived: PduArrivedError) -> None:
        self._read_body(arrived)
        messages.drain()
        self._end_commitments()
        self._outcome = "released"
        # Before the answer: who is told that it is over may open the next one at once.
        self._leave()
        self._sender.send(RELEASE_RP)
        linger(self._connection, self._transport)

    def _read_body(self, arrived: PduArrivedError) -> bytes:
        if arrived.length > _MAX_BODY_BYTES:
            raise ProtocolError(
                AbortReason.INVALID_PARAMETER_VALUE,
                WireReason.PDU_INVALID,
                f"{arrived.kind.name} of {arrived.length} bytes",
            )
        return self._stream.take(arrived.length)

    # Its other ends

    def _unexpected(self, arrived: PduArrivedError) -> None:
        if arrived.kind == PduType.ABORT:
            self._note_abort("aborted_by_peer", WireReason.ABORTED, "A-ABORT")
            linger(self._connection, self._transport)
            return
        self._abort(
            AbortReason.UNEXPECTED_PDU,
            WireReason.PDU_UNEXPECTED,
            f"{arrived.kind.name} out of place",
        )

    def _end(self, end: End) -> None:
        if end is End.INTERRUPTED:
            if self._messages is not None:
                self._messages.drain()
                self._abort(AbortReason.NOT_SPECIFIED, WireReason.DRAINING, "receiver stops")
        elif self._tls is not None and self._tls.fault:
            if is_alert(self._tls.fault):
                self._note_abort("closed_by_peer", WireReason.TLS_ALERT, self._tls.fault)
            else:
                self._note_abort("aborted", WireReason.TLS_BROKEN, self._tls.fault)
            linger(self._connection, self._transport)
        elif not self._stream.received:
            pass  # a load balancer's or a scanner's connect and close: no event (row 1)
        elif end is End.EXPIRED:
            self._abort(AbortReason.NOT_SPECIFIED, self._on_expiry, "no bytes in time")
        elif self._watch.stalled:
            self._note_abort("aborted", WireReason.SEND_STALL, "a response was not taken in time")
        else:
            self._note_abort("closed_by_peer", WireReason.ABORTED, "connection closed")

    def _abort(self, abort: AbortReason, reason: WireReason, detail: str) -> None:
        self._note_abort("aborted", reason, detail)
        self._end_commitments()
        self._leave()
        if self._responses is not None:
            self._responses.broken = True  # nothing may follow the A-ABORT
        if self._sender.send(encode_abort(abort)):
            linger(self._connection, self._transport)

    def _end_commitments(self) -> None:
        if self._commitments is not None:
            self._commitments.close()

    def _note_abort(self, outcome: str, reason: WireReason, detail: str) -> None:
        self._outcome = outcome
        self._context.counters.add("associations_aborted")
        self._context.counters.add_reason(reason)
        self._context.log.warning(
            "association_aborted",
            association_id=self._id,
            reason=reason.value,
            detail=detail,
            by="peer" if outcome.endswith("_by_peer") else "receiver",
            calling_ae_title=self._calling,
            peer=self._peer,
            received_bytes=self._stream.received,
        )

    def _leave(self) -> None:
        if self._place is not None:
            place, self._place = self._place, None
            self._context.limit.leave(place)
