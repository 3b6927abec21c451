"""Parameter sets: good ones render in every Region, bad ones are refused with the sentence that helps.

What only a look at the account can refuse is in tests/importer/preflight/test_parameter_sets.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from template_gen.product import REGIONS
from template_gen.rules import ZONES
from tests.template_gen.choices import (
    BRANCH,
    CLINIC,
    EVERY_OPTION,
    EXCLUSIVE,
    NEEDS,
    OFFICE,
    RECEIVER_TLS,
    chosen,
    everything_but,
)
from tests.template_gen.rendering import REQUIRED, document, rendered
from tests.template_gen.rule_evaluator import Facts, failures

VPC = REQUIRED["VpcID"]
ROLE = "arn:aws:iam::123456789012"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret"  # noqa: S105 - where one is, not what
TLS = {"TLSCertificateARN"}
PEERS = ("PeerCIDR1", "PeerCIDR2", "PeerCIDR3")
SETS_AT_LEAST = 60


def in_region(region: str) -> dict[str, str]:
    """Return the parameters that must be given, for a VPC with two zones of a Region."""
    return REQUIRED | {"AvailabilityZones": f"{region}a,{region}b"}


def subnets(region: str) -> dict[str, dict[str, str]]:
    """Return what EC2 would say of the subnets: e is in a third zone, f in another VPC."""
    places = {"a": "a", "b": "b", "c": "a", "d": "b", "e": "c", "f": "b"}
    return {
        f"subnet-0000000{name}": {
            "VpcId": "vpc-00000000000000009" if name == "f" else VPC,
            "AvailabilityZone": region + zone,
        }
        for name, zone in places.items()
    }


def refusals(region: str, parameters: Mapping[str, str]) -> list[str]:
    """Return what the rules say of a stack, as CloudFormation would before it makes anything."""
    built = document()
    declared = built["Parameters"]
    defaults = {name: p["Default"] for name, p in declared.items() if "Default" in p}
    lists = {
        name for name, p in declared.items() if p["Type"].startswith(("List<", "CommaDelimited"))
    }
    facts = Facts(
        region, {**defaults, **in_region(region), **parameters}, frozenset(lists), subnets(region)
    )
    return failures(built["Rules"], facts)


# Good sets

KEYS: dict[str, tuple[str, ...]] = {
    "no key": (),
    "own key": ("CreateKMSKey",),
    "existing key": ("KMSKeyARN",),
}
NAMED: dict[str, tuple[str, ...]] = {
    **{
        f"{'TLS' if tls else 'TCP'}, {key}, {peers} peers": (
            *(TLS if tls else ()), *KEYS[key], *PEERS[:peers]
        )
        for tls, key, peers in product((False, True), KEYS, range(len(PEERS) + 1))
    },
    **{f"{name} alone": (name, *NEEDS.get(name, ())) for name in EVERY_OPTION if name != "AutoscaleMaxCapacity"},
}  # fmt: skip
"""Sets made of the usual choices, by parameter."""
GIVEN: dict[str, dict[str, str]] = {
    "the guide's recommendation": {
        "TaskCPU": "2048",
        "TaskMemoryLimit": "4096",
        "TaskDesiredCount": "2",
        "AutoscaleMaxCapacity": "5",
        "SCPAETitle": "MYHOSPITAL",
        "PeerCIDR1": OFFICE,
    },
    "second and third peer only": {"PeerCIDR2": BRANCH, "PeerCIDR3": CLINIC},
    "a peer twice": {"PeerCIDR1": OFFICE, "PeerCIDR2": OFFICE},
    "three public subnets": {
        "PublicSubnetIDs": "subnet-0000000a,subnet-0000000b,subnet-0000000e",
        "AvailabilityZones": "{region}a,{region}b,{region}c",
    },
    "widest ranges": {"VpcCIDR": "10.0.0.0/8", "PeerCIDR1": "128.0.0.0/8"},
    "one address": {"VpcCIDR": "192.168.255.0/28", "PeerCIDR1": "203.0.113.7/32"},
    "shortest AE title": {"SCPAETitle": "A"},
    "longest AE title": {"SCPAETitle": "MY HOSPITAL 0001"},
    "odd AE title": {"SCPAETitle": "CT_1-a.b"},
    "first port": {"SCPPort": "1"},
    "last port": {"SCPPort": "65535"},
    "one sender": {"RequireCallingAETitle": "CT01"},
    "senders with blanks": {"RequireCallingAETitle": "CT01, MRI 01,US01"},
    "shortest times": {"DIMSETimeout": "10", "NetworkTimeout": "10"},
    "longest times": {"DIMSETimeout": "300", "NetworkTimeout": "300"},
    "one association": {"MaximumAssociations": "1"},
    "most associations": {"MaximumAssociations": "1000"},
    "smallest server": {"TaskCPU": "256", "TaskMemoryLimit": "512"},
    "largest server": {"TaskCPU": "16384", "TaskMemoryLimit": "122880"},
    "most servers": {"TaskDesiredCount": "20", "AutoscaleMaxCapacity": "20"},
    "one route table": {"PrivateRouteTableIDs": "rtb-0123456789abcdef0"},
    "originals for ten years": {"ExpireImportedAfterDays": "3650"},
    "image by digest": {
        "ImageURI": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/s@sha256:{'0a' * 32}"
    },
    "AWS's boundary": {"PermissionsBoundaryARN": "arn:aws:iam::aws:policy/PowerUserAccess"},
    "no key, everything else": {},
    "existing key, everything else": {},
    "own key, everything else": {},
}
EVERYTHING_BUT = {
    "no key, everything else": (
        "LoadBalancerScheme",
        "CreateKMSKey",
        "KMSKeyARN",
        "TLSCertificateARN",
    ),
    "existing key, everything else": (
        "ElasticIPs",
        "CreateKMSKey",
        "ReplicaBucketARN",
        *RECEIVER_TLS,
    ),
    "own key, everything else": (
        "ElasticIPs",
        "KMSKeyARN",
        "ReplicaBucketARN",
        "TLSCertificateARN",
    ),
}
GOOD = [*NAMED, *GIVEN]


def parameters_of(good: str, region: str) -> dict[str, str]:
    """Return the parameters of a good set."""
    if good in EVERYTHING_BUT:
        return everything_but(region, *EVERYTHING_BUT[good])
    if good in NAMED:
        together = {"TaskMemoryLimit": "4096"} if "TaskCPU" in NAMED[good] else {}
        return chosen(region, *NAMED[good]) | together
    return {name: value.format(region=region) for name, value in GIVEN[good].items()}


@pytest.mark.parametrize("good", GOOD)
def test_a_good_set_is_taken_and_renders_in_every_region(good: str) -> None:
    """No rule objects; no intrinsic, condition or other Region's name is left in what would be made."""
    for region in REGIONS:
        parameters = {**in_region(region), **parameters_of(good, region)}
        stack = rendered(region, **parameters)
        text = json.dumps({"Resources": stack["Resources"], "Outputs": stack["Outputs"]})

        assert refusals(region, parameters) == []
        assert not re.search(r'"Ref"|Fn::|\$\{', text)
        assert {found for found in REGIONS if f'"{found}"' in text} <= {region}
        assert "PacsService" in stack["Resources"]


