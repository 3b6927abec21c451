"""The Markdown pages as data: headings, links, fenced blocks, code spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
JAPANESE = ".ja.md"

_FENCE = re.compile(r"^( *)(```+)(.*)$")
_HEADING = re.compile(r"^(#{1,6}) (.+)$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        info: What stands behind the opening fence.
        text: Its lines, without the indentation of the fence.
        line: Number of its fence, from 1.
    """

    info: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path

    @property
    def name(self) -> str:
        """Its path within the project."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def blocks(self) -> list[Block]:
        """Its fenced blocks."""
        return [part for part in self._parts() if isinstance(part, Block)]

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """Its lines outside of blocks, numbered from 1."""
        return [part for part in self._parts() if not isinstance(part, Block)]

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        found = (_HEADING.match(line) for _, line in self.prose)
        return [(len(match[1]), match[2]) for match in found if match]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link may name behind `#`, as GitHub makes it of headings."""
        made: set[str] = set()
        for _, text in self.headings:
            anchor = _NOT_IN_ANCHORS.sub("", text.strip().lower()).replace(" ", "-")
            number = 0
            while (name := f"{anchor}-{number}" if number else anchor) in made:
                number += 1
            made.add(name)
        return made

    @cached_property
    def links(self) -> list[str]:
        """The targets of its links."""
        return [link for _, line in self.prose for link in _LINK.findall(_SPAN.sub("", line))]

    @cached_property
    def spans(self) -> list[str]:
        """Its code spans."""
        return [span for _, line in self.prose for span in _SPAN.findall(line)]

    def _parts(self) -> Iterator[Block | tuple[int, str]]:
        fence, info, start, inside = "", "", 0, list[str]()
        for number, line in enumerate(self.lines, 1):
            match = _FENCE.match(line)
            if fence:
                indent, _, mark = fence.partition("`")
                if line.strip() == f"`{mark}":
                    text = "\n".join(each.removeprefix(indent) for each in inside)
                    yield Block(info, f"{text}\n", start)
                    fence, inside = "", []
                else:
                    inside.append(line)
            elif match:
                fence, info, start = match[1] + match[2], match[3].strip(), number
            else:
                yield number, line
        assert not fence, f"{self.name}:{start}: a block without an end"


def all_pages() -> list[Page]:
    """Return the README, the changelog and everything in docs/."""
    return [
        Page(ROOT / "README.md"),
        Page(ROOT / "CHANGELOG.md"),
        *map(Page, sorted(DOCS.rglob("*.md"))),
    ]


def pairs() -> list[tuple[Page, Page]]:
    """Return each page that exists in both languages, English first."""
    return [
        (Page(path.with_name(path.name.replace(JAPANESE, ".md"))), Page(path))
        for path in sorted(DOCS.rglob(f"*{JAPANESE}"))
    ]
