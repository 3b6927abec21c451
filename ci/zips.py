"""`python -m ci.zips [FOLDER]`: the functions' archive, with the same bytes whenever it is built from the same tree.

One archive for all functions: they share nine tenths of it, and Lambda loads only what a handler imports.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path

from ci.functions_tree import FunctionsTreeError, lay_out
from ci.python313 import find_python
from template_gen.product import IMPORTER_ZIP

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the format knows, for every file."""
FILE_MODE = 0o100644
LEVEL = 9


def build_importer_zip(folder: Path, python: Path | None) -> Path:
    """Write the archive into `folder` and return its path.

    Raises:
        FunctionsTreeError: The code cannot be laid out.
    """
    with tempfile.TemporaryDirectory(prefix="storescp-zip-") as temporary:
        tree = Path(temporary)
        lay_out(tree, python)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / IMPORTER_ZIP
        write_zip(tree, target)
    return target


def write_zip(tree: Path, target: Path) -> None:
    """Archive the files below `tree` by sorted name, with one time and one mode."""
    files = sorted(
        (path.relative_to(tree).as_posix(), path) for path in tree.rglob("*") if path.is_file()
    )
    with zipfile.ZipFile(target, "w") as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = FILE_MODE << 16
            entry.create_system = 3  # Unix, also where this runs on another system
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, LEVEL)


def has_bytecode(archive: Path) -> bool:
    """Tell whether the archive was compiled for the runtime."""
    with zipfile.ZipFile(archive) as content:
        return any(name.endswith(".cpython-313.pyc") for name in content.namelist())


def main(arguments: list[str]) -> int:
    """Build the archive and say what it is."""
    python = find_python()
    try:
        archive = build_importer_zip(Path(arguments[0] if arguments else "dist"), python)
    except FunctionsTreeError as error:
        print(f"zips: {error}", file=sys.stderr)
        return 1
    compiled = (
        f"compiled by {os.fspath(python)}"
        if python
        else (
            "WITHOUT bytecode: this machine has no CPython 3.13 (name one in PYTHON313). It works and starts slower"
        )
    )
    print(f"zips: {archive}, {archive.stat().st_size / 2**20:.1f} MiB, {compiled}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
