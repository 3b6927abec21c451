"""Responses leave in the order of their requests; where a window was granted, stores overlap."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from receiver.deadlines import FOREVER, Watch
from receiver.transport import Transport

SEND_S = 30.0
"""How long a response may wait for the peer to take it (row 53)."""


@dataclass(slots=True)
class _Operation:
    message_id: int
    work: Callable[[], bytes]
    response: bytes | None = None


class Sender:
    """The writing side of a connection: whole PDUs, from any thread."""

    def __init__(
        self,
        transport: Transport,
        watch: Watch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._watch = watch
        self._clock = clock
        self._lock = threading.Lock()

    def send(self, data: bytes) -> bool:
        """Send `data`; False if the peer is gone or did not take it in time."""
        with self._lock:
            self._watch.send_deadline = self._clock() + SEND_S
            try:
                self._transport.sendall(data)
            except OSError:
                return False
            finally:
                self._watch.send_deadline = FOREVER
            return True


class Responses:
    """The operations of one association between request and response.

    With a window of 1 each runs on the association's own thread and nothing else is made. With more, up
    to `window` run on threads of their own while the association reads on; when all are taken,
    `submit` waits, which is the back-pressure: nothing is read meanwhile.

    Attributes:
        broken: Set when a response could not be sent; nothing more will be.
    """

    def __init__(self, sender: Sender, window: int, wake_reader: Callable[[], None]) -> None:
        self._sender = sender
        self._window = window
        self._wake_reader = wake_reader
        self._operations: deque[_Operation] = deque()
        self._changed = threading.Condition()
        self._executor: ThreadPoolExecutor | None = None
        self.broken = False

    @property
    def outstanding(self) -> int:
        """Operations that are not answered."""
        return len(self._operations)

    def is_outstanding(self, message_id: int) -> bool:
        """Return whether an operation of this Message ID is not answered (PS3.7 9.3.1, row 26)."""
        if self._window == 1:
            return False
        with self._changed:
            return any(operation.message_id == message_id for operation in self._operations)

    def submit(self, message_id: int, work: Callable[[], bytes]) -> None:
        """Run `work` and send what it returns, after the responses of all operations before it.

        Args:
            message_id: Of the request.
            work: Returns the PDUs of the response; must not raise.
        """
        if self._window == 1:
            self.respond(work())
            return
        operation = _Operation(message_id, work)
        with self._changed:
            self._changed.wait_for(lambda: len(self._operations) < self._window)
            self._operations.append(operation)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._window, thread_name_prefix="store")
        self._executor.submit(self._run, operation)

    def respond(self, response: bytes) -> None:
        """Send the response to an operation that ran on the association's own thread; for a window of 1."""
        if not self._sender.send(response):
            self.give_up()

    def give_up(self) -> None:
        """Send nothing more: the peer is gone, or did not take a response in time."""
        self.broken = True
        self._wake_reader()

    @property
    def is_serial(self) -> bool:
        """Whether no window was granted: one operation at a time."""
        return self._window == 1

    def drain(self) -> None:
        """Wait until every operation is answered."""
        with self._changed:
            self._changed.wait_for(lambda: not self._operations)

    def close(self) -> None:
        """Wait for every operation, answered or not, and end the threads."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
        for operation in self._operations:
            # No thread was to be had for it; what it holds is given back by its end alone.
            if operation.response is None:
                operation.work()

    def _run(self, operation: _Operation) -> None:
        response = operation.work()
        with self._changed:
            operation.response = response
            # Sent under the lock, so that responses cannot overtake each other. An operation counts as
            # outstanding until its response is sent: PS3.7 lets the peer use its id again only then.
            while self._operations and (ready := self._operations[0].response) is not None:
                self._finish(self.broken or self._sender.send(ready))
                self._operations.popleft()
            self._changed.notify_all()

    def _finish(self, sent: bool) -> None:  # noqa: FBT001 - the outcome of the call in its argument
        if not sent:
            self.give_up()
