"""The stand-in for a Network Load Balancer."""

from __future__ import annotations

from ci.taskcat.emulator.balancer import header
from receiver.proxy import parse_header


def test_the_receiver_reads_the_senders_address_from_its_header() -> None:
    written = header(("127.0.0.9", 40_000), ("127.20.0.2", 11_112))

    read = parse_header(written + b"\x01")

    assert read is not None
    assert (read.size, read.source) == (len(written), "127.0.0.9")
