from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ci import npm
from ci.listing.icons import ICONS
from ci.npm import NpmPackage, fetched
from ci.tools import ToolsError


def test_a_package_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next call does not find half a package."""
    monkeypatch.setattr(npm, "TOOLS", tmp_path)
    other = replace(ICONS, sha512="A" * 86 + "==")
    for _ in range(2):
        with pytest.raises(ToolsError, match="another hash"):
            fetched(other)


def test_without_npm_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what for."""
    monkeypatch.setattr(npm, "TOOLS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolsError, match=r"aws-icons@.*install npm"):
        fetched(ICONS)


def test_two_versions_do_not_share_a_folder() -> None:
    """Nor two archives of one version."""
    folders = {
        NpmPackage("@scope/name", version, sha512).folder
        for version, sha512 in (("1.0.0", "a"), ("1.0.1", "a"), ("1.0.1", "b"))
    }

    assert len(folders) == 3
