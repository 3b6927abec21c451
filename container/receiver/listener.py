"""The DICOM port, and the waiting room where a connection stays until its peer says something.

A silent peer costs a descriptor, not a thread. Behind the load balancer every connection starts with a
PROXY header, so there the room waits for the byte after it.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from contract.reasons import WireReason
from receiver.ports import Counters, Log
from receiver.proxy import MAX_HEADER_BYTES, ProxyHeaderError, parse_header

BACKLOG = 1024
"""The kernel lowers it to net.core.somaxconn (4096, or 128 before Linux 5.4)."""
SILENCE_S = 30.0
"""ARTIM of PS3.8 9.1.5: from the connection to the A-ASSOCIATE-RQ."""
TLS_SILENCE_S = 5.0
"""Where connections are TLS: a client speaks first, and at once."""
MAXIMUM_WAITING = 1024
MAXIMUM_WAITING_PER_ADDRESS = 512

_KEEPALIVE = {
    socket.TCP_KEEPIDLE: 60,
    socket.TCP_KEEPINTVL: 15,
    socket.TCP_KEEPCNT: 4,
    socket.TCP_NODELAY: 1,
    socket.TCP_USER_TIMEOUT: 120_000,
}
"""A peer that vanished is noticed after two minutes, below every balancer's idle time."""


class PortError(Exception):
    """A port cannot be listened on; the message is one sentence that names the setting."""


def open_listener(setting: str, port: int, backlog: int = BACKLOG) -> socket.socket:
    """Listen on `port` of all addresses; connections inherit the options set here.

    Args:
        setting: The setting that chose the port, for the message.
        port: 0 takes a free one.
        backlog: Connections that may wait in the kernel.

    Raises:
        PortError: It is taken or may not be used.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
        listener.bind(("0.0.0.0", port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            why = "is already in use on this machine; stop the other process or choose another port"
        elif error.errno == errno.EACCES:
            why = "may not be used by this user; choose a port from 1024"
        else:
            why = f"cannot be listened on (errno {error.errno})"
        raise PortError(f"{setting}: port {port} {why}.") from error
    listener.setblocking(False)  # noqa: FBT003 the method has no keyword
    return listener


@dataclass(slots=True, eq=False)
class Arrival:
    """An accepted connection that no worker has yet.

    Attributes:
        number: Our id of it, unique in this task.
        connection: The parent's copy.
        peer: IP address; behind a balancer the balancer's.
        deadline: `time.monotonic()` at which it is closed, SILENCE_S after it came.
        sender: IP address of the sender, by which the limits count; behind a balancer empty until its
            PROXY header is there, and for the balancer's own connections.
    """

    number: int
    connection: socket.socket
    peer: str
    deadline: float
    sender: str = ""

    @property
    def shown(self) -> str:
        """The best address that is known, for the log."""
        return self.sender or self.peer


class WaitingRoom:
    """Holds silent connections, calls `on_ready` at their first byte.

    Args:
        selector: The parent's loop; registered objects carry a callable.
        on_ready: Takes over the arrival, which has left the room.
        silence_s: How long a peer may say nothing, at most SILENCE_S.
        proxy_protocol: The first byte counts after the PROXY header, which names the sender.
        counters: For conn_idle and address_limit.
        log: Likewise; a peer that leaves without a byte is no event.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_ready: Callable[[Arrival], None],
        *,
        silence_s: float = SILENCE_S,
        proxy_protocol: bool,
        counters: Counters,
        log: Log,
    ) -> None:
        self._early_s = SILENCE_S - silence_s
        self._selector = selector
        self._on_ready = on_ready
        self._proxy_protocol = proxy_protocol
        self._counters = counters
        self._log = log
        # In order of arrival, so the first is the one that has been silent longest.
        self._waiting: dict[int, Arrival] = {}
        self._per_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def admit(self, arrival: Arrival) -> None:
        """Wait for the arrival's first byte; closes the longest silent one where there are too many."""
        if len(self._waiting) >= MAXIMUM_WAITING:
            self._turn_out(next(iter(self._waiting.values())), WireReason.CONN_IDLE)
        if not self._proxy_protocol:
            self._recognize(arrival, arrival.peer)
        self._waiting[arrival.number] = arrival
        self._selector.register(
            arrival.connection, selectors.EVENT_READ, lambda _: self._look(arrival)
        )

    def expire(self, now: float) -> None:
        """Close those that said nothing until their deadline."""
        while self._waiting:
            longest = next(iter(self._waiting.values()))
            if longest.deadline - self._early_s > now:
                return
            self._turn_out(longest, WireReason.CONN_IDLE)

    def close(self) -> None:
        """Close all of them."""
        for arrival in list(self._waiting.values()):
            self._leave(arrival)
            arrival.connection.close()

    def close_copies(self) -> None:
        """Close a forked child's copies, leaving the parent's loop alone."""
        for arrival in self._waiting.values():
            arrival.connection.close()

    def _look(self, arrival: Arrival) -> None:
        if arrival.number not in self._waiting:
            return  # turned out by an event of the same round
        try:
            if self._is_still_silent(arrival):
                return
            gone = False
        except BlockingIOError:
            return
        except OSError:
            gone = True
        self._leave(arrival)
        if gone:
            arrival.connection.close()
        else:
            self._on_ready(arrival)

    def _recognize(self, arrival: Arrival, sender: str) -> None:
        """Count an arrival as its sender's; where that has too many, close its longest silent one."""
        if self._per_address[sender] >= MAXIMUM_WAITING_PER_ADDRESS:
            longest = next(other for other in self._waiting.values() if other.sender == sender)
            self._turn_out(longest, WireReason.ADDRESS_LIMIT)
        arrival.sender = sender
        self._per_address[sender] += 1

    def _is_still_silent(self, arrival: Arrival) -> bool:
        """Return whether only a PROXY header came.

        Raises:
            ConnectionError: The peer left without a byte.
        """
        connection = arrival.connection
        peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
        data = connection.recv(MAX_HEADER_BYTES + 1 if self._proxy_protocol else 1, peek)
        if not data:
            raise ConnectionAbortedError
        if not self._proxy_protocol:
            return False
        try:
            header = parse_header(data)
        except ProxyHeaderError:
            return False  # the worker cuts it and says why
        if header is not None and header.source and not arrival.sender:
            self._recognize(arrival, header.source)
        if header is None or len(data) > header.size:
            # A header that drips is the worker's too: it has 5 s for all of it.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            return False
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) > header.size:
            raise ConnectionAbortedError  # readable again without more bytes: the peer's end
        # Readable only with a byte after the header, or at the peer's end (socket(7), SO_RCVLOWAT).
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, header.size + 1)
        return True

    def _turn_out(self, arrival: Arrival, reason: WireReason) -> None:
        self._leave(arrival)
        arrival.connection.close()
        self._counters.add_reason(reason)
        self._log.info(
            "connection_cut",
            connection=arrival.number,
            reason=reason,
            peer=arrival.shown,
        )

    def _leave(self, arrival: Arrival) -> None:
        del self._waiting[arrival.number]
        if arrival.sender:
            self._per_address[arrival.sender] -= 1
            if not self._per_address[arrival.sender]:
                del self._per_address[arrival.sender]
        with contextlib.suppress(KeyError):
            self._selector.unregister(arrival.connection)