# What the form refuses

REFUSED_BY_PARAMETER = [
    ("VpcCIDR", "", "203.0.113.0/24"),
    ("VpcCIDR", "0.0.0.0/0", "0.0.0.0/0 is refused"),
    ("VpcCIDR", "10.0.0.0", "/8 to /32"),
    ("VpcCIDR", "10.0.0.0/33", "/8 to /32"),
    ("VpcCIDR", "10.0.0.256/16", "IPv4 range"),
    ("VpcCIDR", "2001:db8::/32", "IPv4 range"),
    ("PeerCIDR1", "0.0.0.0/0", "0.0.0.0/0 is refused"),
    ("PeerCIDR1", "0.0.0.0/1", "/8 to /32"),
    ("PeerCIDR2", "203.0.113.0/24,198.51.100.0/24", "such as 203.0.113.0/24"),
    ("PeerCIDR3", " 203.0.113.0/24", "such as 203.0.113.0/24"),
    ("SCPAETitle", "", "1 to 16 characters"),
    ("SCPAETitle", "SEVENTEEN_LETTERS", "1 to 16 characters"),
    ("SCPAETitle", " LEADING", "no blank at the beginning"),
    ("SCPAETitle", "BACK\\SLASH", "without backslash"),
    ("SCPAETitle", "病院", "1 to 16 characters"),
    ("SCPPort", "0", "from 1 to 65535"),
    ("SCPPort", "65536", "from 1 to 65535"),
    ("RequireCalledAETitle", "yes", "true, false"),
    ("RequireCallingAETitle", "CT01,SEVENTEEN_LETTERS", "1 to 16 characters"),
    ("RequireCallingAETitle", "CT01;BACK\\SLASH", "separated by commas"),
    ("TaskCPU", "1000", "256, 512, 1024"),
    ("TaskMemoryLimit", "3000", "goes with TaskCPU"),
    ("TaskDesiredCount", "0", "1 to 20"),
    ("AutoscaleMaxCapacity", "21", "1 to 20"),
    ("TLSCertificateARN", "arn:aws:iam::123456789012:server-certificate/x", "arn:aws:acm:REGION"),
    ("TLSCertificateARN", "certificate/1234", "arn:aws:acm:REGION"),
    ("DIMSETimeout", "9", "from 10 to 300"),
    ("DIMSETimeout", "301", "from 10 to 300"),
    ("NetworkTimeout", "301", "from 10 to 300"),
    ("MaximumAssociations", "0", "from 1 to 1000"),
    ("MaximumAssociations", "1001", "from 1 to 1000"),
    ("MaximumAssociationsPerAETitle", "-1", "from 0 to 1000"),
    ("MaximumAssociationsPerAddress", "1001", "from 0 to 1000"),
    ("ReceiverTLSSecretARN", "storescp/tls", "secret:NAME-XXXXXX"),
    ("ReceiverTLSSecretARN", f"{SECRET}:storescp/tls", "last six characters"),
    ("ReceiverTLSSecretARN", f"{SECRET}:tls-AbC123:privateKey::", "whole ARN"),
    ("BindAETitleToCertificate", "CN", "true, false"),
    ("SupportedSOPClassUIDs", "CT Image Storage", "digits and dots"),
    ("StorageCommitmentPeers", "CT01=10.0.1.15", "AETITLE=host:port"),
    ("StorageCommitmentWhen", "stored", "imported, landed"),
    ("LoadBalancerScheme", "public", "internet-facing, internal"),
    ("ElasticIPs", "yes", "true, false"),
    ("TaskSecurityGroupID", "subnet-0123abcd", "sg-0123456789abcdef0"),
    ("PrivateRouteTableIDs", "rtb-0123abcd,subnet-0123abcd", "rtb-0123456789abcdef0"),
    ("PrivateRouteTableIDs", "rtb-0123abcd;rtb-0123abce", "separated by commas"),
    ("ExistingDatastoreID", "my-data-store", "32 letters and digits"),
    ("ExpireImportedAfterDays", "0", "from 1 to 3650"),
    ("CreateKMSKey", "yes", "true, false"),
    ("KMSKeyARN", "arn:aws:kms:us-east-1:123456789012:alias/data", "no alias"),
    ("ReplicaBucketARN", "copies-of-hospital", "arn:aws:s3:::BUCKET-NAME"),
    ("BreakGlassRoleARN", f"{ROLE}:user/emergency", "arn:aws:iam::ACCOUNT:role/NAME"),
    ("LogRetentionDays", "31", "30, 60, 90"),
    ("LogLevel", "LOUD", "DEBUG, INFO, WARNING, ERROR"),
    ("AlarmEmail", "nobody", "one e-mail address"),
    ("ImageURI", "docker.io/library/storescp:latest", "dkr.ecr.REGION.amazonaws.com"),
    ("AssetBucketPrefix", "My_Assets", "small letters"),
    ("AssetKeyPrefix", "storescp/1.0.0", "End it with a slash"),
    ("PermissionsBoundaryARN", "boundary", "ARN of an IAM policy"),
    ("RolePath", "medical", "Begin and end it with a slash"),
]
"""Parameter, value, and a part of the sentence that the form shows."""


