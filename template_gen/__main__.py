"""`python -m template_gen FILE`: build the template and write it."""

from __future__ import annotations

import sys
from pathlib import Path

from template_gen.render import render
from template_gen.stack import build_template


def main(arguments: list[str]) -> int:
    """Write the template to the file that `arguments` name."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m template_gen FILE\n")
        return 2
    target = Path(arguments[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(build_template()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
