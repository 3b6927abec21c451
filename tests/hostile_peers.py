"""Peers that hold connections and send nothing useful: silent, a byte at a time, or stalled within a TLS handshake.

They live in a process of their own, so that they cost an honest sender's process nothing:
`python -m tests.hostile_peers PORT SILENT DRIPPING STALLED [tls]`, until standard input ends. A peer that is cut
comes again a second later. What drips is an A-ASSOCIATE-RQ, with `tls` a ClientHello.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.receiver import wire

READY = b"ready\n"
DRIP_S, AGAIN_S = 0.5, 1.0
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""Of a TLS handshake the first eleven bytes: record and handshake header, version."""
_ADDRESSES = 100
"""So many hosts they are: one alone would meet the limit per address."""


@dataclass(slots=True)
class _Peer:
    number: int
    opening: bytes
    drips: bool
    sent: int = 0
    connection: socket.socket | None = None
    next_at: float = field(default=0.0)


class _Crowd:
    def __init__(self, port: int, silent: int, dripping: int, stalled: int, *, tls: bool) -> None:
        self._port = port
        drops = CLIENT_HELLO if tls else wire.associate()
        self._selector = selectors.DefaultSelector()
        self._peers = [
            *(_Peer(n, b"", drips=False) for n in range(silent)),
            *(_Peer(n, drops, drips=True) for n in range(dripping)),
            *(_Peer(n, CLIENT_HELLO, drips=False) for n in range(stalled)),
        ]

    def run(self) -> None:
        self._selector.register(sys.stdin.buffer, selectors.EVENT_READ)
        for peer in self._peers:
            self._connect(peer)
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        while True:
            for key, _ in self._selector.select(0.05):
                if key.data is None:
                    return
                self._read(key.data)
            now = time.monotonic()
            for peer in self._peers:
                if peer.next_at and peer.next_at <= now:
                    self._act(peer, now)

    def _connect(self, peer: _Peer) -> None:
        source = f"127.66.{peer.number % _ADDRESSES}.1"
        peer.sent = 0
        try:
            peer.connection = socket.create_connection(
                ("127.0.0.1", self._port), 5, source_address=(source, 0)
            )
            peer.connection.setblocking(False)  # noqa: FBT003 - its only form
            self._selector.register(peer.connection, selectors.EVENT_READ, peer)
        except OSError:
            self._leave(peer)
            return
        peer.next_at = time.monotonic() if peer.opening else 0.0

    def _act(self, peer: _Peer, now: float) -> None:
        if peer.connection is None:
            self._connect(peer)
            return
        count = 1 if peer.drips else len(peer.opening)
        # A sender of drips stops before its end: it would be a sender then.
        if peer.sent + count > len(peer.opening) - (1 if peer.drips else 0):
            peer.next_at = 0.0
            return
        with contextlib.suppress(OSError):
            peer.connection.send(peer.opening[peer.sent : peer.sent + count])
        peer.sent += count
        peer.next_at = now + DRIP_S

    def _read(self, peer: _Peer) -> None:
        if peer.connection is None:
            return
        try:
            data = peer.connection.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._leave(peer)

    def _leave(self, peer: _Peer) -> None:
        if peer.connection is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(peer.connection)
            peer.connection.close()
        peer.connection = None
        peer.next_at = time.monotonic() + AGAIN_S


@contextmanager
def hostile_peers(
    port: int, *, silent: int, dripping: int, stalled: int, tls: bool = False
) -> Iterator[None]:
    """Have that many hostile peers connected to `port`."""
    words = [*(str(number) for number in (port, silent, dripping, stalled)), *(["tls"] * tls)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile_peers", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == READY
        yield
        assert process.poll() is None
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


if __name__ == "__main__":
    _, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, _hard), _hard))
    _Crowd(*(int(word) for word in sys.argv[1:5]), tls="tls" in sys.argv[5:]).run()
