"""Releases: one version, immutable locations, and an update that runs the new one."""

from __future__ import annotations

from dataclasses import replace

from template_gen.product import read_release

DIGEST = f"sha256:{'0a' * 32}"


def test_an_image_is_named_by_its_digest_once_it_is_published() -> None:
    """A tag could be moved; before the publication there is no digest to name."""
    release = read_release()

    assert replace(release, digest="").image == f"{release.repository}:{release.version}"
    assert replace(release, digest=DIGEST).image == f"{release.repository}@{DIGEST}"
