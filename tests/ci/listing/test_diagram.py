from __future__ import annotations

import struct
from itertools import combinations
from pathlib import Path

import pytest

from ci.listing.diagram import ARCHITECTURE
from ci.listing.drawing import ICON_PX
from ci.listing.files import write_diagram
from template_gen.stack import build_template

RESOURCES = build_template().to_dict()["Resources"]
SERVICES = {
    body["Type"].split("::")[1]
    for body in RESOURCES.values()
    if not body["Type"].startswith("Custom")
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    svg, png = write_diagram(tmp_path_factory.mktemp("diagram"))
    return Path(svg).read_text(), Path(png).read_bytes()


def test_it_has_the_size_that_the_marketplace_takes(drawn: tuple[str, bytes]) -> None:
    """1100 x 700, as PNG's first chunk says."""
    _, png = drawn

    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1100, 700)


def test_every_service_of_the_template_is_drawn_and_no_other() -> None:
    """A new kind of resource must find its place in the picture."""
    shown = frozenset[str]().union(*(node.stands_for for node in ARCHITECTURE.nodes))

    assert shown == SERVICES


def test_every_function_is_named() -> None:
    """By its logical ID, less the word for what it is."""
    words = " ".join(line for node in ARCHITECTURE.nodes for line in node.label)
    functions = [t for t, body in RESOURCES.items() if body["Type"] == "AWS::Lambda::Function"]

    assert [t for t in functions if t.removesuffix("Function") not in words] == []


def test_vpc_and_subnets_are_drawn() -> None:
    """Two zones, each with a public and a private subnet."""
    labels = [group.label for group in ARCHITECTURE.groups]

    assert "Your VPC" in labels
    assert labels.count("Public subnet") == labels.count("Private subnet") == 2


def test_each_step_of_the_legend_is_one_arrow() -> None:
    """Numbers without an explanation, and the reverse, help nobody."""
    numbers = sorted(arrow.step for arrow in ARCHITECTURE.arrows if arrow.step)

    assert numbers == list(range(1, len(ARCHITECTURE.steps) + 1))


def test_no_two_icons_overlap_and_none_leaves_the_picture() -> None:
    """Who moves one sees here what it ran into."""
    nodes = ARCHITECTURE.nodes
    overlapping = [
        (one.label, other.label)
        for one, other in combinations(nodes, 2)
        if abs(one.x - other.x) < ICON_PX and abs(one.y - other.y) < ICON_PX
    ]

    assert overlapping == []
    assert all(ICON_PX < n.x < 1100 - ICON_PX and ICON_PX < n.y < 700 - ICON_PX for n in nodes)


def test_the_drawing_needs_no_other_file(drawn: tuple[str, bytes]) -> None:
    """Icons are in it, and it says what it is to who cannot see it."""
    svg, _ = drawn

    assert "href" not in svg
    assert f"<title>{ARCHITECTURE.title}</title>" in svg
