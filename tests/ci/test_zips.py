from __future__ import annotations

import os
import zipfile
from pathlib import Path

from ci.python313 import find_python
from ci.zips import EPOCH, has_bytecode, write_zip

LAMBDA_LIMIT_BYTES = 50_000_000
OURS_BYTES = 8_000_000


def test_the_archive_is_compiled_where_the_runtimes_python_is(archive: Path) -> None:
    """A cold start that compiles takes 0.7 s of processor time longer."""
    assert has_bytecode(archive) == (find_python() is not None)


def test_bytecode_is_never_checked_against_the_source(archive: Path) -> None:
    """Lambda's files have other times than the archive's; flag 1 is a hash that is not checked (PEP 552)."""
    with zipfile.ZipFile(archive) as content:
        compiled = [name for name in content.namelist() if name.endswith(".pyc")]
        flags = {content.read(name)[4:8] for name in compiled}

    assert flags == ({b"\x01\0\0\0"} if find_python() else set())


def test_the_archive_is_small(archive: Path) -> None:
    """A cold start fetches and unpacks it."""
    assert archive.stat().st_size < OURS_BYTES < LAMBDA_LIMIT_BYTES


def test_order_times_and_modes_do_not_come_from_the_disk(tmp_path: Path) -> None:
    """Two trees with equal files, made in another order, at another time, with other rights."""
    trees = []
    for number, names in enumerate((("a", "b"), ("b", "a"))):
        tree = tmp_path / str(number)
        tree.mkdir()
        for name in names:
            (tree / name).write_text(name)
            (tree / name).chmod(0o600 + 0o044 * number)
            os.utime(tree / name, (1e9 * (number + 1), 1e9))
        trees.append(tree)
    archives = [tmp_path / f"{number}.zip" for number in range(2)]
    for tree, target in zip(trees, archives, strict=True):
        write_zip(tree, target)

    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as content:
        assert [(i.filename, i.date_time, i.external_attr >> 16) for i in content.infolist()] == [
            ("a", EPOCH, 0o100644),
            ("b", EPOCH, 0o100644),
        ]
