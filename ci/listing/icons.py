"""AWS's architecture icons, from the newest package of them.

AWS lets customers and partners use its icons in architecture diagrams, unchanged
(https://aws.amazon.com/architecture/icons/); the package itself is under the MIT licence. They are fetched,
not kept here: a diagram is what they may be used for.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from ci.npm import NpmPackage, fetched

ICONS = NpmPackage(
    "aws-icons",
    "3.3.0",
    "/ukOBw3a0n5cWRLJA75mC2WH/SttpLDfOCe1rgzfTfKaB13PTZp525sp7QDXW2tSH4AIggHzNdk8M8X+YfGKNQ==",
)
"""AWS Architecture Icons of 2026-01-30."""
SVG = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True)
class Icons:
    """Gives an icon as an element of a larger drawing."""

    def at(self, name: str, x: float, y: float, size: float) -> ET.Element:
        """Return the icon `name` (folder and file, without .svg) with its corner at x, y.

        Raises:
            ToolsError: The package cannot be had.
            FileNotFoundError: It has no such icon.
        """
        path = fetched(ICONS) / "icons" / f"{name}.svg"
        # Bytes that are checked against a hash before they are unpacked.
        icon = ET.fromstring(path.read_bytes())  # noqa: S314
        for title in icon.findall(f"{{{SVG}}}title"):
            icon.remove(title)
        icon.attrib |= {"x": f"{x:g}", "y": f"{y:g}", "width": f"{size:g}", "height": f"{size:g}"}
        return icon
