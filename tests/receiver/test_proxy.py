from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.proxy import SIGNATURE, ProxyHeader, ProxyHeaderError, parse_header, read_header

Pair = tuple[socket.socket, socket.socket]


def header(source: str = "192.0.2.7", *, command: int = 0x21, extra: bytes = b"") -> bytes:
    """Make a header by the protocol's text: addresses, then ports, then TLVs."""
    address = ipaddress.ip_address(source)
    family = 0x11 if address.version == 4 else 0x21
    body = address.packed + address.packed + struct.pack("!HH", 50000, 11112) + extra
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("source", ["192.0.2.7", "2001:db8::7"])
@pytest.mark.parametrize("extra", [b"", b"\x04\x00\x03abc"], ids=["bare", "with TLV"])
def test_source_is_read(source: str, extra: bytes) -> None:
    """Both address families, with and without the balancer's TLVs."""
    data = header(source, extra=extra)

    assert parse_header(data + b"\x01\x00") == ProxyHeader(len(data), source)


def test_local_command_names_no_source() -> None:
    """The balancer's own health check speaks for nobody."""
    assert parse_header(header(command=0x20)) == ProxyHeader(28, None)


def test_other_address_family_names_no_source() -> None:
    """A header without addresses (AF_UNSPEC) is legal."""
    data = SIGNATURE + struct.pack("!BBH", 0x21, 0x00, 0)

    assert parse_header(data) == ProxyHeader(16, None)


@given(cut=st.integers(0, 51), source=st.sampled_from(["192.0.2.7", "2001:db8::7"]))
def test_every_true_beginning_needs_more(cut: int, source: str) -> None:
    """No prefix of a header is taken for one or for an error."""
    data = header(source)

    assert parse_header(data[: min(cut, len(data) - 1)]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x00\x00\x00\x00\xcd",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
        header(command=0x11),
        header(command=0x22),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 65_535),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 4) + b"abcd",
    ],
    ids=["A-ASSOCIATE", "version 1", "wrong version", "wrong command", "too long", "too short"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """A forged, foreign or damaged header never passes."""
    with pytest.raises(ProxyHeaderError):
        parse_header(data)


@given(st.binary(max_size=64))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    """Whatever comes after the signature gives a header, a wish for more, or the error."""
    try:
        found = parse_header(SIGNATURE + data)
    except ProxyHeaderError:
        return
    assert found is None or found.size <= len(SIGNATURE + data)


def test_reading_leaves_what_follows(pair: Pair) -> None:
    """Not one byte of the A-ASSOCIATE-RQ is consumed, and the socket blocks again."""
    ours, theirs = pair
    theirs.sendall(header() + b"DICOM")

    assert read_header(ours, 5).source == "192.0.2.7"
    assert ours.recv(100) == b"DICOM"
    assert ours.gettimeout() is None


def test_header_in_pieces_is_read(pair: Pair) -> None:
    """Its bytes may come one by one."""
    ours, theirs = pair
    data = header("2001:db8::7")

    def send_bytes() -> None:
        for byte in data:
            theirs.sendall(bytes([byte]))

    sender = threading.Thread(target=send_bytes)
    sender.start()

    assert read_header(ours, 5).source == "2001:db8::7"
    sender.join()


def test_dripping_header_is_cut_at_the_absolute_deadline(pair: Pair) -> None:
    """A byte now and then buys no time."""
    ours, theirs = pair
    stop = threading.Event()

    def drip() -> None:
        for byte in SIGNATURE:
            if stop.wait(0.1):
                return
            theirs.sendall(bytes([byte]))

    sender = threading.Thread(target=drip)
    sender.start()
    began = time.monotonic()

    with pytest.raises(ProxyHeaderError, match="bytes in"):
        read_header(ours, 0.35)
    assert time.monotonic() - began < 1.0
    stop.set()
    sender.join()


def test_peer_that_leaves_within_the_header_is_refused(pair: Pair) -> None:
    """An end of stream is no header."""
    ours, theirs = pair
    theirs.sendall(SIGNATURE)
    theirs.shutdown(socket.SHUT_WR)

    with pytest.raises(ProxyHeaderError, match="12 bytes"):
        read_header(ours, 5)
