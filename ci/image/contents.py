"""What the image holds: exactly the locked packages, no shell, nothing that can be written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ci.image.engine import Engine
from ci.sbom import debian_packages

LOCK = Path("container/requirements.txt")
Require = Callable[[str, object, object], None]

_LIST_PACKAGES = (
    "import importlib.metadata as m; "
    "print(*sorted(f'{d.name.lower()}=={d.version}' for d in m.distributions()), sep='\\n')"
)
_LIST_LEFTOVERS = (
    "import os; "
    "print(*(os.path.join(d, f) for d, _, fs in os.walk('/', onerror=None) if not d.startswith(('/proc', '/sys', '/dev')) "
    "for f in fs if os.access(os.path.join(d, f), os.W_OK) or os.stat(os.path.join(d, f)).st_mode & 0o6000), sep='\\n')"
)


_READ_RECORDS = (
    "import pathlib as p; "
    "print(*(f.read_text() for f in sorted(p.Path('/var/lib/dpkg/status.d').iterdir())), sep='\\n')"
)


def debian_records(engine: Engine, image: str) -> str:
    """Return dpkg's records of the Debian packages that the image's files came from."""
    return _python(engine, image, _READ_RECORDS)


def check_contents(engine: Engine, image: str, require: Require) -> None:
    """Prove what is in the image and what is not."""
    packages = _python(engine, image, _LIST_PACKAGES).split()
    require("holds the locked packages and no other", packages == locked_packages(), packages)
    debian = debian_packages(debian_records(engine, image))
    require("names its Debian packages for scanners", {"libc6", "libssl3"} <= set(debian), debian)
    shells = engine.run(
        "podman", "run", "--rm", "--entrypoint", "/bin/sh", image, "-c", "true", check=False
    )
    require("has no shell", shells.returncode != 0, "")
    leftovers = _python(engine, image, _LIST_LEFTOVERS).split()
    require("has no file that its user may write or that raises rights", not leftovers, leftovers)


def locked_packages() -> list[str]:
    """Return name==version of each package in the lock file that this platform installs."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return sorted(
        match[1].lower()
        for line in lines
        if (match := re.match(r"([A-Za-z0-9._-]+==[^\s;]+)", line))
    )


def _python(engine: Engine, image: str, program: str) -> str:
    command = (
        "podman",
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "python",
        image,
        "-c",
        program,
    )
    return engine.run(*command).stdout.strip()
