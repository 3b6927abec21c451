"""ci/.taskcat.yml: Regions, parameters and where their values come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.taskcat import tool
from ci.taskcat.network import STORE, build_network
from template_gen.product import REGIONS
from tests.template_gen.rendering import CERTIFICATE, document, render

STORED = re.compile(r"\$\[taskcat_ssm_(.+)]")
HERE = {
    "VpcID": "vpc-0123456789abcdef0",
    "PublicSubnetIDs": "subnet-0000000a,subnet-0000000b",
    "PrivateSubnetIDs": "subnet-0000000c,subnet-0000000d",
    "AvailabilityZones": "us-east-1a,us-east-1b",
    "SecurityGroupID": "sg-0123456789abcdef0",
    "VpcCIDR": "10.80.0.0/16",
    "PeerCIDR1": "203.0.113.7/32",
    "TLSCertificateARN": CERTIFICATE,
    "TaskSecurityGroupID": "sg-0123456789abcdef1",
    "PrivateRouteTableIDs": "rtb-0123456789abcdef0",
    "BreakGlassRoleARN": "arn:aws:iam::123456789012:role/storescp-break-glass",
}
"""What a network would have stored."""
LEFT_OUT = {
    "ReceiverTLSSecretARN": "a rule refuses it beside TLSCertificateARN",
    "BindAETitleToCertificate": "a rule wants that secret for it",
    "ExistingDatastoreID": "the stack makes its own, and the check looks into it",
    "KMSKeyARN": "CreateKMSKey makes one, and a rule refuses both",
    "ReplicaBucketARN": "a rule refuses it beside a key",
    "ImageURI": "for images that are not the release's: make taskcat IMAGE=",
    "AssetBucketPrefix": "likewise: PREFIX=",
    "AssetKeyPrefix": "the release's own",
}


def parameters(test: str) -> dict[str, str]:
    """What taskcat would give the stack, with what is stored in place."""
    config = tool.read_config()
    given = config["project"]["parameters"] | config["tests"][test].get("parameters", {})
    return {name: _value(value) for name, value in given.items()}


def _value(value: Any) -> str:
    match = STORED.fullmatch(str(value))
    return HERE[match[1].removeprefix(STORE)] if match else str(value)


def test_the_tests_run_in_every_region_of_the_product() -> None:
    assert list(REGIONS) == tool.read_config()["project"]["regions"]


def test_every_stored_value_is_one_that_the_network_stores_and_the_reverse() -> None:
    text = tool.CONFIG.read_text()
    asked = {match[1] for match in STORED.finditer(text)}
    resources = build_network().to_dict()["Resources"].values()
    kept = {r["Properties"]["Name"] for r in resources if r["Type"] == "AWS::SSM::Parameter"}

    assert asked == kept


@pytest.mark.parametrize("test", ["minimal", "tls", "all-options"])
def test_the_product_takes_the_parameters(test: str) -> None:
    """Names and values: what the template refuses here it would refuse in the account."""
    given = parameters(test)

    resources = render(**given)

    assert "PacsNLB" in resources
    assert given.keys() <= document()["Parameters"].keys()


def test_minimal_gives_what_must_be_given_and_the_senders_addresses() -> None:
    required = {name for name, p in document()["Parameters"].items() if "Default" not in p}

    assert required | {"PeerCIDR1"} == parameters("minimal").keys()


def test_all_options_gives_every_parameter_but_those_left_out_for_a_reason() -> None:
    given = parameters("all-options").keys()

    assert document()["Parameters"].keys() == given | LEFT_OUT.keys()
    assert not given & LEFT_OUT.keys()


def test_all_options_leaves_no_default_but_the_one_that_makes_addresses_possible() -> None:
    known = document()["Parameters"]
    same = {n for n, v in parameters("all-options").items() if known[n].get("Default") == v}

    assert same == {"LoadBalancerScheme"}


def test_only_what_taskcat_needs_is_staged(tmp_path: Path) -> None:
    """It uploads the whole folder."""
    folder = tmp_path / "project"

    tool.stage(folder, tool.read_config(), {"AssetBucketPrefix": "mine"})

    assert {".taskcat.yml", tool.TEMPLATE.name} == {path.name for path in folder.iterdir()}
    staged = yaml.safe_load((folder / ".taskcat.yml").read_text())
    assert staged["project"]["parameters"]["AssetBucketPrefix"] == "mine"
    assert staged["tests"] == tool.read_config()["tests"]


def test_a_name_that_does_not_exist_is_refused() -> None:
    """Because taskcat itself would run nothing and exit with 0."""
    with pytest.raises(tool.ConfigError, match="eu-south-1"):
        tool.chosen("us-east-1,eu-south-1", REGIONS, "regions")


def test_a_stack_that_no_check_has_looked_at_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    tool.reports_of(folder).mkdir()
    (tool.reports_of(folder) / "minimal-us-east-1").touch()

    silent = tool.unchecked(folder, ["minimal"], ["us-east-1", "us-west-2"])

    assert silent == ["minimal-us-west-2"]
