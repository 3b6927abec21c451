"""TLS over a socket pair: what a plain socket promises holds through it, and settings that cannot work."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.reasons import WireReason
from contract.settings import SettingsError
from receiver.deadlines import Watchdog
from receiver.settings import Settings
from receiver.stream import End, Stream, StreamEndedError
from receiver.tls import HandshakeError, TlsSettingsError, make_context
from receiver.transport import RECEIVE_BYTES, TlsConnection
from tests.certificates import Hospital, client_context, make_hospital

RECORD = 16_384


class Line:
    """Both ends of a connection: the receiver's transport and a client's socket, shaken hands."""

    def __init__(self, hospital: Hospital) -> None:
        self.below, theirs = socket.socketpair()
        theirs.settimeout(20)
        self.ours = TlsConnection(self.below, context_of(hospital))
        device = client_context(hospital.authority, hospital.device)
        with ThreadPoolExecutor(1) as threads:
            shaken = threads.submit(self.ours.handshake)
            self.client = device.wrap_socket(theirs)
            shaken.result(20)

    def receive(self, *sizes: int) -> list[bytes]:
        """Receive once into buffers of these sizes; return what is in them."""
        buffers = [bytearray(size) for size in sizes]
        count = self.ours.recvmsg_into([memoryview(buffer) for buffer in buffers])[0]
        whole = b"".join(bytes(buffer) for buffer in buffers)[:count]
        return [whole[sum(sizes[:n]) : sum(sizes[: n + 1])] for n in range(len(sizes))]

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.below.close()


def context_of(hospital: Hospital, **changed: str) -> ssl.SSLContext:
    """Return what a receiver would make of the hospital's certificates, and of what is changed."""
    environ = {"LANDING_URL": "file:///tmp", **hospital.settings, **changed}
    context = make_context(Settings.from_env(environ))
    assert context is not None
    return context


@pytest.fixture(scope="module")
def hospital() -> Hospital:
    return make_hospital()


@pytest.fixture
def line(hospital: Hospital) -> Iterator[Line]:
    line = Line(hospital)
    yield line
    line.close()


def test_one_receive_fills_several_buffers_across_records(line: Line) -> None:
    """The payload's end and the next header come at once, as `recvmsg_into` brings them."""
    content = bytes(range(256)) * 100  # two records
    line.client.sendall(content)

    first, second = line.receive(20_000, 10_000)

    assert first + second == content


def test_megabytes_arrive_in_order(line: Line) -> None:
    """More than the buffer of ciphertext holds, cut wherever the socket cuts it."""
    content = bytes(n % 251 for n in range(8 * RECEIVE_BYTES + 1))
    sender = threading.Thread(target=line.client.sendall, args=(content,))
    sender.start()
    received = b""
    while len(received) < len(content):
        (piece,) = line.receive(100_000)
        assert piece
        received += piece
    sender.join(20)

    assert received == content


def test_one_thread_sends_while_another_waits(line: Line) -> None:
    """OpenSSL's state is not for two threads at once, and a reader may wait for a minute."""
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(line.receive, 10)
        for n in range(20):
            line.ours.sendall(bytes((n,)) * 40_000)
            received = b""
            while len(received) < 40_000:
                received += line.client.recv(40_000)
            assert received == bytes((n,)) * 40_000
        line.client.sendall(b"at last")

        assert waiting.result(20) == [b"at last"]


def test_end_with_and_without_close_notify(hospital: Hospital) -> None:
    """Both are the peer's end: most devices close without a word."""
    for polite in (True, False):
        line = Line(hospital)
        line.client.sendall(b"last")
        if polite:
            line.client.setblocking(False)  # noqa: FBT003 the method has no keyword
            with pytest.raises(ssl.SSLWantReadError):
                line.client.unwrap()
        else:
            line.client.close()

        assert [line.receive(10), line.receive(10)] == [[b"last"], [b""]]
        assert not line.ours.fault
        line.close()


def test_shutdown_tells_the_peer(line: Line) -> None:
    """After what was sent comes close_notify, then the end."""
    line.ours.sendall(b"bye")
    line.ours.shutdown(socket.SHUT_WR)

    assert [line.client.recv(10), line.client.recv(10)] == [b"bye", b""]


