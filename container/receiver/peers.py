"""Where the devices that ask for storage commitment listen for the answer: `TITLE=host:port, ...`."""

from __future__ import annotations

from dataclasses import dataclass

_TITLE = r"[!-+\--<>-\[\]-~]([ -+\--<>-\[\]-~]{0,14}[!-+\--<>-\[\]-~])?"
"""PS3.5 VR AE, less the comma and the equals sign that this list is written with."""
_PEER = rf"{_TITLE}\s*=\s*[A-Za-z0-9]([A-Za-z0-9.-]{{0,252}})?:[0-9]{{1,5}}"
PEERS_PATTERN = rf"\s*{_PEER}(\s*,\s*{_PEER})*\s*"
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Peer:
    """One device: its AE title, and the host and port at which it takes N-EVENT-REPORTs."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.ae_title}={self.host}:{self.port}"


def parse_peers(text: str) -> tuple[Peer, ...]:
    """Read a list that matches PEERS_PATTERN.

    Raises:
        ValueError: A port is out of range, or an AE title stands there twice.
    """
    peers: dict[str, Peer] = {}
    for item in text.split(","):
        title, _, address = item.partition("=")
        host, _, port = address.rpartition(":")
        peer = Peer(title.strip(), host.strip(), int(port))
        if not 1 <= peer.port <= MAX_PORT:
            raise ValueError(f"has port {peer.port}: it must be 1 to {MAX_PORT}")
        if peer.ae_title in peers:
            raise ValueError(f"names {peer.ae_title} twice")
        peers[peer.ae_title] = peer
    return tuple(peers.values())
