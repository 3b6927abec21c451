"""Row 56: what is no TLS of today, and who may not speak it; against a receiver with TLS of its own."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from contract.reasons import WireReason as R
from tests.certificates import Authority, Hospital, Identity, client_context, make_hospital
from tests.receiver import wire
from tests.wire.peer import CLOSED, Peer
from tests.wire.row import PROPOSAL, Line, Row, Use, aborted

ALERT, HANDSHAKE = 21, 22
PROTOCOL_VERSION, HANDSHAKE_FAILURE, UNEXPECTED_MESSAGE = 70, 40, 10
"""Alert descriptions (RFC 8446, section 6)."""
EVERY_SUITE = b"".join(
    struct.pack(">H", suite) for suite in (0xC02F, 0xC030, 0x009C, 0x002F, 0x0035, 0x000A)
)


@cache
def hospital() -> Hospital:
    """Return the certificates of every TLS row."""
    return make_hospital()


@cache
def honest() -> ssl.SSLContext:
    """Return what the honest sender speaks by."""
    return client_context(hospital().authority, hospital().device)


def record(kind: int, content: bytes, version: int = 0x0301) -> bytes:
    """Return a TLS record."""
    return struct.pack(">BHH", kind, version, len(content)) + content


def hello(version: int) -> bytes:
    """Return a ClientHello of a version up to TLS 1.2, which had no extensions at first."""
    body = struct.pack(">H", version) + bytes(32) + b"\x00"
    body += struct.pack(">H", len(EVERY_SUITE)) + EVERY_SUITE + b"\x01\x00"
    return record(HANDSHAKE, b"\x01" + len(body).to_bytes(3) + body, version)


SSL_2 = b"\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80" + bytes(16)
"""A ClientHello of SSL 2.0: one suite, a challenge of 16 bytes."""


def cut(reason: R) -> Line:
    """Return the line of a connection whose handshake failed."""
    return Line("connection_cut", reason)


def _row(name: str, reason: R, play: Callable[[Peer], None], *, slow: bool = False) -> Row:
    return Row(number=56, name=name, play=play, logs=(cut(reason),), use=Use.TLS, slow=slow)


def _alerted(name: str, reason: R, send: bytes, *descriptions: int) -> Row:
    """Return a case whose bytes are answered by a fatal alert, or by none at all, and closed."""

    def play(peer: Peer) -> None:
        peer.send(send)
        header = peer.take(5)
        if descriptions:
            assert header[0] == ALERT, header
            level, description = peer.take(2)
            assert (level, description in descriptions) == (2, True), description
            header = peer.take(1)
        assert header == b"", header

    return _row(name, reason, play)


def _certificate(name: str, reason: R, alert: str, issue: Callable[[], Identity | None]) -> Row:
    """Return a case of a client whose certificate is refused, by this alert."""

    def play(peer: Peer) -> None:
        context = client_context(hospital().authority, issue())
        assert _alert(peer, context) == alert

    return _row(name, reason, play)


def _alert(peer: Peer, context: ssl.SSLContext) -> str:
    """Speak TLS and return the alert that it is answered by."""
    try:
        # Of TLS 1.3 the client's part ends before its certificate is judged.
        peer.socket = context.wrap_socket(peer.socket)
        peer.send(PROPOSAL)
        peer.socket.recv(1)
    except ssl.SSLError as error:
        return str(error.reason)
    raise AssertionError("it was let in")


def _weak_cipher(peer: Peer) -> None:
    context = client_context(hospital().authority, hospital().device)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA256")
    assert _alert(peer, context) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def _distrust(peer: Peer) -> None:
    """Be a device that does not know who issued the receiver's certificate."""
    context = client_context(Authority("Another"), hospital().device)
    try:
        context.wrap_socket(peer.socket)
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("it trusts anybody")


def _stall(peer: Peer) -> None:
    peer.send(hello(0x0303)[:20])
    assert peer.take(1) == b""


