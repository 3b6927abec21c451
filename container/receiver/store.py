"""C-STORE: from the request through its data set to a status (PS3.7 9.3.1, PS3.4 annex B)."""

# long: what one instance meets from its command to its status, in that order.

from __future__ import annotations

import time
from dataclasses import dataclass

from contract.reasons import WireReason
from receiver.associate import ContextResult
from receiver.dimse import Command
from receiver.fragments import HEADERS_BYTES, Fragments
from receiver.header import (
    MAX_BYTES,
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    HeaderError,
    HeaderWalk,
)
from receiver.pdu import PDV_COMMAND, PDV_LAST, AbortReason, ProtocolError
from receiver.ports import (
    Assembly,
    Counters,
    Identity,
    Landing,
    Log,
    Origin,
    Part,
    StoreError,
)
from receiver.status import Status
from receiver.stream import LOOKAHEAD_BYTES, Stream
from receiver.syntaxes import (
    STORAGE_COMMITMENT,
    VERIFICATION,
    known_uid,
    shown_uid,
    uid_fault,
    uid_text,
)

MAX_REFUSED_BYTES = MAX_BYTES
"""Of an instance that is refused, so much is kept: more would need an upload, which is for good ones."""

NOT_STORED = frozenset((VERIFICATION, STORAGE_COMMITMENT))
"""Abstract syntaxes that are accepted for another operation than C-STORE."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an instance is not stored.

    Attributes:
        status: What the sender is told.
        reason: Stable code for log, metric and the record under refused/.
        detail: Tags and numbers, never a value.
    """

    status: Status
    reason: WireReason
    detail: str


@dataclass(slots=True)
class Tally:
    """What one association has done so far; the figures of its closing log line."""

    stored: int = 0
    stored_bytes: int = 0
    duplicates: int = 0
    failed: int = 0
    refused: int = 0
    echoed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreService:
    """What a C-STORE of one association needs from around it."""

    landing: Landing
    counters: Counters
    log: Log
    origin: Origin
    stream: Stream
    fragments: Fragments
    tally: Tally

    @property
    def sender(self) -> dict[str, str]:
        """Who sent it, for a line about what was refused: it must tell which device to look at."""
        return {
            "association_id": self.origin.association_id,
            "calling_ae_title": self.origin.calling_ae_title,
            "peer": self.origin.peer,
        }


def judge_command(command: Command, context: ContextResult) -> Refusal | None:
    """Return why a C-STORE-RQ is refused whatever its data set says, None if it is not (rows 19-31)."""
    if not command.has_dataset:
        return Refusal(Status.MISTYPED_ARGUMENT, WireReason.NO_DATASET, "no data set announced")
    if fault := uid_fault(command.sop_class):
        return Refusal(Status.SOP_CLASS_NOT_SUPPORTED, fault, "Affected SOP Class UID")
    if fault := uid_fault(command.sop_instance):
        return Refusal(Status.INVALID_SOP_INSTANCE, fault, "Affected SOP Instance UID")
    # A context of another service stores nothing, even if the instance says that it is of that class.
    if (
        uid_text(command.sop_class) != context.abstract_syntax
        or context.abstract_syntax in NOT_STORED
    ):
        return Refusal(
            Status.SOP_CLASS_NOT_SUPPORTED,
            WireReason.SOP_CX_MISMATCH,
            "SOP class is not the presentation context's, or not a storage class",
        )
    return None


def judge_header(walk: HeaderWalk, identity: Identity) -> Refusal | None:
    """Return why a data set is refused, None if it is not (rows 20 and 37-44)."""
    try:
        walk.finish()
    except HeaderError as error:
        return Refusal(Status.CANNOT_UNDERSTAND, error.reason, error.detail)
    if walk.uids[SOP_CLASS_UID] != identity.sop_class_uid:
        differs = "SOP Class UID"
    elif walk.uids[SOP_INSTANCE_UID] != identity.sop_instance_uid:
        differs = "SOP Instance UID"
    else:
        return None
    detail = f"{differs} of data set and command differ"
    return Refusal(Status.DATASET_MISMATCH, WireReason.UID_MISMATCH, detail)


