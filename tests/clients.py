"""Real modality clients as processes: DCMTK, GDCM, and pynetdicom's own SCU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLIENT_S = 100.0
HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a client ended and what it printed."""

    code: int
    output: str


def run_client(*command: str | Path) -> Outcome:
    """Run a client to its end."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "TCP_NODELAY": "1"},  # DCMTK: Nagle's algorithm off
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=CLIENT_S,
        check=False,
        text=True,
        errors="replace",
    )
    return Outcome(done.returncode, done.stdout)


def storescu(
    port: int, *files: Path, options: Sequence[str] = (), called: str = "STORESCP"
) -> Outcome:
    """Send files, or a directory's, with DCMTK's storescu; any other status than 0000 fails it."""
    return run_client(
        "storescu", "-v", "-aec", called, "+sd", "-R", "-nh", *options, HERE, str(port), *files
    )


def dcmsend(port: int, *files: Path, options: Sequence[str] = ()) -> Outcome:
    """Send files with DCMTK's dcmsend, which never converts unless it must."""
    return run_client("dcmsend", "-v", "-aec", "STORESCP", "-nh", *options, HERE, str(port), *files)


def echoscu(port: int, *, called: str = "STORESCP", calling: str = "ECHOSCU") -> Outcome:
    """Send a C-ECHO with DCMTK's echoscu."""
    return run_client("echoscu", "-v", "-aet", calling, "-aec", called, HERE, str(port))


def gdcmscu(port: int, *arguments: str | Path) -> Outcome:
    """Run GDCM's client: `--echo`, or `--store` and files.

    Its exit code says nothing: 3.0.21 ends by abort() when an association was released in good order,
    also towards DCMTK's storescp. Judge by what the receiver logged.
    """
    return run_client("gdcmscu", "-H", HERE, "-p", str(port), "--call", "STORESCP", *arguments)


def pynetdicom_storescu(port: int, directory: Path) -> Outcome:
    """Send a directory's files with pynetdicom's storescu."""
    command = (
        sys.executable,
        "-m",
        "pynetdicom",
        "storescu",
        "-v",
        HERE,
        str(port),
        str(directory),
    )
    return run_client(*command, "-r", "-cx", "-aec", "STORESCP")
