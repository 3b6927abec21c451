"""The image's build context as one archive with reproducible bytes: what container/Dockerfile copies, no more."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ci.tools import ROOT
from template_gen.product import Release

SOURCES = (".dockerignore", "container", "contract")
EPOCH = 315_532_800
"""1980-01-01, for every file."""
FILE_MODE = 0o644


def write_image_context(release: Release, folder: Path) -> Path:
    """Write the context; `docker buildx build -f container/Dockerfile` takes it unpacked."""
    target = folder / f"storescp-image-context-{release.version}.tar"
    # Not compressed: another Python's gzip writes another header.
    with tarfile.open(target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in context_files():
            entry = tarfile.TarInfo(path.relative_to(ROOT).as_posix())
            content = path.read_bytes()
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, FILE_MODE
            archive.addfile(entry, io.BytesIO(content))
    return target


def context_files() -> Iterator[Path]:
    """Yield the context's files in order; nothing that Python or an editor left behind."""
    for source in SOURCES:
        path = ROOT / source
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                yield file