class Reception:
    """One instance on its way from the wire to the landing."""

    def __init__(
        self,
        service: StoreService,
        command: Command,
        context: ContextResult,
        refusal: Refusal | None,
        part: Part | None = None,
    ) -> None:
        """Prepare for an instance.

        Args:
            service: What it needs.
            command: Its request.
            context: Its presentation context.
            refusal: Why it is not stored, whatever it is.
            part: What has come of it already, by series.py.
        """
        self._service = service
        self._context_id = context.context_id
        # Where nothing is wrong with the command its UIDs are fit to be shown, and the class is the context's.
        if refusal is None:
            sop_class, sop_instance = context.abstract_syntax, uid_text(command.sop_instance)
        else:
            sop_class, sop_instance = shown_uid(command.sop_class), shown_uid(command.sop_instance)
        self._identity = Identity(
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            transfer_syntax_uid=context.transfer_syntax,
        )
        self._refusal = refusal
        self._failure: StoreError | None = None
        self._walk = HeaderWalk(context.transfer_syntax)
        self._walk.done = refusal is not None
        self._judged = refusal is not None
        self._sound = False
        """Judged, and not refused."""
        self._assembly: Assembly | None = None
        self._part = part
        self._meta_bytes = 0
        self._received_at = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether its header was judged and nothing was wrong."""
        return self._sound

    def receive(self) -> None:
        """Read the data set, or what is to come of it, to its last fragment.

        Raises:
            PduArrivedError: The peer releases or aborts instead.
            ProtocolError: A fragment does not belong here.
            StreamEndedError: The rest will not come.
        """
        try:
            last = self._begin() if self._part is None else self._resume(self._part)
            self._receive_fragments(self._service.fragments, last=last)
        except BaseException:
            self._drop()
            raise
        self._received_at = time.monotonic()
        if not self._judged and self._failure is None:
            self._judge()

    def _receive_fragments(self, fragments: Fragments, *, last: bool) -> None:
        while not last:
            fragments.next()
            if fragments.context_id != self._context_id:
                raise ProtocolError(
                    AbortReason.UNEXPECTED_PARAMETER,
                    WireReason.CX_MIX,
                    f"context {fragments.context_id} within a message of {self._context_id}",
                )
            if fragments.control & PDV_COMMAND:
                raise ProtocolError(
                    AbortReason.NOT_SPECIFIED, WireReason.DIMSE_ORDER, "command within a data set"
                )
            last = self._receive_content(fragments)

    def discard(self) -> None:
        """Forget what was received: the association ends before its outcome can be told."""
        self._drop()

    def store(self) -> tuple[Status, str]:
        """Make the instance durable, or keep it as refused; return the status and a comment on it.

        Runs on any thread; never raises `StoreError`.
        """
        service = self._service
        if self._refusal is not None:
            return self._refuse(self._refusal)
        if self._assembly is None or self._failure is not None:
            return self._fail(self._failure or StoreError(WireReason.INTERNAL, "no assembly"))
        assembly, self._assembly = self._assembly, None
        size = assembly.size
        try:
            is_new = assembly.commit()
        except StoreError as error:
            return self._fail(error)
        if is_new:
            return note_stored(service, self._identity, size, self._received_at)
        return note_duplicate(service, self._identity, size)

    def _begin(self) -> bool:
        """Start to receive; return whether the last fragment has come."""
        try:
            self._assembly = self._service.landing.begin(self._identity, self._service.origin)
            self._meta_bytes = self._assembly.size
        except StoreError as error:
            self._failure = error
        return False

    def _resume(self, part: Part) -> bool:
        """Go on with a part; return whether the last fragment has come."""
        service = self._service
        try:
            self._assembly = service.landing.resume(self._identity, service.origin, part)
            self._meta_bytes = part.meta_bytes
        except StoreError as error:
            self._failure = error
        if part.failure is not None:
            self._failure = part.failure
            self._drop()
        if part.study_instance_uid:
            self._identity = self._identity._replace(
                study_instance_uid=part.study_instance_uid,
                series_instance_uid=part.series_instance_uid,
            )
            self._walk.done = self._judged = self._sound = True
            if self._assembly is not None:
                self._assembly.identify(self._identity)
        else:  # all of the data set that came is held
            self._walk.feed(memoryview(part.held)[part.meta_bytes :])
            if self._walk.done:
                self._judge()
        fragments = service.fragments
        if fragments.length:
            return self._receive_content(fragments)
        return bool(fragments.control & PDV_LAST)

    def _receive_content(self, fragments: Fragments) -> bool:
        """Receive the current fragment; return whether it is the data set's last."""
        stream = self._service.stream
        walk = self._walk
        last = bool(fragments.control & PDV_LAST)
        ahead = LOOKAHEAD_BYTES if last else HEADERS_BYTES
        left = fragments.length
        while left:
            assembly = self._assembly
            if assembly is None:
                stream.skip(left)
                break
            wanted = left
            if not self._sound:
                # Nothing may be asked beyond what is held without an upload, see header.MAX_BYTES.
                wanted = min(left, MAX_REFUSED_BYTES - (assembly.size - self._meta_bytes))
                if wanted <= 0:
                    self._end_of_room()
                    continue
            try:
                view = assembly.space(wanted)
            except StoreError as error:
                self._failure = error
                self._drop()
                continue
            count = stream.receive_into(view, ahead if len(view) == left else 0)
            if not walk.done:
                walk.feed(view[:count])
            assembly.advance(count)
            left -= count
            if walk.done and not self._judged:
                self._judge()
        return last

    def _end_of_room(self) -> None:
        """Decide on an instance of which no more can be held before it is judged."""
        if not self._judged:
            self._judge()
        if self._refusal is not None and self._assembly is not None:
            self._keep_refused(self._assembly, self._refusal, " (the rest was not kept)")

    def _judge(self) -> None:
        self._judged = True
        self._refusal = judge_header(self._walk, self._identity)
        if self._refusal is None and self._assembly is not None:
            uids = self._walk.uids
            self._identity = self._identity._replace(
                study_instance_uid=known_uid(uids.get(STUDY_INSTANCE_UID, "")),
                series_instance_uid=known_uid(uids.get(SERIES_INSTANCE_UID, "")),
            )
            self._assembly.identify(self._identity)
            self._sound = True

    def _keep_refused(self, assembly: Assembly, refusal: Refusal, remark: str = "") -> None:
        self._assembly = None
        assembly.refuse(refusal.reason, refusal.detail + remark)

    def _drop(self) -> None:
        assembly, self._assembly = self._assembly, None
        if assembly is not None:
            assembly.discard()

    def _refuse(self, refusal: Refusal) -> tuple[Status, str]:
        if self._assembly is not None:
            self._keep_refused(self._assembly, refusal)
        return refuse(self._service, self._identity, refusal)

    def _fail(self, error: StoreError) -> tuple[Status, str]:
        self._drop()
        return fail(self._service, self._identity, error)


