"""What is built: the product's name and version, and where its image and code are published."""

from __future__ import annotations

import configparser
import json
from dataclasses import dataclass
from pathlib import Path

NAME = "StoreSCP"
REGIONS = ("us-east-1", "us-west-2", "ap-southeast-2", "eu-west-1", "eu-west-2")
"""Where AWS HealthImaging is (AWS General Reference, HealthImaging endpoints and quotas)."""
IMPORTER_ZIP = "importer.zip"
"""One archive for all functions: they differ by handler only."""

_ROOT = Path(__file__).parent.parent
_RELEASE = Path(__file__).with_name("release.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release.

    Attributes:
        version: Semantic version, of setup.cfg.
        repository: ECR repository of the image; its own account and Region.
        digest: `sha256:...` of the image's index, written by the publication; empty before the first one.
        asset_bucket_prefix: The functions' archive lies in `<prefix>-<region>`.
        asset_key_prefix: Immutable, ends with a slash.
    """

    version: str
    repository: str
    digest: str
    asset_bucket_prefix: str
    asset_key_prefix: str

    @property
    def image(self) -> str:
        """The image's reference: by digest once it is published, by the version's immutable tag before."""
        if self.digest:
            return f"{self.repository}@{self.digest}"
        return f"{self.repository}:{self.version}"


def read_release(root: Path = _ROOT, release: Path = _RELEASE) -> Release:
    """Read the version from setup.cfg and the locations from release.json.

    The installed package's metadata would say what was last installed, not what this tree is.
    """
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    version = config["metadata"]["version"]
    document = json.loads(release.read_text(encoding="utf-8"))
    return Release(
        version=version,
        repository=document["image"]["repository"],
        digest=document["image"]["digest"],
        asset_bucket_prefix=document["assets"]["bucket_prefix"],
        asset_key_prefix=f"{document['assets']['key_root']}/{version}/",
    )
