"""`python -m ci.taskcat.emulator.balancer`: stands for one listener of a Network Load Balancer.

Its plan is one line of JSON on standard input, and it ends when that input does. It ends TLS as such a listener
does and says by PROXY protocol v2 who came, if the target group says so; cross-zone, health checks and limits
have no meaning here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import ssl
import struct
import sys
from dataclasses import asdict, dataclass

_CHUNK_BYTES = 65_536
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_VERSION_2_PROXY = 0x21
_TCP_IPV4 = 0x11


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One listener.

    Attributes:
        address: Of the load balancer, on the loopback interface.
        port: Of the listener.
        target_port: Of the receiver on this machine.
        names_sender: Whether each connection begins with a PROXY header.
        certificate: File with certificate and key, PEM; empty for TCP.
    """

    address: str
    port: int
    target_port: int
    names_sender: bool
    certificate: str

    def document(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


async def serve(plan: Plan) -> None:
    """Forward connections until standard input ends."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = await asyncio.open_connection("127.0.0.1", plan.target_port)
        except OSError:
            writer.transport.abort()  # no healthy target: a reset
            return
        if plan.names_sender:
            target[1].write(header(writer.get_extra_info("peername"), (plan.address, plan.port)))
        await asyncio.gather(_pump(reader, target[1]), _pump(target[0], writer))

    server = await asyncio.start_server(forward, plan.address, plan.port, ssl=_tls(plan))
    async with server:
        await asyncio.to_thread(sys.stdin.read)


def header(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Return a PROXY header of version 2 for TCP over IPv4 (proxy-protocol.txt, 2.2)."""
    hosts = [ipaddress.IPv4Address(host).packed for host, _ in (source, destination)]
    addresses = struct.pack("!4s4sHH", *hosts, source[1], destination[1])
    start = struct.pack("!12sBBH", _SIGNATURE, _VERSION_2_PROXY, _TCP_IPV4, len(addresses))
    return start + addresses


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def _tls(plan: Plan) -> ssl.SSLContext | None:
    if not plan.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # as the listener's policy
    context.load_cert_chain(plan.certificate)
    return context


if __name__ == "__main__":
    asyncio.run(serve(Plan(**json.loads(sys.stdin.readline()))))