@pytest.mark.parametrize(("name", "value", "said"), REFUSED_BY_PARAMETER)
def test_a_bad_value_is_refused_with_its_constraint_description(
    name: str, value: str, said: str
) -> None:
    """Nothing is made from it, and the sentence says what to type."""
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        rendered(**{name: value})

    assert said in document()["Parameters"][name]["ConstraintDescription"]


# What the rules refuse

OUTSIDE = "subnet-0000000a,subnet-0000000f"
THIRD_ZONE = "subnet-0000000a,subnet-0000000e"
ONE_ZONE = "subnet-0000000a,subnet-0000000c"
KEY = EVERY_OPTION["KMSKeyARN"].format(region="us-east-1", account="123456789012")
REFUSED_BY_RULE: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    *(
        ("us-east-1", {name: value}, (name, said))
        for name in ("PublicSubnetIDs", "PrivateSubnetIDs")
        for value, said in (
            (OUTSIDE, "is not in the VPC"),
            (THIRD_ZONE, "AvailabilityZones does not name"),
            (ONE_ZONE, "are in one zone"),
            ("subnet-0000000a", "are in one zone"),
        )
    ),
    *(
        (region, {}, ("AWS HealthImaging is not in this Region", *REGIONS))
        for region in ("ap-northeast-1", "eu-central-1", "us-east-2")
    ),
    *(
        ("us-east-1", {"TaskCPU": cpu, "TaskMemoryLimit": memory}, (f"With TaskCPU {cpu}", first))
        for cpu, memory, first in (
            ("256", "4096", "512"), ("512", "8192", "1024"), ("1024", "1024", "2048"),
            ("2048", "2048", "4096"), ("4096", "4096", "8192"), ("8192", "8192", "16384"),
            ("16384", "16384", "32768"),
        )
    ),
    *(
        (
            "us-east-1",
            {"TaskDesiredCount": least, "AutoscaleMaxCapacity": most},
            ("AutoscaleMaxCapacity must be at least TaskDesiredCount", f"({least})"),
        )
        for least, most in (("2", "1"), ("4", "3"), ("10", "9"), ("20", "19"))
    ),
    (
        "us-east-1",
        {"ElasticIPs": "true", "LoadBalancerScheme": "internal"},
        ("ElasticIPs needs LoadBalancerScheme internet-facing",),
    ),
    (
        "us-east-1",
        {"CreateKMSKey": "true", "KMSKeyARN": KEY},
        ("CreateKMSKey or KMSKeyARN", "not both"),
    ),
    (
        "us-east-1",
        chosen("us-east-1", "TLSCertificateARN", "ReceiverTLSSecretARN"),
        ("TLSCertificateARN (the load balancer ends TLS) or ReceiverTLSSecretARN", "not both"),
    ),
    (
        "us-east-1",
        chosen("us-east-1", "TLSCertificateARN", "BindAETitleToCertificate"),
        ("BindAETitleToCertificate needs ReceiverTLSSecretARN",),
    ),
    *(
        ("us-east-1", {"ReplicaBucketARN": "arn:aws:s3:::copies"} | key, ("ReplicaBucketARN",))
        for key in ({"CreateKMSKey": "true"}, {"KMSKeyARN": KEY})
    ),
]  # fmt: skip
"""Region, parameters, and parts of the one sentence that is said."""


