"""Software bills of materials in CycloneDX, from the lock files: what is shipped is what is locked, by hash."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ci.image.base import published_base
from ci.tools import RELEASE_TOOLS, ROOT, ToolsError, environment, installed
from template_gen.product import NAME, Release

FUNCTIONS_SBOM = "sbom-functions.cdx.json"
IMAGE_SBOM = "sbom-image.cdx.json"
SPECIFICATION = "1.6"


def write_functions_sbom(release: Release, folder: Path) -> Path:
    """Write the bill of the functions' archive."""
    document = _from_lock(ROOT / "functions/requirements.txt")
    return _write(document, release, "functions", folder / FUNCTIONS_SBOM)


def write_image_sbom(release: Release, folder: Path, debian: dict[str, str] | None = None) -> Path:
    """Write the bill of the image: Python packages, the base by its digest, and Debian's packages.

    Args:
        release: Whose image it is.
        folder: Where to write.
        debian: Version by package, read from a built image; without one the base's digest stands for them.
    """
    document = _from_lock(ROOT / "container/requirements.txt")
    name, _, digest = published_base().partition("@")
    repository, _, tag = name.rpartition(":")
    base = {
        "type": "container",
        "bom-ref": "base-image",
        "name": repository,
        "version": digest,
        "purl": f"pkg:oci/python@{digest.replace(':', '%3A')}?repository_url={repository}&tag={tag}",
    }
    packages = [
        {
            "type": "library",
            "bom-ref": f"deb-{package}",
            "name": package,
            "version": version,
            "purl": f"pkg:deb/debian/{package}@{version}?distro=debian-12",
        }
        for package, version in sorted((debian or {}).items())
    ]
    document["components"] = [base, *document["components"], *packages]
    return _write(document, release, "image", folder / IMAGE_SBOM)


def debian_packages(records: str) -> dict[str, str]:
    """Return version by package from dpkg's records, one after another."""
    names = re.findall(r"^Package: (\S+)$", records, re.MULTILINE)
    versions = re.findall(r"^Version: (\S+)$", records, re.MULTILINE)
    return dict(zip(names, versions, strict=True))


def _from_lock(lock: Path) -> dict[str, Any]:
    command = [
        sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible", "--validate",
        "--sv", SPECIFICATION, "--of", "JSON", str(lock),
    ]  # fmt: skip
    tools = environment(installed(RELEASE_TOOLS))
    result = subprocess.run(command, env=dict(tools), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ToolsError(f"cyclonedx-py: {result.stderr.strip()}")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def _write(document: dict[str, Any], release: Release, part: str, target: Path) -> Path:
    document.setdefault("metadata", {})["component"] = {
        "type": "application",
        "bom-ref": f"{NAME.lower()}-{part}",
        "name": f"{NAME.lower()}-{part}",
        "version": release.version,
    }
    target.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return target
