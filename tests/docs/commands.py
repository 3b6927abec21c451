"""What kinds of blocks the pages have; the second word behind a fence says how a command is tested."""

from __future__ import annotations

from tests.docs.pages import ROOT, Block, Page, all_pages

START = "sh start"
"""Starts the local product, and runs until it is stopped."""
RUN = "sh run"
"""Run as it stands against the local product; example names are replaced by what is there."""
WITH_IT = "sh with it"
"""Run against a receiver with the settings of the page's last `sh start`."""
LONG = "sh long"
"""Local, but takes minutes or is the suite itself: make shows what it would do."""
AWS = "sh aws"
"""The AWS CLI, in an account: checked against the services' models."""
ELSEWHERE = "sh elsewhere"
"""Needs an account, a registry or another machine: the parts that are here are checked."""
OUTPUT = "text output"
"""What the block before it prints: each line is found in it."""
NO_COMMANDS = ("text", "json", "yaml")
KINDS = (START, RUN, WITH_IT, LONG, AWS, ELSEWHERE, OUTPUT, *NO_COMMANDS)


def blocks_of(name: str, kind: str) -> list[Block]:
    """Return a page's blocks of a kind."""
    return [block for block in Page(ROOT / name).blocks if block.info == kind]


def lines_of(block: Block) -> list[str]:
    """Return a block's commands, one a line; a backslash continues a line."""
    joined = block.text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and line[0] != "#"]


def commands(kind: str) -> list[tuple[str, str]]:
    """Return each command of a kind on any page with where it stands."""
    return [
        (f"{page.name}:{block.line}", line)
        for page in all_pages()
        for block in page.blocks
        if block.info == kind
        for line in lines_of(block)
    ]
