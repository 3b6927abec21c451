"""Fetch one package of npm, whole, by the hash that is written down here: nothing of it is run."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ci.tools import TOOLS, ToolsError, alone


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package at one version.

    Attributes:
        name: As npm knows it, with its scope.
        version: Exact.
        sha512: Of its archive, base64 as in npm's `dist.integrity`.
    """

    name: str
    version: str
    sha512: str

    @property
    def folder(self) -> Path:
        """Return where it is kept."""
        plain = self.name.rpartition("/")[2]
        return (
            TOOLS / f"{plain}-{self.version}-{hashlib.sha256(self.sha512.encode()).hexdigest()[:8]}"
        )


def fetched(package: NpmPackage) -> Path:
    """Return the folder that holds the package, fetched now if it is not there yet.

    Raises:
        ToolsError: npm is missing, cannot fetch it, or the archive has another hash.
    """
    folder = package.folder
    with alone(folder.name):
        if not folder.exists():
            _fetch(package, folder)
    return folder


def _fetch(package: NpmPackage, folder: Path) -> None:
    what = f"{package.name}@{package.version}"
    npm = shutil.which("npm")
    if npm is None:
        raise ToolsError(f"npm is not there, which brings {what}: install npm")
    # Whole or not at all: the folder's name is the promise that everything is in it.
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    packed = subprocess.run(
        [npm, "pack", what, "--silent"], cwd=partial, capture_output=True, text=True, check=False
    )
    if packed.returncode != 0:
        raise ToolsError(f"{what}: {packed.stderr.strip()[-500:]}")
    (archive,) = partial.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != package.sha512:
        raise ToolsError(f"{what} has another hash than the one that is written down: {digest}")
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    (partial / "package").rename(folder)
    shutil.rmtree(partial)
