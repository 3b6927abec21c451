"""What the AWS Marketplace listing needs besides template and image, as files of the release."""

from __future__ import annotations

from pathlib import Path

from ci.listing.diagram import ARCHITECTURE
from ci.listing.drawing import Drawing
from ci.listing.icons import Icons
from ci.listing.launch import DIAGRAM_PNG, launch_page
from ci.listing.raster import png_of
from ci.listing.usage import usage_instructions
from template_gen.product import Release
from template_gen.stack import build_template

DIAGRAM_SVG = "storescp-architecture.svg"
LAUNCH_PAGE = "launch.html"
USAGE = "usage-instructions.md"


def write_diagram(folder: Path) -> list[Path]:
    """Write the architecture diagram, as drawn and as pixels.

    Raises:
        ToolsError: Icons or renderer cannot be had.
    """
    svg, png = folder / DIAGRAM_SVG, folder / DIAGRAM_PNG
    drawn = Drawing(Icons()).draw(ARCHITECTURE)
    svg.write_text(drawn, encoding="utf-8")
    png.write_bytes(png_of(drawn))
    return [svg, png]


def write_pages(release: Release, folder: Path) -> list[Path]:
    """Write the launch page and the usage instructions.

    Raises:
        ListingError: The instructions would leave out something.
    """
    page, usage = folder / LAUNCH_PAGE, folder / USAGE
    page.write_text(launch_page(release), encoding="utf-8")
    document = build_template(release).to_dict()
    usage.write_text(usage_instructions(release, document), encoding="utf-8")
    return [page, usage]
