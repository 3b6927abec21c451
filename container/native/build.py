"""Compile the receiver's part in C to receiver/_native.abi3.so; any CPython from 3.11 on loads it.

Without it the receiver works as well, up to a quarter slower when it lands in files: so on a developer's machine a
compiler is an option, and whatever is missing is said in one line. Where it has to be there, `--required`.
"""

# ruff: noqa: S603 - starts the compiler

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = tuple(sorted(HERE.glob("*.c")))
TARGET = HERE.parent / "receiver" / "_native.abi3.so"
FLAGS = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O2",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-pthread",
    "-Wall",
    "-Wextra",
)
WITHOUT = "the receiver works without its part in C, up to a quarter slower into files"


class BuildError(Exception):
    """It could not be compiled; the text says why, in one line."""


def build(target: Path, compiler: str, flags: Sequence[str] = ()) -> None:
    """Compile to `target`.

    Args:
        target: Replaced whole or left as it is: a running receiver has it mapped.
        compiler: Command of a C compiler, with its options.
        flags: More of them.

    Raises:
        BuildError: There is no such compiler, no headers of Python, or it failed.
    """
    command = shlex.split(compiler)
    if not command or shutil.which(command[0]) is None:
        raise BuildError(f"there is no C compiler ({compiler or 'none named'})")
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise BuildError(f"there are no headers of Python in {include}")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        output = Path(folder) / target.name
        done = subprocess.run(
            [*command, *FLAGS, *flags, f"-I{include}", *SOURCES, "-o", output],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or f"exit {done.returncode}").splitlines()
            raise BuildError(
                f"{compiler} failed: {next((n for n in said if 'error' in n), said[0])}"
            )
        output.replace(target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description="Compile the receiver's part in C.")
    parser.add_argument("--target", type=Path, default=TARGET, help="the file to make")
    parser.add_argument("--required", action="store_true", help="fail if it cannot be compiled")
    parser.add_argument("flags", nargs="*", help="more options of the compiler, after --")
    options = parser.parse_args(arguments)
    try:
        build(options.target, os.environ.get("CC") or "cc", options.flags)
    except BuildError as error:
        options.target.unlink(missing_ok=True)  # an old one would be another version's
        if options.required:
            print(f"native: {error}", file=sys.stderr)
            return 1
        print(f"native: {error}: {WITHOUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