def _garbage(peer: Peer) -> None:
    """Send a record that nobody encrypted, on the socket below an association's TLS."""
    peer.socket = honest().wrap_socket(peer.socket)
    peer.send(PROPOSAL)
    assert peer.answer().what == "A-ASSOCIATE-AC"
    with socket.socket(fileno=peer.socket.detach()) as below:
        below.settimeout(15)
        below.sendall(record(23, bytes(64), 0x0303))
        assert below.recv(1)[0] in (ALERT, 23)  # an encrypted alert is a record of application data


def _renegotiate(peer: Peer) -> None:
    """Ask for a new handshake within the old one, which TLS 1.2 still has words for."""
    with tempfile.TemporaryDirectory() as name:
        key, certificate = hospital().device.write(Path(name), "device")
        done = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}"),
                *("-bind", peer.address, "-tls1_2"),
                *("-cert", str(certificate), "-key", str(key)),
            ],
            input="R\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert "no renegotiation" in done.stderr + done.stdout


def _associate_and_close(peer: Peer) -> None:
    """An honest device: what it sends in TLS is a row like any other."""
    peer.socket = honest().wrap_socket(peer.socket)
    peer.send(PROPOSAL + wire.RELEASE)
    assert [peer.answer().what for _ in range(2)] == ["A-ASSOCIATE-AC", "A-RELEASE-RP"]
    assert peer.answer() == CLOSED


ROWS = (
    _alerted("SSL 2.0", R.TLS_VERSION, SSL_2, PROTOCOL_VERSION),
    _alerted("SSL 3.0", R.TLS_VERSION, hello(0x0300), HANDSHAKE_FAILURE),
    _alerted("TLS 1.0", R.TLS_VERSION, hello(0x0301), PROTOCOL_VERSION),
    _alerted("TLS 1.1", R.TLS_VERSION, hello(0x0302), PROTOCOL_VERSION),
    _alerted("plain A-ASSOCIATE-RQ", R.TLS_PLAINTEXT, PROPOSAL),
    _alerted("plain HTTP", R.TLS_PLAINTEXT, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    _alerted(
        "records without a byte", R.TLS_HANDSHAKE, 64 * record(HANDSHAKE, b""), UNEXPECTED_MESSAGE
    ),
    _row("no cipher suite in common", R.TLS_CIPHER, _weak_cipher),
    _certificate(
        "no certificate",
        R.TLS_NO_CERTIFICATE,
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        lambda: None,
    ),
    _certificate(
        "expired certificate",
        R.TLS_EXPIRED,
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        lambda: hospital().authority.issue("TEST", days=(-9, -1)),
    ),
    _certificate(
        "certificate of tomorrow",
        R.TLS_EXPIRED,
        "SSLV3_ALERT_BAD_CERTIFICATE",
        lambda: hospital().authority.issue("TEST", days=(1, 9)),
    ),
    _certificate(
        "certificate of an unknown CA",
        R.TLS_UNKNOWN_CA,
        "TLSV1_ALERT_UNKNOWN_CA",
        lambda: Authority("Another").issue("TEST"),
    ),
    _certificate(
        "certificate of a CA that only has the name",
        R.TLS_CERTIFICATE,
        "TLSV1_ALERT_DECRYPT_ERROR",
        lambda: Authority().issue("TEST"),
    ),
    _certificate(
        "certificate of a server",
        R.TLS_CERTIFICATE,
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        lambda: hospital().authority.issue("TEST", for_servers=True),
    ),
    _row("device that does not trust the receiver", R.TLS_ALERT, _distrust),
    _row("handshake that stalls", R.TLS_STALL, _stall, slow=True),
    Row(
        number=56,
        name="damaged record",
        play=_garbage,
        logs=(aborted(R.TLS_BROKEN),),
        use=Use.TLS,
    ),
    Row(
        number=56,
        name="renegotiation",
        play=_renegotiate,
        logs=(aborted(R.TLS_ALERT),),
        use=Use.TLS,
    ),
    Row(number=56, name="honest device", play=_associate_and_close, use=Use.TLS),
)
