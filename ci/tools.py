"""Install a locked set of tools once, each set in a folder of its own under build/tools/."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "build/tools"
RELEASE_TOOLS = ROOT / "ci/tools.txt"
LAMBDA_TOOLS = ROOT / "ci/lambda.txt"
TASKCAT = ROOT / "ci/taskcat.txt"


class ToolsError(Exception):
    """The tools cannot be installed; the message says why."""


def installed(lock: Path, python_version: str = "", *, builds: bool = False) -> Path:
    """Return the folder that holds the packages of `lock`, installed now if they are not there yet.

    Args:
        lock: Requirements with hashes, complete: nothing else is installed.
        python_version: Of the Python that will run them, as "3.13"; the running one's by default.
        builds: Whether a package without a wheel may be built, by a build tool that `lock` names too.

    Raises:
        ToolsError: A package cannot be had, or its hash is another.
    """
    version = python_version or f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = TOOLS / f"{lock.stem}-{version}-{digest}"
    with alone(lock.stem):
        if not folder.exists():
            _install(lock, folder, version, builds=builds)
    return folder


def environment(folder: Path) -> Mapping[str, str]:
    """Return the environment in which the running Python finds the tools of `folder`."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}


def _install(lock: Path, folder: Path, version: str, *, builds: bool) -> None:
    # Whole or not at all: the folder's name is the promise that everything is in it.
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    command = [
        str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps", "--require-hashes",
        "--python-version", version, "--target", str(partial), "--requirement", str(lock),
        *(("--build-constraints", str(lock)) if builds else ("--only-binary", ":all:")),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ToolsError(f"{lock.name}: {result.stderr.strip()}")
    partial.rename(folder)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the set's lock: tests run in several processes."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
