"""`python -m ci.version`: the version stands in setup.cfg only, and the changelog tells of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.tools import ROOT
from template_gen.product import read_release

CHANGELOG = "CHANGELOG.md"
UNRELEASED = "Unreleased"
OWNERS = ("setup.cfg", CHANGELOG)
NOT_OURS = re.compile(r"(dist|tests)/|.*\.(in|txt)$")
"""Rendered files, examples in tests, and the locked versions of other people's packages."""
_SECTION = re.compile(
    r"^## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<date>Unreleased|\d{4}-\d{2}-\d{2})$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Section:
    """What the changelog says of one version.

    Attributes:
        version: As in setup.cfg.
        date: ISO 8601, or "Unreleased".
        text: Below the heading.
    """

    version: str
    date: str
    text: str


def sections(changelog: str) -> list[Section]:
    """Return the sections of a changelog in their order."""
    found = list(_SECTION.finditer(changelog))
    ends = [match.start() for match in found[1:]] + [len(changelog)]
    return [
        Section(match["version"], match["date"], changelog[match.end() : end].strip())
        for match, end in zip(found, ends, strict=False)  # no section, no end
    ]


def changelog_problems(version: str, changelog: str) -> Iterator[str]:
    """Yield what is wrong with a changelog for a version."""
    told = sections(changelog)
    if len(told) != len(re.findall(r"^## ", changelog, re.MULTILINE)):
        yield f"{CHANGELOG}: a section is not headed like `## [1.2.3] - 2026-01-31` or `- {UNRELEASED}`"
    if not told or told[0].version != version:
        newest = told[0].version if told else "none"
        yield f"{CHANGELOG}: the newest section is {newest}, setup.cfg says {version}"
    if any("\n- " not in f"\n{section.text}" for section in told):
        yield f"{CHANGELOG}: a section says nothing"
    numbers = [tuple(map(int, section.version.split("."))) for section in told]
    if numbers != sorted(set(numbers), reverse=True):
        yield f"{CHANGELOG}: the versions do not stand in order, the newest first"
    if any(section.date == UNRELEASED for section in told[1:]):
        yield f"{CHANGELOG}: an older version is still {UNRELEASED}"


def typed_elsewhere(version: str, root: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield each place below `root` where somebody typed the version, which others derive."""
    # Not inside a longer number, as in a UID.
    typed = re.compile(rf"(?<![\d.]){re.escape(version)}(?!\.?\d)")
    for name in names:
        path = root / name
        if name in OWNERS or NOT_OURS.match(name) or not path.is_file():
            continue
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1):
            if typed.search(line):
                yield f"{name}:{number}: types the version, which only setup.cfg does"


def main() -> int:
    """Print what is wrong; return 1 if there is anything."""
    version = read_release().version
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    problems = [
        *changelog_problems(version, (ROOT / CHANGELOG).read_text(encoding="utf-8")),
        *typed_elsewhere(version, ROOT, listed.stdout.split("\0")),
    ]
    for problem in problems:
        print(f"version: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
