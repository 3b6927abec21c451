"""The image's build context as one archive with reproducible bytes, and the image that was built from just that."""

from __future__ import annotations

import io
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ci.checksums import sha256
from ci.tools import ROOT
from template_gen.product import Release

SOURCES = (".dockerignore", "container", "contract")
EPOCH = 315_532_800
"""1980-01-01, for every file."""
FILE_MODE = 0o644
IMAGES = ROOT / "build/image"
CONTEXT_SUFFIX = ".context"
"""Of the file beside an image's archive that holds the digest of the context that it was built from."""
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}


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


def context_digest(release: Release) -> str:
    """Return the SHA-256 of the context as it is now."""
    with tempfile.TemporaryDirectory() as folder:
        return sha256(write_image_context(release, Path(folder)))


def published_archive(release: Release) -> Path:
    """Return where the image is kept that was built from the published base on this processor."""
    processor = PROCESSORS.get(platform.machine(), platform.machine())
    return IMAGES / f"storescp-image-{release.version}-{processor}.tar"


def copy_published_image(release: Release, folder: Path) -> list[Path]:
    """Copy the image that was built from the published base and from this very context; nothing if there is none."""
    archive = published_archive(release)
    context = archive.with_suffix(CONTEXT_SUFFIX)
    if not archive.exists() or context.read_text() != context_digest(release):
        print(
            "dist: without the image's archive; where a registry can be reached: make image PUBLISHED=1"
        )
        return []
    return [Path(shutil.copy(archive, folder))]


def context_files() -> Iterator[Path]:
    """Yield the context's files in order; nothing that Python or an editor left behind."""
    for source in SOURCES:
        path = ROOT / source
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            # Nor what was compiled for this machine.
            is_made = "__pycache__" in file.parts or file.suffix in {".pyc", ".so"}
            if file.is_file() and not is_made:
                yield file