@pytest.mark.parametrize(("region", "parameters", "said"), REFUSED_BY_RULE, ids=str)
def test_a_bad_set_is_refused_with_its_assert_description(
    region: str, parameters: dict[str, str], said: tuple[str, ...]
) -> None:
    """One sentence, in English and Japanese."""
    (sentence,) = refusals(region, parameters)
    english, _, japanese = sentence.partition(" / ")

    assert [part for part in said if part not in english] == []
    assert not japanese.isascii()


@pytest.mark.parametrize("zone", ZONES)
def test_subnets_in_any_one_zone_are_refused(zone: str) -> None:
    """A rule knows a zone by its name only, so each of the five Regions' must be in it."""
    built = document()
    attributes = {one: {"VpcId": VPC, "AvailabilityZone": zone} for one in subnets(zone[:-1])}
    defaults = {n: p["Default"] for n, p in built["Parameters"].items() if "Default" in p}
    given = REQUIRED | {"AvailabilityZones": zone}
    lists = frozenset({"PublicSubnetIDs", "PrivateSubnetIDs", "AvailabilityZones"})

    said = failures(built["Rules"], Facts(zone[:-1], {**defaults, **given}, lists, attributes))

    assert len(said) == 2
    assert all("one zone" in sentence for sentence in said)


