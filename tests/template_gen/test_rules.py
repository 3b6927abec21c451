"""Rules: what they take; what they refuse is in the table of parameter sets."""

from __future__ import annotations

import pytest

from template_gen import fargate
from template_gen.product import REGIONS
from template_gen.rules import ZONES
from tests.template_gen.rendering import document
from tests.template_gen.test_parameter_sets import refusals


def test_the_zones_are_those_of_the_five_regions() -> None:
    """A zone that is forgotten would let its subnets pass."""
    assert {zone[:-1] for zone in ZONES} == set(REGIONS)
    assert len(set(ZONES)) == 19


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [(cpu, mib) for cpu, sizes in fargate.MEMORY_MIB.items() for mib in (sizes[0], sizes[-1])],
)
def test_fargates_sizes_are_taken(cpu: int, memory: int) -> None:
    """The least and the most memory of each CPU size."""
    assert refusals("us-east-1", {"TaskCPU": str(cpu), "TaskMemoryLimit": str(memory)}) == []


@pytest.mark.parametrize(("least", "most"), [("1", "1"), ("3", "3"), ("9", "10"), ("20", "20")])
def test_a_maximum_that_is_not_below_the_minimum_is_taken(least: str, most: str) -> None:
    """Compared as numbers, not as text."""
    servers = {"TaskDesiredCount": least, "AutoscaleMaxCapacity": most}

    assert refusals("us-east-1", servers) == []


def test_every_sentence_is_in_two_languages() -> None:
    """AssertDescription is all that the console shows."""
    for rule in document()["Rules"].values():
        for assertion in rule["Assertions"]:
            english, _, japanese = assertion["AssertDescription"].partition(" / ")
            assert english.isascii()
            assert not japanese.isascii()
