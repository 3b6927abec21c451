"""PROXY protocol version 2: the header that the load balancer puts before a connection's first byte.

Text of the protocol: haproxy.org, doc/proxy-protocol.txt, section 2.2. Version 1 is not spoken by a
Network Load Balancer and is refused.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FIXED_BYTES = 16
MAX_HEADER_BYTES = 4096
"""Of a whole header; addresses and the balancer's TLVs take far less than 300 bytes."""

_LOCAL, _PROXY = 0x20, 0x21
_INET, _INET6 = 1, 2
_ADDRESS_BYTES = {_INET: 12, _INET6: 36}


class ProxyHeaderError(Exception):
    """The connection does not start with a version 2 header, or not in time."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header: its length on the wire, and the source address if it names one.

    Attributes:
        size: Bytes of the whole header.
        source: IP address of the sender; None for the balancer's own connections (LOCAL) and for
            address families without an IP address.
    """

    size: int
    source: str | None


def parse_header(data: bytes) -> ProxyHeader | None:
    """Read a header at the start of `data`; None if more bytes are needed.

    Raises:
        ProxyHeaderError: It is no version 2 header.
    """
    if not SIGNATURE.startswith(data[: len(SIGNATURE)]):
        raise ProxyHeaderError("no signature")
    if len(data) < FIXED_BYTES:
        return None
    command, family, length = struct.unpack_from("!BBH", data, len(SIGNATURE))
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"version and command {command:#04x}")
    size = FIXED_BYTES + length
    if size > MAX_HEADER_BYTES:
        raise ProxyHeaderError(f"{size} bytes")
    if len(data) < size:
        return None
    return ProxyHeader(
        size, _source(family >> 4, data[FIXED_BYTES:size], proxied=command == _PROXY)
    )


def _source(family: int, addresses: bytes, *, proxied: bool) -> str | None:
    if not proxied or family not in _ADDRESS_BYTES:
        return None
    if len(addresses) < _ADDRESS_BYTES[family]:
        raise ProxyHeaderError("addresses cut short")
    size = 4 if family == _INET else 16
    return str(ipaddress.ip_address(addresses[:size]))


def read_header(connection: socket.socket, deadline_s: float) -> ProxyHeader:
    """Read the header from a blocking socket and nothing after it.

    Args:
        connection: Left blocking, without a timeout.
        deadline_s: Seconds for the whole header, however its bytes drip.

    Raises:
        ProxyHeaderError: No or another header, the peer left, or the time is over.
    """
    end = time.monotonic() + deadline_s
    data = b""
    wanted = FIXED_BYTES
    try:
        while True:
            connection.settimeout(_time_left(end))
            chunk = connection.recv(wanted - len(data))
            if not chunk:
                raise ProxyHeaderError(f"connection closed after {len(data)} bytes")
            data += chunk
            if (header := parse_header(data)) is not None:
                return header
            if len(data) == FIXED_BYTES:
                wanted = FIXED_BYTES + int.from_bytes(data[-2:])
    except TimeoutError:
        raise ProxyHeaderError(f"{len(data)} bytes in {deadline_s:g} s") from None
    except OSError as error:
        raise ProxyHeaderError(f"errno {error.errno}") from error
    finally:
        if connection.fileno() >= 0:
            connection.settimeout(None)


def _time_left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