def test_damaged_record_is_a_fault_after_the_good_ones(line: Line) -> None:
    """What came before is delivered; the peer is sent an alert."""
    line.client.sendall(b"good")
    assert line.receive(10) == [b"good"]
    with socket.socket(fileno=line.client.detach()) as below:
        below.settimeout(20)
        below.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))

        assert line.receive(10) == [b""]
        assert below.recv(1) == b"\x17"
    assert line.ours.fault == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"


def test_watchdog_wakes_a_reader_within_tls(line: Line) -> None:
    """The same shutdown of the socket that wakes a plain one."""
    watchdog = Watchdog(interval_s=0.02)
    watchdog.start()
    watch = watchdog.register(line.below)
    stream = Stream(line.ours, watch)
    stream.set_time(0.1, earning=False)

    with pytest.raises(StreamEndedError) as ended:
        stream.need(1)

    assert ended.value.end is End.EXPIRED
    line.ours.sendall(b"A-ABORT")
    assert line.client.recv(10) == b"A-ABORT"
    watchdog.unregister(watch)
    watchdog.stop()


def test_stalled_handshake_ends_when_it_is_cut(hospital: Hospital) -> None:
    """The deadline is the caller's; the error says how far it came."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"\x16\x03\x01\x00")
        ours.shutdown(socket.SHUT_RD)

        with pytest.raises(HandshakeError) as failed:
            TlsConnection(ours, context_of(hospital)).handshake()

    assert failed.value.reason is WireReason.TLS_HANDSHAKE
    assert failed.value.detail == "connection ended after 4 bytes"


def test_names_are_those_of_the_certificate(line: Line) -> None:
    """For the log and the calling AE title."""
    assert line.ours.common_names == ("TEST",)
    assert line.ours.protocol == "TLSv1.3 TLS_AES_256_GCM_SHA384"


def test_no_tls_is_no_context() -> None:
    """Connections are plain unless a certificate is given."""
    assert make_context(Settings.from_env({"LANDING_URL": "file:///tmp"})) is None


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TLS_PRIVATE_KEY", "", "belong together: TLS_PRIVATE_KEY is not set"),
        ("TLS_CLIENT_CA", "hospital.crt", "TLS_CLIENT_CA must be PEM text"),
        ("TLS_PRIVATE_KEY", "passphrase", "TLS_PRIVATE_KEY must have no passphrase"),
        ("TLS_PRIVATE_KEY", "other", "TLS_PRIVATE_KEY is not the key of TLS_CERTIFICATE."),
        ("TLS_PRIVATE_KEY", "other RSA", "TLS_PRIVATE_KEY is not the key of TLS_CERTIFICATE."),
        ("TLS_CERTIFICATE", "damaged", "TLS_CERTIFICATE or TLS_PRIVATE_KEY cannot be read"),
        ("TLS_CLIENT_CA", "empty", "TLS_CLIENT_CA cannot be read"),
    ],
)
def test_settings_that_cannot_work_are_a_sentence(
    hospital: Hospital, name: str, value: str, sentence: str
) -> None:
    """It names the variable and quotes nothing of it."""
    secret = hospital.receiver.key
    values = {
        "other": hospital.authority.issue("x").key,
        "other RSA": hospital.authority.issue("x", rsa_bits=2048).key,
        "damaged": hospital.receiver.certificate.replace("M", "N", 3),
        "passphrase": secret.replace("PRIVATE", "ENCRYPTED PRIVATE"),
        "empty": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
    }

    with pytest.raises((SettingsError, TlsSettingsError), match=re.escape(sentence)) as refused:
        context_of(hospital, **{name: values.get(value, value)})

    assert secret.splitlines()[1] not in str(refused.value)
    assert "hospital.crt" not in str(refused.value)


def test_titles_can_only_be_bound_with_tls() -> None:
    """Without certificates nothing could be bound."""
    with pytest.raises(SettingsError, match="BIND_AE_TITLE_TO_CERTIFICATE needs TLS_CERTIFICATE"):
        Settings.from_env({"LANDING_URL": "file:///tmp", "BIND_AE_TITLE_TO_CERTIFICATE": "true"})


def test_settings_never_show_a_key(hospital: Hospital) -> None:
    """Whoever prints them prints none of it."""
    settings = Settings.from_env({"LANDING_URL": "file:///tmp", **hospital.settings})

    assert settings.tls_private_key.splitlines()[1] in hospital.receiver.key
    assert "BEGIN" not in repr(settings)
