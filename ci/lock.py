"""Resolve the lock files from setup.cfg and ci/uv.in, hashes included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

UV = str(Path(sys.executable).parent / "uv")
COMPILE = [
    UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
    "--generate-hashes", "--no-header",
]  # fmt: skip
EVERYTHING = ("receiver", "importer", "build", "local", "dev")


def lock(
    source: str,
    target: str,
    *extras: str,
    constraint: str | None = None,
    dependencies: bool = True,
) -> None:
    """Write `target` from `source` and its `extras`."""
    options = [option for extra in extras for option in ("--extra", extra)]
    if not dependencies:
        options.append("--no-deps")
    if constraint:
        options += ["--constraint", constraint]
    subprocess.run([*COMPILE, source, *options, "--output-file", target], check=True)
    print(f"lock: {target}")


if __name__ == "__main__":
    lock("ci/uv.in", "ci/uv.txt")
    lock("setup.cfg", "ci/requirements.txt", *EVERYTHING)
    # The shipped parts run what was tested.
    lock("setup.cfg", "container/requirements.txt", "receiver", constraint="ci/requirements.txt")
    lock("setup.cfg", "functions/requirements.txt", "importer", constraint="ci/requirements.txt")
    lock("ci/tools.in", "ci/tools.txt")
    lock("ci/scan.in", "ci/scan.txt")
    lock("ci/fuzz.in", "ci/fuzz.txt")
    lock("ci/taskcat.in", "ci/taskcat.txt")
    lock("container/native/compiler.in", "container/native/compiler.txt")
    lock("ci/lambda.in", "ci/lambda.txt", dependencies=False)
