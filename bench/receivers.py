"""The receivers that are compared, each started as a process of its own and stopped afterwards."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from local.ports import free_port
from tests.receiver_process import running_receiver

Start = Callable[[Path], AbstractContextManager[int]]
START_S = 30.0
STOP_S = 20.0
OUR_SETTINGS = {"WORKERS": 0, "LOG_LEVEL": "INFO", "MAXIMUM_ASSOCIATIONS": 300}
"""As delivered: checksum, checks, fsync, one worker per vCPU."""


@contextmanager
def start_ours(directory: Path) -> Iterator[int]:
    """Run `python -m receiver` into `directory`; give its port."""
    with running_receiver(directory, **OUR_SETTINGS) as receiver:
        yield receiver.port


@contextmanager
def start_dcmtk(directory: Path) -> Iterator[int]:
    """Run DCMTK's storescp as fast as it goes: a process per association, bytes written as received."""
    port = free_port()
    command = ["storescp", "--fork", "+B", "-pdu", "131072", "-od", str(directory), str(port)]
    with _running(command, port):
        yield port


@contextmanager
def start_pynetdicom(directory: Path) -> Iterator[int]:
    """Run pynetdicom's own storescp application."""
    port = free_port()
    command = [sys.executable, "-m", "pynetdicom", "storescp", "-od", str(directory), str(port)]
    with _running([*command, "-q", "--max-pdu", "131072"], port):
        yield port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    # TCP_NODELAY=1 is DCMTK's own switch for Nagle's algorithm; the others ignore it.
    process = subprocess.Popen(
        command,
        env={**os.environ, "TCP_NODELAY": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"a peer did not start: {process.args!r}")
