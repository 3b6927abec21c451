"""The ports that the local product listens on, checked before anything starts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

from local.web import LOOPBACK, free_port

ANY_ADDRESS = "0.0.0.0"


class PortTakenError(Exception):
    """A port cannot be used; the message names the variable that changes it."""


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
