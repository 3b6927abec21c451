"""Releases: one version, immutable locations, and an update that runs the new one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from template_gen.product import read_release
from template_gen.render import render
from template_gen.stack import build_template
from tests.template_gen.rendering import REQUIRED, render_document

DIGEST = f"sha256:{'0a' * 32}"


def test_an_image_is_named_by_its_digest_once_it_is_published() -> None:
    """A tag could be moved; before the publication there is no digest to name."""
    release = read_release()

    assert replace(release, digest="").image == f"{release.repository}:{release.version}"
    assert replace(release, digest=DIGEST).image == f"{release.repository}@{DIGEST}"


def test_an_update_with_the_old_parameters_runs_the_new_release() -> None:
    """CloudFormation keeps a parameter's previous value, so no location may be a default."""
    old = build_template().to_dict()
    new = build_template(
        replace(
            read_release(),
            version="2.0.0",
            digest=DIGEST,
            asset_key_prefix="storescp/2.0.0/",
        )
    ).to_dict()
    kept = {
        name: parameter["Default"]
        for name, parameter in old["Parameters"].items()
        if "Default" in parameter
    }

    stack = render_document(new, "us-east-1", {**kept, **REQUIRED})["Resources"]

    (container,) = stack["PacsServerTaskDef"]["Properties"]["ContainerDefinitions"]
    assert container["Image"].endswith(f"@{DIGEST}")
    assert stack["Sweep"]["Properties"]["Code"]["S3Key"] == "storescp/2.0.0/importer.zip"


def test_a_release_changes_no_logical_id() -> None:
    """An update replaces nothing because of its version."""
    old = build_template()
    new = build_template(replace(read_release(), version="2.0.0"))

    assert old.to_dict()["Resources"].keys() == new.to_dict()["Resources"].keys()


def test_a_section_without_a_place_fails_the_build() -> None:
    """Nothing is left out of the file in silence."""
    template = build_template()
    template.set_transform("AWS::LanguageExtensions")

    with pytest.raises(ValueError, match="Transform"):
        render(template)
