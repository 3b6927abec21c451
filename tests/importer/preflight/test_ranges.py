"""An address range makes one rule of the security group, in a new stack and through updates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from importer.preflight.checks.ranges import check_ranges
from importer.preflight.properties import Properties
from tests.importer.preflight.builders import GOOD
from tests.template_gen.rendering import rendered

A, A_WITH_HOST_BITS, B = "203.0.113.0/24", "203.0.113.7/24", "198.51.100.0/24"


def peers(one: str = "", two: str = "", three: str = "", **other: Any) -> Properties:
    return replace(GOOD, peer_cidr_1=one, peer_cidr_2=two, peer_cidr_3=three, **other)


@pytest.mark.parametrize(
    ("chosen", "name", "kept"),
    [
        (peers(A, A_WITH_HOST_BITS), "PeerCIDR2", "PeerCIDR1"),
        (peers(A_WITH_HOST_BITS, B, A), "PeerCIDR3", "PeerCIDR1"),
        (peers("10.0.3.4/16"), "PeerCIDR1", "VpcCIDR"),
    ],
)
def test_one_range_written_in_two_ways_is_refused(chosen: Properties, name: str, kept: str) -> None:
    """EC2 would answer InvalidPermission.Duplicate."""
    [problem] = check_ranges(chosen, None)

    assert problem.parameters == (name, kept)
    assert f"leave {name} empty" in problem.text.en
    assert f"{name}を空にしてください" in problem.text.ja


@pytest.mark.parametrize(
    ("before", "after", "name", "owner"),
    [
        (peers(A, B), peers(B), "PeerCIDR1", "PeerCIDR2"),
        (peers(A), peers(A_WITH_HOST_BITS), "PeerCIDR1", "PeerCIDR1"),
        (peers(A_WITH_HOST_BITS), peers(A), "PeerCIDR1", "PeerCIDR1"),
        (peers(A, A), peers("", A), "PeerCIDR2", "PeerCIDR1"),
        (peers(vpc_cidr=A), peers(A, vpc_cidr=B), "PeerCIDR1", "VpcCIDR"),
        (peers(A, B), peers(B, B), "PeerCIDR1", "PeerCIDR2"),
        (peers(A, B), peers("", B, A), "PeerCIDR3", "PeerCIDR1"),
        (peers(A, B), peers(A, B, vpc_cidr=A), "VpcCIDR", "PeerCIDR1"),
    ],
    ids=[
        "moved up",
        "host bits come",
        "host bits go",
        "the one of two that had the rule",
        "VPC's before",
        "given twice",
        "moved down",
        "made the VPC's",
    ],
)
def test_a_range_that_moves_in_an_update_is_refused(
    before: Properties, after: Properties, name: str, owner: str
) -> None:
    """The old rule is there when the new one is made, and gone afterwards."""
    [problem] = check_ranges(after, before)

    assert problem.parameters == (name, owner)
    assert f"that {owner} had before this update" in problem.text.en
    assert "2回の更新に分けてください" in problem.text.ja


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, peers(A, A, "10.0.0.0/16")),
        (None, peers("203.0.113.7/32", "203.0.113.8/32", A)),
        (peers(A, B), peers(A)),
        (peers(A), peers(B)),
        (peers(A, B), peers(A, "", "192.0.2.0/24")),
        (peers(A, A), peers(A)),
    ],
    ids=["same text twice", "overlap", "taken away", "changed", "other", "second goes"],
)
def test_what_makes_rules_of_its_own_goes_on(before: Properties | None, after: Properties) -> None:
    """The template makes one rule of the same text, and overlapping ones are several."""
    assert list(check_ranges(after, before)) == []


def test_the_form_is_bound_to_the_check() -> None:
    """From the fields of the form to what stops the stack."""
    properties = rendered(PeerCIDR1=A, PeerCIDR3=A_WITH_HOST_BITS)["Resources"]["Preflight"]
    read = Properties.of(properties["Properties"])

    assert (read.peer_cidr_1, read.peer_cidr_2, read.peer_cidr_3) == (A, "", A_WITH_HOST_BITS)
    assert [one.parameters for one in check_ranges(read, None)] == [("PeerCIDR3", "PeerCIDR1")]
