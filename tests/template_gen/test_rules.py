"""Rules: what is refused before anything is made, with the sentence that helps."""

from __future__ import annotations

import pytest

from template_gen import fargate
from template_gen.product import REGIONS
from template_gen.rules import ZONES
from tests.template_gen.rendering import REQUIRED, document
from tests.template_gen.rule_evaluator import Facts, failures

VPC = REQUIRED["VpcID"]
OTHER_VPC = "vpc-00000000000000009"
SUBNETS = {
    "subnet-0000000a": {"VpcId": VPC, "AvailabilityZone": "us-east-1a"},
    "subnet-0000000b": {"VpcId": VPC, "AvailabilityZone": "us-east-1b"},
    "subnet-0000000c": {"VpcId": VPC, "AvailabilityZone": "us-east-1a"},
    "subnet-0000000d": {"VpcId": VPC, "AvailabilityZone": "us-east-1b"},
    "subnet-0000000e": {"VpcId": VPC, "AvailabilityZone": "us-east-1c"},
    "subnet-0000000f": {"VpcId": OTHER_VPC, "AvailabilityZone": "us-east-1b"},
}


def _failures(region: str = "us-east-1", **parameters: str) -> list[str]:
    built = document()
    declared = built["Parameters"]
    defaults = {name: p["Default"] for name, p in declared.items() if "Default" in p}
    lists = {
        name
        for name, p in declared.items()
        if p["Type"].startswith("List<") or p["Type"] == "CommaDelimitedList"
    }
    facts = Facts(region, {**defaults, **REQUIRED, **parameters}, frozenset(lists), SUBNETS)
    return failures(built["Rules"], facts)


def test_the_guides_example_is_taken() -> None:
    """Two subnets of each kind in two zones, and every default."""
    assert _failures() == []


@pytest.mark.parametrize("region", REGIONS)
def test_the_five_regions_are_taken(region: str) -> None:
    """Not only us-east-1."""
    assert _failures(region) == []


@pytest.mark.parametrize("region", ["ap-northeast-1", "eu-central-1", "us-east-2"])
def test_a_region_without_healthimaging_is_refused(region: str) -> None:
    """The sentence names the Regions to choose from."""
    (sentence,) = _failures(region)

    assert all(name in sentence for name in REGIONS)


@pytest.mark.parametrize("name", ["PublicSubnetIDs", "PrivateSubnetIDs"])
def test_a_subnet_of_another_vpc_is_refused(name: str) -> None:
    """Every subnet is in the VPC."""
    (sentence,) = _failures(**{name: "subnet-0000000a,subnet-0000000f"})

    assert f"{name} is not in the VPC" in sentence


@pytest.mark.parametrize("name", ["PublicSubnetIDs", "PrivateSubnetIDs"])
def test_a_subnet_in_a_zone_that_is_not_named_is_refused(name: str) -> None:
    """AvailabilityZones has an effect."""
    (sentence,) = _failures(**{name: "subnet-0000000a,subnet-0000000e"})

    assert "AvailabilityZones does not name" in sentence


@pytest.mark.parametrize("name", ["PublicSubnetIDs", "PrivateSubnetIDs"])
@pytest.mark.parametrize("subnets", ["subnet-0000000a", "subnet-0000000a,subnet-0000000c"])
def test_subnets_in_one_zone_are_refused(name: str, subnets: str) -> None:
    """A single zone's fault must not stop the receipt of images."""
    (sentence,) = _failures(**{name: subnets})

    assert "one zone" in sentence


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
    assert _failures(TaskCPU=str(cpu), TaskMemoryLimit=str(memory)) == []


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [("256", "4096"), ("512", "8192"), ("1024", "1024"), ("2048", "2048"), ("4096", "4096")],
)
def test_sizes_that_fargate_does_not_have_are_refused(cpu: str, memory: str) -> None:
    """The sentence lists the memory that goes with the CPU."""
    (sentence,) = _failures(TaskCPU=cpu, TaskMemoryLimit=memory)

    assert f"With TaskCPU {cpu}" in sentence
    assert str(fargate.MEMORY_MIB[int(cpu)][0]) in sentence


@pytest.mark.parametrize(("least", "most"), [("1", "1"), ("3", "3"), ("9", "10"), ("20", "20")])
def test_a_maximum_that_is_not_below_the_minimum_is_taken(least: str, most: str) -> None:
    """Compared as numbers, not as text."""
    assert _failures(TaskDesiredCount=least, AutoscaleMaxCapacity=most) == []


@pytest.mark.parametrize(("least", "most"), [("2", "1"), ("4", "3"), ("10", "9"), ("20", "19")])
def test_a_maximum_below_the_minimum_is_refused(least: str, most: str) -> None:
    """Rules: maximum >= desired."""
    (sentence,) = _failures(TaskDesiredCount=least, AutoscaleMaxCapacity=most)

    assert "AutoscaleMaxCapacity must be at least TaskDesiredCount" in sentence


def test_fixed_addresses_of_an_internal_load_balancer_are_refused() -> None:
    """An Elastic IP is a public address."""
    (sentence,) = _failures(ElasticIPs="true", LoadBalancerScheme="internal")

    assert "ElasticIPs" in sentence


KEY = "arn:aws:kms:us-east-1:123456789012:key/0123abcd"
COPIES = "arn:aws:s3:::copies"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"CreateKMSKey": "true", "KMSKeyARN": KEY}, "not both"),
        ({"CreateKMSKey": "true", "ReplicaBucketARN": COPIES}, "ReplicaBucketARN"),
        ({"KMSKeyARN": KEY, "ReplicaBucketARN": COPIES}, "ReplicaBucketARN"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: dict[str, str], word: str) -> None:
    """Each alone is taken."""
    (sentence,) = _failures(**options)

    assert word in sentence
    assert all(_failures(**{name: value}) == [] for name, value in options.items())


def test_every_sentence_is_in_two_languages() -> None:
    """AssertDescription is all that the console shows."""
    for rule in document()["Rules"].values():
        for assertion in rule["Assertions"]:
            english, _, japanese = assertion["AssertDescription"].partition(" / ")
            assert english.isascii()
            assert not japanese.isascii()