@pytest.mark.parametrize("together", EXCLUSIVE, ids=sorted)
def test_each_of_two_that_exclude_each_other_is_good_alone(together: set[str]) -> None:
    """And both are refused, so that no set above has both."""
    region = REGIONS[0]

    assert refusals(region, chosen(region, *together)) != []
    assert all(refusals(region, chosen(region, name)) == [] for name in together)


# Nothing is forgotten


def _said_nowhere() -> list[str]:
    said = {sentence for r, p, _ in REFUSED_BY_RULE for sentence in refusals(r, p)}
    rules: dict[str, Any] = document()["Rules"]
    kinds = {re.sub(r"\d+$", "N", name) for name in rules}
    heard = {
        re.sub(r"\d+$", "N", name)
        for name, rule in rules.items()
        if any(a["AssertDescription"] in said for a in rule["Assertions"])
    }
    return sorted(kinds - heard)


def test_every_parameter_is_in_good_and_bad_sets() -> None:
    """A new parameter needs its rows here before it can be published."""
    declared = document()["Parameters"]
    optional = {name for name, p in declared.items() if "Default" in p}
    limited = {name for name, p in declared.items() if "ConstraintDescription" in p}
    same = [
        name
        for name in optional & EVERY_OPTION.keys()
        if EVERY_OPTION[name] == declared[name]["Default"]
    ]
    refused = {name for name, _, _ in REFUSED_BY_PARAMETER}

    assert (optional ^ EVERY_OPTION.keys(), same) == (set(), []), (
        "give each optional parameter a value that is not its default in EVERY_OPTION "
        "(tests/template_gen/choices.py)"
    )
    assert limited ^ refused == set(), (
        "give each parameter that can refuse a value a row in REFUSED_BY_PARAMETER"
    )


def test_every_rule_refuses_a_set() -> None:
    """Rules that differ by a number only count as one."""
    assert _said_nowhere() == [], "give each rule a row in REFUSED_BY_RULE"


def test_there_are_enough_sets() -> None:
    """Good ones by themselves, and all bad ones."""
    assert len(GOOD) >= SETS_AT_LEAST
    assert len(REFUSED_BY_PARAMETER) + len(REFUSED_BY_RULE) >= SETS_AT_LEAST


def test_every_parameter_and_condition_is_used() -> None:
    """A field of the form without effect would be a lie."""
    built = document()
    used = json.dumps({k: built[k] for k in ("Resources", "Outputs", "Conditions", "Rules")})

    unused = [name for name in built["Parameters"] if f'"Ref": "{name}"' not in used]
    idle = [
        name
        for name in built["Conditions"]
        if not re.search(rf'"(Condition": "{name}"|Fn::If": \["{name}")', used)
    ]

    assert (unused, idle) == ([], [])
