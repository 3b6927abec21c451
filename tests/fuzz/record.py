"""`python -m tests.fuzz.record`: sessions of real clients, byte for byte, into the corpus.

Made again only when another client or another kind of session is wanted; what is recorded are instances
made in code, nobody's images.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from receiver.syntaxes import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from tests import clients
from tests.builders import (
    CT_IMAGE,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
    JPEG_LOSSLESS,
    SECONDARY_CAPTURE,
    Writer,
    make_instance,
    write_part10,
)
from tests.fuzz.target import COMMITS, CORPUS
from tests.raw_scu import RawAssociation, contexts_for
from tests.receiver import wire
from tests.receiver_process import running_receiver

SIZE = 700
"""Of a data set: what is inside matters, not how much of it."""


def main() -> None:
    """Record a session of each client."""
    (CORPUS / "commitment.session").write_bytes(commitment())
    with tempfile.TemporaryDirectory() as name, running_receiver(Path(name)) as receiver:
        files = Path(name) / "files"
        files.mkdir()
        made = [
            make_instance(size=SIZE),
            make_instance(size=SIZE, transfer_syntax_uid=IMPLICIT_LITTLE),
            make_instance(size=SIZE, sop_class_uid=SECONDARY_CAPTURE),
            make_instance(size=SIZE, transfer_syntax_uid=EXPLICIT_BIG),
            make_instance(size=SIZE, transfer_syntax_uid=JPEG_LOSSLESS),
        ]
        for n, instance in enumerate(made):
            write_part10(instance, files / f"{n}.dcm")

        def window(port: int) -> None:
            few = made[:1] + [make_instance(size=SIZE) for _ in range(3)]
            with RawAssociation(port, contexts_for(few), window=8) as association:
                association.store_all(few)

        sessions: dict[str, Callable[[int], object]] = {
            "storescu": lambda port: clients.storescu(port, files, options=["-xs"]),
            "storescu-one": lambda port: clients.storescu(port, files / "0.dcm"),
            "dcmsend": lambda port: clients.dcmsend(port, files, options=["+sd"]),
            "echoscu": clients.echoscu,
            "pynetdicom": lambda port: clients.pynetdicom_storescu(port, files),
            "window": window,
        }
        for client, run in sessions.items():
            with _recorded(receiver.port) as (port, taken):
                run(port)
            for n, session in enumerate(taken):
                (CORPUS / f"{client}-{n}.session").write_bytes(bytes(session))
                print(f"record: {client}-{n}: {len(session)} bytes")


def commitment() -> bytes:
    """Return a session that asks for storage commitment of two instances; nobody here takes one to record."""
    write = Writer(IMPLICIT_LITTLE)
    references = b"".join(
        struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
        for uid in ("2.25.1", "2.25.2")
        for item in (write.text(0x00081150, "UI", CT_IMAGE) + write.text(0x00081155, "UI", uid),)
    )
    information = (
        write.text(0x00081195, "UI", "2.25.3")
        + write.head(0x00081199, "SQ", len(references))
        + references
    )
    request = wire.command(
        wire.ui(0x0003, STORAGE_COMMITMENT.encode()),
        wire.us(0x0100, 0x0130),
        wire.us(0x0110, 1),
        wire.us(0x0800, 0),
        wire.ui(0x1001, STORAGE_COMMITMENT_INSTANCE.encode()),
        wire.us(0x1008, 1),
    )
    proposal = wire.associate(
        wire.context(1, STORAGE_COMMITMENT.encode(), wire.IMPLICIT), calling=COMMITS.encode()
    )
    pdvs = wire.data(wire.pdv(1, 3, request)) + wire.data(wire.pdv(1, 2, information))
    return proposal + pdvs + wire.RELEASE


@contextmanager
def _recorded(port: int) -> Iterator[tuple[int, list[bytearray]]]:
    """Stand between clients and `port`; yield another port, and what was sent over each connection."""
    taken: list[bytearray] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    taken.append(bytearray())
                    server = socket.create_connection(("127.0.0.1", port))
                    threading.Thread(target=_copy, args=(client, server, taken[-1])).start()
                    threading.Thread(target=_copy, args=(server, client, bytearray())).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1], taken
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _copy(source: socket.socket, target: socket.socket, taken: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            taken += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
