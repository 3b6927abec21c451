"""The ports that the local product listens on, checked before anything starts."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Mapping
from itertools import count, islice
from pathlib import Path

from local.web import LOOPBACK

ANY_ADDRESS = "0.0.0.0"
_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_EPHEMERAL = 32_768
"""Where Linux starts, and lower than others do."""
_offered = count(random.randrange(1 << 16))  # noqa: S311 - not a secret


class PortTakenError(Exception):
    """A port cannot be used; the message names the variable that changes it."""


def free_port() -> int:
    """Return a port that was free a moment ago, and that this process has not been given before.

    Not one of those that the system gives to outgoing connections (ip(7), ip_local_port_range): one of
    them could take it before whoever asked listens on it.

    Raises:
        OSError: No port is free.
    """
    below = _first_ephemeral()
    for n in islice(_offered, below - _LOWEST):
        port = _LOWEST + n % (below - _LOWEST)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(errno.EADDRINUSE, f"no port of {_LOWEST} to {below - 1} is free")


def _first_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError):
        first = _USUAL_EPHEMERAL
    return first if first > _LOWEST else _USUAL_EPHEMERAL


def claim(variable: str, port: int, address: str = LOOPBACK) -> int:
    """Return a port that can be listened on: `port`, or a free one if it is 0.

    Raises:
        PortTakenError: It is taken, or not ours to take.
    """
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError as error:
            why = "is taken by another program"
            if error.errno == errno.EACCES:
                why = "needs more rights than this user has"
            raise PortTakenError(
                f"Port {port} {why}: set {variable} to another one, for example "
                f"`{variable}={free_port()} make run`."
            ) from None
    return port


def require_distinct(ports: Mapping[str, int]) -> None:
    """Check that no two variables name the same port.

    Raises:
        PortTakenError: Two do.
    """
    first: dict[int, str] = {}
    for variable, port in ports.items():
        other = first.setdefault(port, variable)
        if other != variable:
            raise PortTakenError(f"{other} and {variable} are both {port}: set one of them anew.")
