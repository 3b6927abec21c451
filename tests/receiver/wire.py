"""DICOM's bytes for tests: PDUs, fragments, command sets, and a socket that reads PDUs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Self

CT = b"1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = b"1.2.840.10008.1.1"
IMPLICIT = b"1.2.840.10008.1.2"
EXPLICIT = b"1.2.840.10008.1.2.1"
COMMAND, DATA, LAST = 1, 0, 2


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def context(number: int, abstract: bytes = CT, *syntaxes: bytes) -> bytes:
    items = item(0x30, abstract) + b"".join(item(0x40, s) for s in syntaxes or (EXPLICIT,))
    return item(0x20, bytes((number, 0, 0, 0)) + items)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(body)) + body


def associate(
    *contexts: bytes,
    called: bytes = b"STORESCP",
    calling: bytes = b"TEST",
    version: int = 1,
    application: bytes = b"1.2.840.10008.3.1.1.1",
    user: Sequence[bytes] = (),
    maximum: int = 16384,
) -> bytes:
    proposed = contexts or (context(1), context(3, VERIFICATION, IMPLICIT))
    fixed = struct.pack(">HH16s16s32x", version, 0, called.ljust(16), calling.ljust(16))
    information = item(0x51, struct.pack(">L", maximum)) + item(0x52, b"1.2.3") + b"".join(user)
    return pdu(1, fixed + item(0x10, application) + b"".join(proposed) + item(0x50, information))


def pdv(number: int, control: int, content: bytes) -> bytes:
    return struct.pack(">LBB", len(content) + 2, number, control) + content


def data(*pdvs: bytes) -> bytes:
    return pdu(4, b"".join(pdvs))


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(value)) + value


def us(number: int, value: int) -> bytes:
    return element(number, struct.pack("<H", value))


def ui(number: int, value: bytes) -> bytes:
    return element(number, value + b"\0" * (len(value) % 2))


def command(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return element(0, struct.pack("<L", len(body))) + body


def store_rq(
    message_id: int = 1,
    sop_class: bytes = CT,
    sop_instance: bytes = b"1.2.3",
    dataset_type: int = 0,
) -> bytes:
    return command(
        ui(0x0002, sop_class),
        us(0x0100, 1),
        us(0x0110, message_id),
        us(0x0700, 0),
        us(0x0800, dataset_type),
        ui(0x1000, sop_instance),
    )


ECHO_RQ = command(ui(0x0002, VERIFICATION), us(0x0100, 0x30), us(0x0110, 7), us(0x0800, 0x0101))
ECHO = data(pdv(3, COMMAND | LAST, ECHO_RQ))
RELEASE = pdu(5, bytes(4))


def explicit_ui(group: int, number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, b"UI", len(value)) + value


def dataset(sop_instance: bytes = b"1.2.3", sop_class: bytes = CT, pixels: int = 100) -> bytes:
    """Return an explicit VR little endian data set with the four UIDs and some pixels."""
    return (
        explicit_ui(8, 0x16, sop_class)
        + explicit_ui(8, 0x18, sop_instance)
        + explicit_ui(0x20, 0x0D, b"1.5")
        + explicit_ui(0x20, 0x0E, b"1.6")
        + struct.pack("<HH2sxxL", 0x7FE0, 0x10, b"OW", pixels)
        + bytes(index % 251 for index in range(pixels))
    )


def store(
    message_id: int = 1, sop_instance: bytes = b"1.2.3", content: bytes | None = None
) -> bytes:
    """Return a C-STORE-RQ with its data set on context 1, in two PDUs."""
    content = dataset(sop_instance) if content is None else content
    return data(pdv(1, COMMAND | LAST, store_rq(message_id, sop_instance=sop_instance))) + data(
        pdv(1, LAST, content)
    )


def elements_of(command_set: bytes) -> dict[int, bytes]:
    found = {}
    start = 0
    while start < len(command_set):
        _, number, length = struct.unpack_from("<HHL", command_set, start)
        found[number] = command_set[start + 8 : start + 8 + length]
        start += 8 + length
    return found


class RawScu:
    """A socket that sends bytes and reads PDUs."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(content)

    def read(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU; (0, b"") at the end."""
        header = self._exactly(6)
        if len(header) < 6:
            return 0, b""
        kind, length = struct.unpack(">BxL", header)
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            try:
                piece = self.socket.recv(count - len(received))
            except ConnectionResetError:
                return received
            if not piece:
                return received
            received += piece
        return received

    def response(self) -> dict[int, bytes]:
        """Return the elements of the next response's command set."""
        kind, body = self.read()
        assert kind == 4, (kind, body)
        return elements_of(body[6:])

    def status(self) -> int:
        """Return the next response's status."""
        return int.from_bytes(self.response()[0x0900], "little")

    def associate(self, *contexts: bytes, user: Sequence[bytes] = ()) -> bytes:
        """Associate and return the body of the A-ASSOCIATE-AC."""
        self.send(associate(*contexts, user=user))
        kind, body = self.read()
        assert kind == 2, (kind, body)
        return body
