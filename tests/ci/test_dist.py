from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from ci.checksums import SUMS, read_sums
from ci.dist import make_release
from ci.image.base import published_base
from ci.listing.files import DIAGRAM_SVG, LAUNCH_PAGE, USAGE
from ci.listing.launch import DIAGRAM_PNG
from ci.sbom import FUNCTIONS_SBOM, IMAGE_SBOM, debian_packages, write_image_sbom
from local.template import TEMPLATE
from template_gen.product import IMPORTER_ZIP, read_release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # lays out and compiles the archive twice
RELEASE = replace(read_release(), version="9.9.9")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("dist")
    shutil.copy(TEMPLATE, made)
    make_release(RELEASE, made)
    return made


def test_making_the_release_twice_gives_identical_checksums(folder: Path, tmp_path: Path) -> None:
    """In another folder, at another time: a release can be made again and compared."""
    shutil.copy(TEMPLATE, tmp_path)
    make_release(RELEASE, tmp_path)

    assert read_sums(folder) == read_sums(tmp_path)


def test_the_release_names_its_files(folder: Path) -> None:
    """Nothing that lies about in the folder is part of it."""
    (folder / "left-over.txt").write_text("")

    assert set(read_sums(folder)) == {
        TEMPLATE.name,
        IMPORTER_ZIP,
        "storescp-image-context-9.9.9.tar",
        FUNCTIONS_SBOM,
        IMAGE_SBOM,
        DIAGRAM_PNG,
        DIAGRAM_SVG,
        LAUNCH_PAGE,
        USAGE,
    }


def test_other_programs_can_check_the_sums(folder: Path) -> None:
    """As written beside downloads everywhere."""
    result = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=folder, capture_output=True, check=False
    )

    assert result.returncode == 0, result.stdout


def test_the_image_context_holds_what_the_dockerfile_copies(folder: Path) -> None:
    """And none of the data, environment or history beside it."""
    with tarfile.open(folder / "storescp-image-context-9.9.9.tar") as archive:
        members = archive.getmembers()
    names = {member.name for member in members}

    assert {
        ".dockerignore",
        "container/Dockerfile",
        "container/requirements.txt",
        "container/rootfs.py",
        "container/receiver/__main__.py",
        "contract/keys.py",
    } <= names
    assert {name.split("/")[0] for name in names} == {".dockerignore", "container", "contract"}
    assert not [name for name in names if "__pycache__" in name]
    assert {(m.mtime, m.mode, m.uid) for m in members} == {(315_532_800, 0o644, 0)}


def test_the_bills_name_every_locked_package_with_its_hashes(folder: Path) -> None:
    """A scanner finds by them what a release is exposed to."""
    for name, package in ((FUNCTIONS_SBOM, "boto3"), (IMAGE_SBOM, "pynetdicom")):
        document = json.loads((folder / name).read_text())
        found = {component["name"]: component for component in document["components"]}

        assert document["bomFormat"] == "CycloneDX"
        assert document["metadata"]["component"]["version"] == "9.9.9"
        assert found[package]["purl"].startswith(f"pkg:pypi/{package}@")
        assert found[package]["externalReferences"][0]["hashes"]


def test_the_images_bill_names_its_base_by_digest(folder: Path) -> None:
    """What Debian and Python bring is that image's."""
    document = json.loads((folder / IMAGE_SBOM).read_text())
    (base,) = [c for c in document["components"] if c["type"] == "container"]

    assert published_base().endswith(base["version"])


def test_the_images_bill_lists_debians_packages_once_it_is_built(tmp_path: Path) -> None:
    """Read from the records that the image itself carries."""
    records = "Package: libc6\nVersion: 2.36-9\n\nPackage: libssl3\nVersion: 3.0.17-1\n"
    path = write_image_sbom(RELEASE, tmp_path, debian_packages(records))
    purls = {component["purl"] for component in json.loads(path.read_text())["components"]}

    assert "pkg:deb/debian/libssl3@3.0.17-1?distro=debian-12" in purls
