"""The table of bench/results.json: on the terminal, and between the markers in README.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
README = ROOT / "README.md"
START, END = "<!-- bench: start -->", "<!-- bench: end -->"


def table(document: dict[str, Any]) -> str:
    """Return the results as a Markdown table with a line on where they were measured."""
    machine = document["machine"]
    processor = f"{machine['cpus']} CPUs ({machine['processor']})"
    lines = [
        f"Measured on {document['date']}: {processor}, Python {machine['python']}.",
        "",
        "| what | value | against | ratio |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']} | {row['value']:g} {row['unit']} | {row['peer']} | {row['ratio']:g} |"
        for row in document["rows"]
    ]
    return "\n".join(lines)


def write_readme(text: str) -> None:
    """Put the table between README's markers."""
    before, rest = README.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    README.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Print the table; with `--write` put it into README.md too."""
    if not RESULTS.exists():
        print("bench: there are no results yet; make bench measures them", file=sys.stderr)
        return 1
    text = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    print(text)
    if "--write" in sys.argv[1:]:
        write_readme(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
