"""A C-STORE SCU of a few bytes per instance: it sends datasets as they are and can stop anywhere.

Written from PS3.7 and PS3.8 without the receiver's code or pynetdicom's, so that it is a second opinion.
One association is used by one thread; `send_all` runs several.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.builders import CT_IMAGE, EXPLICIT_LITTLE, Instance
from tests.raw_pdus import associate_rq, command, elements_of, items_of, ui

SUCCESS = 0x0000
VERIFICATION = "1.2.840.10008.1.1"
_P_DATA = struct.Struct(">BxIIBB")
_COMMAND_LAST, _DATA, _DATA_LAST = 3, 0, 2


class RejectedError(Exception):
    """A-ASSOCIATE-RJ; `reason` is (result, source, reason)."""

    def __init__(self, reason: tuple[int, int, int]) -> None:
        self.reason = reason
        super().__init__(f"rejected {reason}")


class AbortedError(ConnectionError):
    """A-ABORT; `reason` is (source, reason)."""

    def __init__(self, reason: tuple[int, int]) -> None:
        self.reason = reason
        super().__init__(f"aborted {reason}")


@dataclass(frozen=True, slots=True)
class Response:
    """A response's message id, status and error comment."""

    message_id: int
    status: int
    comment: str = ""


@dataclass(slots=True)
class Acks:
    """What was answered with Success, by any thread: the sender's side of the oracle."""

    digests: set[tuple[str, str]] = field(default_factory=set)
    """(SOP Instance UID, SHA-256 of the dataset)."""

    def add(self, instance: Instance) -> None:
        """Remember that `instance` was acknowledged."""
        self.digests.add((instance.sop_instance_uid, instance.sha256()))


def contexts_for(instances: Iterable[Instance]) -> list[tuple[str, str]]:
    """Return the (SOP class, transfer syntax) pairs that `instances` need, each once."""
    return list(dict.fromkeys((i.sop_class_uid, i.transfer_syntax_uid) for i in instances))


