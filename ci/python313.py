"""`python -m ci.python313`: find a CPython 3.13, the functions' runtime and the Python of the image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = (3, 13)


def find_python() -> Path | None:
    """Return the real path of a working CPython 3.13; None if this machine has none.

    Tried in order: PYTHON313 from the environment, the running interpreter, python3.13 on the PATH,
    the newest one of pyenv. Each is started: a pyenv shim may be on the PATH and refuse.
    """
    for candidate in _candidates():
        found = _started(candidate)
        if found:
            return found
    return None


def _candidates() -> Iterator[str]:
    if named := os.environ.get("PYTHON313"):
        yield named
    yield sys.executable
    for directory in os.get_exec_path():
        if found := shutil.which("python3.13", path=directory):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob("versions/3.13*/bin/python3.13"), reverse=True))


def _started(candidate: str) -> Path | None:
    program = "import sys; print(*sys.version_info[:2], sys.base_prefix, sep='\\n')"
    try:
        result = subprocess.run(
            [candidate, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, prefix = result.stdout.splitlines()
    # The interpreter itself, not an environment's link to it.
    return Path(prefix) / "bin/python3.13" if (int(major), int(minor)) == VERSION else None


def main() -> int:
    """Say which one the functions' archive is compiled and tested with."""
    found = find_python()
    if found is None:
        print(
            "python313: there is none (PYTHON313=... names one): the functions' archive has no bytecode, "
            f"and its tests run it under {sys.version.split()[0]}"
        )
        return 0
    named = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    print(f"python313: the functions' archive is compiled and tested with {named.stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
