"""A stand-in for the base image where no registry can be reached: Debian 12 with a CPython, laid out alike.

It is good for tests only. What is shipped is built from the digest in container/Dockerfile.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ci.image.engine import Engine
from ci.python313 import find_python

CACHE = Path("build/image")
DOCKERFILE = Path("container/Dockerfile")
STAND_IN = "localhost/storescp-base:stand-in"
PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = ("ca-certificates", "netbase", "tzdata")
LIBRARIES = ("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libssl3", "libuuid1", "zlib1g")
DEBIAN_PYTHON = ("python3", "python3-venv", "libpython3-dev")

COPY_PYTHON = """set -eu
mkdir -p "$1/usr/local/bin" "$1/usr/local/lib/{name}"
cp -a {prefix}/bin/{name} "$1/usr/local/bin/"
for library in {prefix}/lib/libpython3*.so*; do [ ! -e "$library" ] || cp -a "$library" "$1/usr/local/lib/"; done
mkdir -p "$1/usr/local/include"
cp -a {prefix}/include/{name} "$1/usr/local/include/"
tar -C {prefix}/lib/{name} --exclude=./test --exclude=./site-packages --exclude=__pycache__ \
    --exclude='./config-*' -cf - . | tar -C "$1/usr/local/lib/{name}" -xf -
ln -s {name} "$1/usr/local/bin/python3"; ln -s python3 "$1/usr/local/bin/python"
chroot "$1" ldconfig
chroot "$1" /usr/local/bin/python -m ensurepip >&2
chroot "$1" /usr/local/bin/python -c 'import bz2, ctypes, lzma, ssl, zlib'
"""
COPY_NOTHING = """set -eu
chroot "$1" /usr/bin/python3 -m venv --copies /usr/local
"""


def published_base() -> str:
    """Return the base image that container/Dockerfile names, digest included."""
    match = re.search(
        r"^ARG BASE_IMAGE=(\S+@sha256:[0-9a-f]{64})$", DOCKERFILE.read_text(), re.MULTILINE
    )
    if match is None:
        raise ValueError(f"{DOCKERFILE} does not pin BASE_IMAGE by digest")
    return match[1]


def import_stand_in(engine: Engine) -> str:
    """Import the stand-in, made once on this machine, into the engine's store; return its name."""
    python = find_python()
    packages: tuple[str, ...]
    if python:
        prefix = python.parent.parent
        script = COPY_PYTHON.format(prefix=prefix, name=python.name)
        packages = (*PACKAGES, *LIBRARIES)
    else:
        script, packages = COPY_NOTHING, (*PACKAGES, *DEBIAN_PYTHON)
    recipe = hashlib.sha256("\n".join((script, *packages)).encode()).hexdigest()[:12]
    archive = CACHE / f"base-{recipe}.tar"
    if not archive.exists():
        named = python or "Debian's Python, as this machine has no CPython 3.13"
        print(f"image: making a stand-in base image with {named} (once, about 30 s)")
        _bootstrap(engine, archive, script, packages)
    engine.run("podman", "import", "--change", f"ENV {PATH}", archive, STAND_IN)
    return STAND_IN


def _bootstrap(engine: Engine, archive: Path, script: str, packages: tuple[str, ...]) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    hook = engine.folder / "hook.sh"
    hook.write_text(script)
    partial = engine.folder / "base.tar"
    engine.run(
        "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}",
        f'--customize-hook=sh {hook} "$1"', "bookworm", partial,
    )  # fmt: skip
    # Whole or not at all: an interrupted run must not leave half a base in the cache.
    archive.with_suffix(".part").write_bytes(partial.read_bytes())
    archive.with_suffix(".part").rename(archive)
