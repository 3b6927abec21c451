"""The bytes of a connection, plain or through TLS: the seam below the stream.

A plain socket is a `Transport` as it is, so plain connections pay nothing for the other kind.

Through TLS, ciphertext is received by the plain socket into a buffer of the connection, and OpenSSL
decrypts from memory straight into the caller's: one system call brings up to four records, where OpenSSL
on a socket of its own makes two for each. It also keeps the promises of a plain socket: a thread that
waits in a receive holds no lock, so that others can send meanwhile (OpenSSL's state is not for two threads
at once), and is woken by whoever shuts the socket down.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from receiver.tls import FIRST_BYTE_OF_TLS, HandshakeError, classify

RECEIVE_BYTES = 65_536
"""Of ciphertext: four records of 16 KiB. All that a parked association holds besides OpenSSL's state."""


class Transport(Protocol):
    """What the protocol needs of a connection."""

    def recvmsg_into(self, buffers: Sequence[memoryview], /) -> tuple[int, *tuple[Any, ...]]:
        """Receive at least one byte into the buffers, in their order; the count comes first, 0 at the end.

        Raises:
            OSError: The connection is broken.
        """

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`.

        Raises:
            OSError: The connection is broken.
        """

    def shutdown(self, how: int, /) -> None:
        """Say that nothing more will be sent (SHUT_WR).

        Raises:
            OSError: The peer is gone.
        """


class TlsConnection:
    """A `Transport` through TLS, the server's side; `handshake` comes first.

    Attributes:
        fault: Why the peer's records could not be read, empty while they can.
    """

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Take a connection whose next byte is the peer's ClientHello; its owner closes it."""
        self.fault = ""
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))
        self._received = 0
        self._first_byte = FIRST_BYTE_OF_TLS
        self._state = threading.Lock()
        # Before `_state` where both are held: records leave in the order in which they were made.
        self._sending = threading.Lock()

    @property
    def protocol(self) -> str:
        """Version and cipher suite agreed on, for the log."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0] if cipher else ''}"

    @property
    def common_names(self) -> tuple[str, ...]:
        """The common names of the peer's certificate, which was verified."""
        certificate: dict[str, Any] = dict(self._tls.getpeercert() or {})
        pairs = [pair for names in certificate.get("subject", ()) for pair in names]
        return tuple(str(value) for name, value in pairs if name == "commonName")

    def handshake(self) -> None:
        """Do the handshake; the caller sees to its deadline by shutting the socket down.

        Raises:
            HandshakeError: The peer cannot or may not speak to us; it was sent an alert.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fill():
                    raise HandshakeError.closed(after=self._received) from None
            except ssl.SSLError as error:
                self._flush()
                raise HandshakeError(*classify(error, self._first_byte)) from None
            else:
                self._flush()
                return

    def recvmsg_into(self, buffers: Sequence[memoryview], /) -> tuple[int]:
        """Receive at least one byte, as `Transport` says; 0 at the peer's close_notify too."""
        while True:
            with self._state:
                count, ended = self._decrypt(buffers)
            if self._outgoing.pending:
                self._answer()
            if count or ended or not self._fill():
                return (count,)

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        with self._sending:
            with self._state:
                while view:
                    view = view[self._tls.write(view) :]
                records = self._outgoing.read()
            self._connection.sendall(records)

    def shutdown(self, how: int, /) -> None:
        """Send close_notify, then say that nothing more will be sent."""
        with contextlib.suppress(ssl.SSLError), self._state:
            self._tls.unwrap()  # wants the peer's answer too, which nobody waits for
        self._answer()
        self._connection.shutdown(how)

    def _decrypt(self, buffers: Sequence[memoryview]) -> tuple[int, bool]:
        """Move what can be decrypted into the buffers; return how much, and whether nothing follows."""
        total = 0
        read = self._tls.read
        try:
            for buffer in buffers:
                view = buffer
                while view:
                    count = int(read(len(view), view))
                    if not count:
                        return total, True
                    total += count
                    view = view[count:]
        except ssl.SSLWantReadError:
            return total, False
        except ssl.SSLError as error:
            # The bytes before are delivered first; the next call finds the same error again.
            self.fault = self.fault or error.reason or "SSL_ERROR"
            return total, True
        return total, False

    def _answer(self) -> None:
        """Send what OpenSSL has to say by itself after the handshake: an alert.

        Without waiting, since nobody watches over a thread that sends it: a peer might go on asking for
        a renegotiation and read no refusal.
        """
        with self._sending:
            with self._state:
                records = self._outgoing.read()
            try:
                sent = self._connection.send(records, socket.MSG_DONTWAIT)
            except OSError:
                sent = 0
        if sent < len(records):
            self.fault = self.fault or "ALERT_NOT_TAKEN"
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _fill(self) -> bool:
        """Wait for ciphertext; False at the end of the connection."""
        try:
            count = self._connection.recv_into(self._buffer)
        except OSError:
            return False
        if count and not self._received:
            self._first_byte = self._buffer[0]
        self._received += count
        self._incoming.write(self._buffer[:count])
        return count > 0

    def _flush(self) -> None:
        """Send what OpenSSL has to say in the handshake, whose deadline the caller sees to."""
        with contextlib.suppress(OSError), self._sending:
            with self._state:
                records = self._outgoing.read()
            self._connection.sendall(records)