class RawAssociation:
    """An open association; a context manager that releases, or closes when something went wrong.

    Args:
        port: Of the receiver on this machine.
        contexts: Proposed (abstract syntax, transfer syntax) pairs.
        window: Asynchronous operations to propose (invoked), None for no such item.
        prefix: Bytes sent before anything else, TLS too (a PROXY header).
        tls: What to speak TLS by; plain without.
        timeout_s: Of every read and write.

    Raises:
        RejectedError: The receiver refused.
        AbortedError: It aborted.
        ConnectionError: It closed.
    """

    def __init__(
        self,
        port: int,
        contexts: Sequence[tuple[str, str]] = ((CT_IMAGE, EXPLICIT_LITTLE),),
        *,
        called: str = "STORESCP",
        calling: str = "RAWSCU",
        window: int | None = None,
        prefix: bytes = b"",
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self.acks = Acks()
        self._ids = {context: 2 * n + 1 for n, context in enumerate(contexts)}
        self._next_message_id = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(prefix)
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket)
            self.socket.sendall(associate_rq(called, calling, self._ids, window))
            self._read_acceptance()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.release()
        self.close()

    def is_accepted(self, sop_class_uid: str, transfer_syntax_uid: str) -> bool:
        """Whether the context was accepted."""
        return self.results[self._ids[sop_class_uid, transfer_syntax_uid]] == 0

    def store(self, instance: Instance) -> int:
        """Send an instance and return the response's status."""
        self.send(instance)
        return self.read_status(instance)

    def store_all(self, instances: Iterable[Instance]) -> list[int]:
        """Send instances, as many at once as the window allows; return their statuses in order."""
        waiting: list[Instance] = []
        statuses = []
        for instance in instances:
            if len(waiting) == self.window:
                statuses.append(self.read_status(waiting.pop(0)))
            self.send(instance)
            waiting.append(instance)
        return statuses + [self.read_status(instance) for instance in waiting]

    def read_status(self, instance: Instance) -> int:
        """Read the response to `instance` and return its status."""
        status = self.read_response().status
        if status == SUCCESS:
            self.acks.add(instance)
        return status

    def echo(self) -> int:
        """Send a C-ECHO and return its status; VERIFICATION must have been proposed."""
        context_id = next(n for (uid, _), n in self._ids.items() if uid == VERIFICATION)
        elements = [(0x0002, ui(VERIFICATION)), (0x0100, b"\x30\x00"), (0x0110, self._message_id())]
        self._send_pdv(context_id, _COMMAND_LAST, command([*elements, (0x0800, b"\x01\x01")]))
        return self.read_response().status

    def send(
        self,
        instance: Instance,
        *,
        stop_before_end: int = 0,
        wait: Callable[[], object] | None = None,
    ) -> None:
        """Send a C-STORE-RQ and its dataset without reading the response.

        Args:
            instance: What to send.
            stop_before_end: Bytes of the dataset held back; sent after `wait`, never if there is none.
            wait: Called before the bytes held back are sent.
        """
        context_id = self._ids[instance.sop_class_uid, instance.transfer_syntax_uid]
        elements = [
            (0x0002, ui(instance.sop_class_uid)),
            (0x0100, b"\x01\x00"),
            (0x0110, self._message_id()),
            (0x0700, b"\x00\x00"),
            (0x0800, b"\x00\x00"),
            (0x1000, ui(instance.sop_instance_uid)),
        ]
        self._send_pdv(context_id, _COMMAND_LAST, command(elements))
        room = (self.maximum_length or 1 << 20) - 6
        left = instance.size
        for fragment in instance.fragments(room):
            left -= len(fragment)
            control = _DATA if left else _DATA_LAST
            held = min(stop_before_end - left, len(fragment))
            if held <= 0:
                self._send_pdv(context_id, control, fragment)
                continue
            head = _P_DATA.pack(4, len(fragment) + 6, len(fragment) + 2, context_id, control)
            shown = len(fragment) - held
            whole = b"".join((head, fragment))
            # At a fragment's start nothing of it is sent: that is where an A-ABORT can stand.
            cut = len(head) + shown if shown else 0
            self.socket.sendall(whole[:cut])
            if wait is None:
                return
            wait()
            self.socket.sendall(whole[cut:])
            stop_before_end = 0

    def read_response(self) -> Response:
        """Read the next response.

        Raises:
            AbortedError: The receiver aborted.
            ConnectionError: It closed.
        """
        body = self._read_pdu(4)
        elements = dict(elements_of(body[6:]))
        return Response(
            message_id=struct.unpack("<H", elements[0x0120])[0],
            status=struct.unpack("<H", elements[0x0900])[0],
            comment=elements.get(0x0902, b"").decode("ascii", "replace").strip(),
        )

    def release(self) -> None:
        """Release the association and wait for the answer."""
        self.socket.sendall(struct.pack(">BxII", 5, 4, 0))
        self._read_pdu(6)

    def abort(self) -> None:
        """Abort and close."""
        with contextlib.suppress(OSError):
            self.socket.sendall(struct.pack(">BxIBBBB", 7, 4, 0, 0, 0, 0))
        self.close()

    def close(self) -> None:
        """Close the connection without a word."""
        self.socket.close()

    def _message_id(self) -> bytes:
        self._next_message_id = self._next_message_id % 65_535 + 1
        return struct.pack("<H", self._next_message_id)

    def _send_pdv(self, context_id: int, control: int, data: bytes | memoryview) -> None:
        head = _P_DATA.pack(4, len(data) + 6, len(data) + 2, context_id, control)
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.sendall(b"".join((head, data)))
            return
        sent = self.socket.sendmsg((head, data))
        if sent < len(head):
            self.socket.sendall(b"".join((head[sent:], data)))
        else:
            self.socket.sendall(memoryview(data)[sent - len(head) :])

    def _read_acceptance(self) -> None:
        body = self._read_pdu(2)
        self.results: dict[int, int] = {}
        self.maximum_length = 0
        self.window = 1
        for kind, item in items_of(body[68:]):
            if kind == 0x21:
                self.results[item[0]] = item[2]
            elif kind == 0x50:
                for sub_kind, value in items_of(item):
                    if sub_kind == 0x51:
                        self.maximum_length = struct.unpack(">I", value)[0]
                    elif sub_kind == 0x53:
                        self.window = struct.unpack(">HH", value)[0]

    def _read_pdu(self, expected: int) -> bytes:
        kind, length = struct.unpack(">BxI", self._read(6))
        body = self._read(length)
        if kind == 3:
            raise RejectedError((body[1], body[2], body[3]))
        if kind == 7:
            raise AbortedError((body[2], body[3]))
        if kind != expected:
            raise ConnectionError(f"PDU {kind} instead of {expected}")
        return body

    def _read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            got = self.socket.recv(count - len(data))
            if not got:
                raise ConnectionError("closed by the receiver")
            data += got
        return bytes(data)


def send_all(
    port: int, instances: Sequence[Instance], *, associations: int = 1, window: int | None = None
) -> Acks:
    """Send instances over several associations at once; every one must be answered with Success."""
    merged, failures = Acks(), []

    def run(share: Sequence[Instance]) -> None:
        try:
            with RawAssociation(port, contexts_for(share), window=window) as association:
                statuses = association.store_all(share)
            assert set(statuses) <= {SUCCESS}, statuses
            merged.digests |= association.acks.digests
        except (OSError, AssertionError, RejectedError) as error:
            failures.append(error)

    shares = [share for n in range(associations) if (share := instances[n::associations])]
    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return merged
