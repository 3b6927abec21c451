from __future__ import annotations

from pathlib import Path

import pytest

from ci import image_context
from ci.image_context import (
    CONTEXT_SUFFIX,
    context_digest,
    copy_published_image,
    published_archive,
)
from template_gen.product import read_release

RELEASE = read_release()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree that stands for the repository, with an image built from it."""
    root = tmp_path / "root"
    for name in ("container", "contract", "images"):
        (root / name).mkdir(parents=True)
    (root / ".dockerignore").write_text("*\n")
    (root / "container/Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(image_context, "ROOT", root)
    monkeypatch.setattr(image_context, "IMAGES", root / "images")
    archive = published_archive(RELEASE)
    archive.write_bytes(b"image")
    archive.with_suffix(CONTEXT_SUFFIX).write_text(context_digest(RELEASE))
    return root


@pytest.mark.usefixtures("source")
def test_the_image_of_this_very_context_is_part_of_the_release(tmp_path: Path) -> None:
    """Its archive is copied under a name that says version and processor."""
    (copied,) = copy_published_image(RELEASE, tmp_path)

    assert copied.read_bytes() == b"image"
    assert copied.name.startswith(f"storescp-image-{RELEASE.version}-")


def test_an_image_of_older_sources_is_left_out(source: Path, tmp_path: Path) -> None:
    """A release never mixes two states of the tree."""
    (source / "contract/keys.py").write_text("changed = True\n")

    assert copy_published_image(RELEASE, tmp_path) == []


def test_what_python_leaves_behind_is_not_in_the_context(source: Path) -> None:
    """A test run changes no release."""
    before = context_digest(RELEASE)
    (source / "contract/__pycache__").mkdir()
    (source / "contract/__pycache__/keys.cpython-311.pyc").write_bytes(b"")

    assert context_digest(RELEASE) == before
