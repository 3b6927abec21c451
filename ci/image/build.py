"""`python -m ci.image.build [--published]`: build the image and keep it as an archive in build/image/.

By default from the stand-in base, for tests on any machine. With --published from the digest in the
Dockerfile, which needs a registry; that is what a release ships, and `make dist` takes it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ci.image.base import CACHE, DOCKERFILE, import_stand_in, published_base
from ci.image.contents import debian_records
from ci.image.engine import AUTHORITIES, Engine, EngineError, open_engine
from ci.image_context import CONTEXT_SUFFIX, context_digest, published_archive
from ci.sbom import debian_packages, write_image_sbom
from template_gen.product import read_release

IMAGE = "localhost/storescp:ci"


@dataclass(frozen=True, slots=True)
class Kept:
    """An image outside its engine.

    Attributes:
        archive: As `podman load` and `docker load` take it.
        context: Where the digest of its build context belongs.
        bill: Its bill of materials.
    """

    archive: Path
    context: Path
    bill: Path


def build(engine: Engine, *, published: bool = False) -> str:
    """Build the image in the engine's store and return its name."""
    base = published_base() if published else import_stand_in(engine)
    print(f"image: building from {base}")
    engine.run(
        "buildah", "bud", "--isolation", "chroot", "--pull-never" if not published else "--pull",
        # OCI's format has no HEALTHCHECK. The time makes equal content an equal image.
        "--format", "docker", "--timestamp", "0",
        # pip needs this machine's authorities; they are mounted and not part of the image.
        "--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro",
        "--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"VERSION={read_release().version}",
        "--file", DOCKERFILE, "--tag", IMAGE, ".",
    )  # fmt: skip
    return IMAGE


def keep(engine: Engine, image: str, *, published: bool = False) -> Kept:
    """Write the image as an archive, and its bill of materials, into build/image/.

    Args:
        engine: Whose store holds it.
        image: Its name.
        published: Whether it was built from the published base: `make dist` takes only such a one, and only
            while the sources are those that it was built from.
    """
    release = read_release()
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = published_archive(release) if published else CACHE / "stand-in.tar"
    context = archive.with_suffix(CONTEXT_SUFFIX)
    for old in (archive, context):
        old.unlink(missing_ok=True)
    bill = write_image_sbom(release, CACHE, debian_packages(debian_records(engine, image)))
    engine.run("podman", "save", "--format", "docker-archive", "--output", archive, image)
    return Kept(archive, context, bill)


def main(arguments: list[str]) -> int:
    """Build, save, and say where."""
    try:
        published = "--published" in arguments
        with open_engine() as engine:
            # Before the build: what changes while it runs is not in the image.
            digest = context_digest(read_release())
            kept = keep(engine, build(engine, published=published), published=published)
            kept.context.write_text(digest)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    archive = kept.archive
    print(f"image: {archive} ({_mib(archive)} MiB). Load it with: podman load --input {archive}")
    print(f"image: {kept.bill} (bill of materials, with what Debian's packages brought)")
    return 0


def _mib(path: Path) -> int:
    return round(path.stat().st_size / 2**20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