def note_stored(
    service: StoreService, identity: Identity, size: int, received_at: float
) -> tuple[Status, str]:
    """Count and log an instance that may be acknowledged; return the status and a comment on it.

    Args:
        service: Where.
        identity: What it is.
        size: Its bytes.
        received_at: When its last fragment had come (`time.monotonic()`).
    """
    latency_s = time.monotonic() - received_at
    # Before the response: whoever was told Success is in the count.
    service.counters.add_stored(size, latency_s)
    tally = service.tally
    tally.stored += 1
    tally.stored_bytes += size
    if service.log.is_debug:
        service.log.debug(
            "instance_stored",
            association_id=service.origin.association_id,
            sop_instance_uid=identity.sop_instance_uid,
            size_bytes=size,
            durable_ms=round(latency_s * 1000, 1),
        )
    return Status.SUCCESS, ""


def note_duplicate(service: StoreService, identity: Identity, size: int) -> tuple[Status, str]:
    """Count and log an instance that was stored a moment ago; return the status and a comment on it."""
    service.counters.add("duplicates_answered")
    service.tally.duplicates += 1
    service.log.info(
        "duplicate_answered",
        association_id=service.origin.association_id,
        sop_instance_uid=identity.sop_instance_uid,
        size_bytes=size,
    )
    return Status.SUCCESS, ""


def fail(service: StoreService, identity: Identity, error: StoreError) -> tuple[Status, str]:
    """Count and log an instance that could not be made durable; return the status and a comment on it."""
    service.counters.add("failed_stores")
    service.counters.add_reason(error.reason)
    service.tally.failed += 1
    service.log.error(
        "store_failed",
        **service.sender,
        reason=error.reason.value,
        detail=error.detail,
        sop_instance_uid=identity.sop_instance_uid,
    )
    return Status.OUT_OF_RESOURCES, error.reason.value


def note_bug(service: StoreService, error: Exception) -> tuple[Status, str]:
    """Count and log an instance that was lost to a bug; return the status and a comment on it."""
    service.counters.add("failed_stores")
    service.counters.add_reason(WireReason.INTERNAL)
    service.tally.failed += 1
    service.log.error(
        "store_failed",
        **service.sender,
        reason=WireReason.INTERNAL.value,
        detail=type(error).__name__,  # its message might quote what was received
    )
    return Status.PROCESSING_FAILURE, WireReason.INTERNAL.value


def refuse(service: StoreService, identity: Identity, refusal: Refusal) -> tuple[Status, str]:
    """Count and log an instance that is not stored; return the status and a comment on it."""
    service.counters.add("refused_instances")
    service.counters.add_reason(refusal.reason)
    service.tally.refused += 1
    service.log.warning(
        "instance_refused",
        **service.sender,
        reason=refusal.reason.value,
        detail=refusal.detail,
        status=f"{refusal.status:04X}",
        sop_class_uid=identity.sop_class_uid,
        sop_instance_uid=identity.sop_instance_uid,
    )
    return refusal.status, f"{refusal.reason.value}: {refusal.detail}"
