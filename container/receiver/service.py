"""A worker's parts put together: associations over a landing. Built in the worker, after the fork."""

from __future__ import annotations

import socket
from collections.abc import Callable

from receiver.association import AssociationContext, serve
from receiver.deadlines import Watchdog
from receiver.landing import make_landing
from receiver.recent import RecentContents
from receiver.tls import make_context
from receiver.worker import Seat


class AssociationService:
    """The product's `worker.Service`."""

    def __init__(self, seat: Seat, *, recent: RecentContents) -> None:
        self._seat = seat
        self._tls = make_context(seat.settings)
        self._landing = make_landing(seat.settings, seat.journals, recent, seat.counters, seat.log)
        self._watchdog = Watchdog()
        self._watchdog.start()

    def serve(
        self, connection: socket.socket, peer: str, on_associated: Callable[[], None]
    ) -> None:
        """Serve one association on the calling thread and close its connection."""
        context = AssociationContext(
            settings=self._seat.settings,
            landing=self._landing,
            limit=self._seat.limit,
            counters=self._seat.counters,
            log=self._seat.log,
            watchdog=self._watchdog,
            draining=self._seat.draining,
            cutting=self._seat.cutting,
            on_associated=on_associated,
            tls=self._tls,
            committer=self._seat.committer,
        )
        serve(connection, peer, context)

    def cut(self) -> None:
        """Wake associations that wait between messages."""
        self._watchdog.interrupt_idle()

    def tick(self) -> None:
        """Seal what is due."""
        self._landing.tick()

    def recover(self) -> None:
        """Seal what the slot's dead predecessor left."""
        self._landing.recover()

    def close(self, timeout_s: float) -> bool:
        """Seal everything; True if it was done in time."""
        return self._landing.close(timeout_s)
