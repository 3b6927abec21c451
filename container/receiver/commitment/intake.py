"""Takes requests from the workers: read, kept, and only then answered."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contract.keys import CommitmentId, CommitmentObject
from receiver.commitment.action import (
    MAX_ACTION_BYTES,
    Action,
    ActionError,
    TooManyError,
    decode_action,
)
from receiver.commitment.documents import Request
from receiver.commitment.link import Asker, Frame, Link, LinkClosedError
from receiver.commitment.ports import Archive, UnavailableError
from receiver.ports import Log
from receiver.status import Status

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Action Information of all devices that is being received; what does not fit is refused (0213)."""
SILENCE_S = 120.0
"""A worker cuts a device that is silent long before."""

Accept = Callable[[Request, Link], None]
"""Takes over a request that was kept, and the link to the association that waits for its answer."""


class _RefusedError(Exception):
    """The N-ACTION is answered with another status than Success."""

    def __init__(self, status: Status, comment: str) -> None:
        self.status = status
        self.comment = comment
        super().__init__(comment)


@dataclass(slots=True)
class Budget:
    """Bytes that may be held at once; thread-safe."""

    free: int = MAX_WAITING_BYTES
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, count: int) -> bool:
        """Reserve `count` bytes; False if there are not so many."""
        with self._lock:
            if count > self.free:
                return False
            self.free -= count
            return True

    def give_back(self, count: int) -> None:
        """Free `count` bytes."""
        with self._lock:
            self.free += count


class Intake:
    """Serves each link on a thread of its own until its request is kept.

    Args:
        archive: Where requests are kept.
        accept: Takes over.
        keep_s: Time for a request to be kept; the worker waits a little longer.
        log: Events.
    """

    def __init__(self, archive: Archive, accept: Accept, *, keep_s: float, log: Log) -> None:
        self._archive = archive
        self._accept = accept
        self._keep_s = keep_s
        self._log = log
        self._budget = Budget()

    def serve(self, listener: socket.socket) -> None:
        """Accept links until the listener is shut down."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._take, args=(Link(connection, SILENCE_S),), name="intake", daemon=True
            ).start()

    def _take(self, link: Link) -> None:
        try:
            asker = Asker.decode(link.expect(Frame.ASK))
            link.implicit = asker.implicit
            try:
                action = self._read(link, asker)
                if not link.is_open:  # it has waited too long, and the device was told so
                    raise LinkClosedError("nobody waits")
                request = self._keep(asker, action)
            except _RefusedError as refused:
                _answer(link, refused.status, refused.comment)
                link.close()
                return
            _answer(link, Status.SUCCESS, "")
        except LinkClosedError:
            # The association or its worker is gone. What was kept is found by its listing.
            link.close()
            return
        self._accept(request, link)

    def _read(self, link: Link, asker: Asker) -> Action:
        data = bytearray()
        fits = True
        try:
            while (frame := link.receive())[0] is Frame.PIECE:
                piece = frame[1]
                fits = fits and len(data) + len(piece) <= MAX_ACTION_BYTES
                fits = fits and self._budget.take(len(piece))
                if fits:
                    data += piece
            if frame[0] is not Frame.END:
                raise LinkClosedError(f"{frame[0].name} instead of END")
            if not fits:
                raise _RefusedError(Status.RESOURCE_LIMITATION, "too many references, ask in parts")
            return decode_action(bytes(data), implicit=asker.implicit)
        except TooManyError as error:
            raise _RefusedError(Status.RESOURCE_LIMITATION, str(error)) from None
        except ActionError as error:
            raise _RefusedError(Status.INVALID_ARGUMENT_VALUE, str(error)) from None
        finally:
            self._budget.give_back(len(data))

    def _keep(self, asker: Asker, action: Action) -> Request:
        now = time.time()
        request = Request(
            id=CommitmentId.new(now),
            transaction_uid=action.transaction_uid,
            calling_ae_title=asker.calling_ae_title,
            called_ae_title=asker.called_ae_title,
            peer=asker.peer,
            association_id=asker.association_id,
            requested_at=now,
            references=action.references,
        )
        key = request.id.key(CommitmentObject.REQUEST)
        try:
            kept = self._archive.write(key, request.encode(), self._keep_s)
        except UnavailableError as error:
            self._log.error("commitment_not_kept", commitment=str(request.id), detail=str(error))
            kept = False
        if not kept:
            raise _RefusedError(Status.PROCESSING_FAILURE, "not kept: ask again")
        self._log.info(
            "commitment_requested",
            commitment=str(request.id),
            association_id=request.association_id,
            calling_ae_title=request.calling_ae_title,
            references=len(request.references),
        )
        return request


def _answer(link: Link, status: Status, comment: str) -> None:
    link.send(Frame.STATUS, json.dumps({"status": status, "comment": comment}).encode())
