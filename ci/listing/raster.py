"""SVG to PNG, with the same bytes for the same drawing: a renderer and a font of their own."""

from __future__ import annotations

import subprocess
import sys

from ci.tools import RELEASE_TOOLS, ToolsError, environment, installed

_RENDER = """
import pathlib, sys
import font_source_sans_pro, resvg_py
fonts = [str(pathlib.Path(font_source_sans_pro.__file__).parent / "files" / f"SourceSansPro-{weight}.ttf")
         for weight in ("Regular", "Semibold")]
png = resvg_py.svg_to_bytes(svg_string=sys.stdin.read(), skip_system_fonts=True, font_files=fonts)
sys.stdout.buffer.write(bytes(png))
"""


def png_of(svg: str) -> bytes:
    """Return the drawing as PNG, one pixel a unit.

    Raises:
        ToolsError: The renderer cannot be had or failed.
    """
    result = subprocess.run(
        [sys.executable, "-c", _RENDER],
        env=dict(environment(installed(RELEASE_TOOLS))),
        input=svg.encode(),
        capture_output=True,
        check=False,
    )
    if result.returncode != 0:
        raise ToolsError(f"the diagram could not be drawn: {result.stderr.decode()[-500:]}")
    return result.stdout
