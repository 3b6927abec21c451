from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ci.python313 import find_python
from ci.zips import build_importer_zip


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' archive, as a release has it."""
    return build_importer_zip(tmp_path_factory.mktemp("archive"), find_python())


@pytest.fixture(scope="session")
def code(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive unpacked, as Lambda does."""
    folder: Path = tmp_path_factory.mktemp("code")
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return folder
