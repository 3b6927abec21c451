"""`python -m ci.dist [FOLDER]`: make everything that a release consists of; twice gives the same checksums.

The templates are made before, by `make template`. A further part of the release is one more step below.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci.checksums import write_sums
from ci.functions_tree import FunctionsTreeError
from ci.image_context import copy_published_image, write_image_context
from ci.listing.files import write_diagram, write_pages
from ci.listing.usage import ListingError
from ci.python313 import find_python
from ci.sbom import write_functions_sbom, write_image_sbom
from ci.tools import ToolsError
from ci.zips import build_importer_zip, has_bytecode
from template_gen.product import Release, read_release

TEMPLATES = ("*.template.json", "deploy-policy-*.json")


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the release.

    Attributes:
        what: In words, for the person who waits.
        make: Writes into the folder and returns each file that it wrote.
    """

    what: str
    make: Callable[[Release, Path], list[Path]]


STEPS = (
    Step("functions' archive", lambda _, folder: [build_importer_zip(folder, find_python())]),
    Step("image's build context", lambda release, folder: [write_image_context(release, folder)]),
    Step("image", copy_published_image),
    Step("bill of materials of the functions", lambda r, folder: [write_functions_sbom(r, folder)]),
    Step("bill of materials of the image", lambda r, folder: [write_image_sbom(r, folder)]),
    Step("architecture diagram", lambda _, folder: write_diagram(folder)),
    Step("pages of the listing", write_pages),
)


def make_release(release: Release, folder: Path) -> dict[str, list[Path]]:
    """Take every step, write the checksums, and return the files by step.

    Raises:
        FunctionsTreeError: The functions' code cannot be laid out.
        ListingError: The usage instructions would leave out something.
        ToolsError: A tool cannot be had or failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {"templates": sorted(path for one in TEMPLATES for path in folder.glob(one))}
    made |= {step.what: step.make(release, folder) for step in STEPS}
    made["checksums"] = [write_sums(folder, [path for paths in made.values() for path in paths])]
    return made


def main(arguments: list[str]) -> int:
    """Make the release and print what it is."""
    release = read_release()
    try:
        made = make_release(release, Path(arguments[0] if arguments else "dist"))
    except (FunctionsTreeError, ListingError, ToolsError) as error:
        print(f"dist: {error}", file=sys.stderr)
        return 1
    for what, paths in made.items():
        for path in paths:
            print(f"dist: {path.stat().st_size / 1024:8.0f} KiB  {path}  ({what})")
            if path.suffix == ".zip" and not has_bytecode(path):
                print(
                    "dist: it has no bytecode, as this machine has no CPython 3.13: not for a release"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
