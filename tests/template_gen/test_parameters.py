"""The form: the guide's names, defaults, order and groups, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from receiver.settings import Settings
from template_gen import fargate
from tests.template_gen.rendering import document

INTERFACE = "AWS::CloudFormation::Interface"
GUIDE: dict[str, dict[str, str | None]] = {
    "ネットワーク設定": {
        "VpcID": None,
        "PublicSubnetIDs": None,
        "PrivateSubnetIDs": None,
        "AvailabilityZones": None,
        "SecurityGroupID": None,
        "VpcCIDR": None,
    },
    "DICOM設定": {
        "SCPAETitle": "STORESCP",
        "SCPPort": "11112",
        "PeerCIDR1": "",
        "PeerCIDR2": "",
        "PeerCIDR3": "",
        "RequireCalledAETitle": "false",
        "RequireCallingAETitle": "",
    },
    "パフォーマンス設定": {
        "TaskCPU": "1024",
        "TaskMemoryLimit": "2048",
        "TaskDesiredCount": "1",
        "AutoscaleMaxCapacity": "3",
    },
    "セキュリティ設定": {"TLSCertificateARN": ""},
    "DICOM詳細設定": {
        "DIMSETimeout": "60",
        "MaximumAssociations": "300",
        "NetworkTimeout": "90",
        "SupportedSOPClassUIDs": "",
    },
}
"""The guide's groups with its parameters in order, and their defaults (None: must be given)."""
PICKERS = {
    "VpcID": "AWS::EC2::VPC::Id",
    "PublicSubnetIDs": "List<AWS::EC2::Subnet::Id>",
    "PrivateSubnetIDs": "List<AWS::EC2::Subnet::Id>",
    "AvailabilityZones": "List<AWS::EC2::AvailabilityZone::Name>",
    "SecurityGroupID": "AWS::EC2::SecurityGroup::Id",
}


def _parameters() -> dict[str, Any]:
    found: dict[str, Any] = document()["Parameters"]
    return found


def test_the_guides_parameters_have_its_names_defaults_groups_and_order() -> None:
    """ステップ3: CloudFormationパラメータ設定."""
    groups = document()["Metadata"][INTERFACE]["ParameterGroups"][: len(GUIDE)]

    for group, (heading, expected) in zip(groups, GUIDE.items(), strict=True):
        assert heading in group["Label"]["default"]
        assert list(expected) == group["Parameters"]
        for name, default in expected.items():
            assert _parameters()[name].get("Default") == default


def test_our_own_parameters_come_after_the_guides_and_are_optional() -> None:
    """Who follows the guide meets nothing new that must be filled in."""
    names = list(_parameters())
    of_guide = [name for group in GUIDE.values() for name in group]

    assert names[: len(of_guide)] == of_guide
    assert all("Default" in _parameters()[name] for name in names[len(of_guide) :])


def test_every_parameter_has_a_group_a_label_and_a_description_in_two_languages() -> None:
    """Nothing on the form is a bare name."""
    interface = document()["Metadata"][INTERFACE]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    labels = interface["ParameterLabels"]

    assert grouped == list(_parameters()) == list(labels)
    for name, parameter in _parameters().items():
        for text in (labels[name]["default"], parameter["Description"]):
            english, _, japanese = text.partition(" / ")
            assert english.isascii(), name
            assert re.search(r"[ぁ-んァ-ヶ一-龠]", japanese), name


def test_whatever_can_be_refused_says_what_to_type_instead() -> None:
    """CloudFormation would show the pattern itself otherwise."""
    for name, parameter in _parameters().items():
        if parameter.keys() & {"AllowedPattern", "AllowedValues", "MinValue", "MaxValue"}:
            english, _, japanese = parameter["ConstraintDescription"].partition(" / ")
            assert english.startswith(("Type ", "Choose ", "Copy ", "Begin ", "End ")), name
            assert re.search("ください", japanese), name
        else:
            assert name in PICKERS, f"{name} takes anything: give it a pattern or limits"


@pytest.mark.parametrize(("name", "kind"), PICKERS.items())
def test_existing_things_are_picked_from_a_list(name: str, kind: str) -> None:
    """A type of AWS's own makes the console show what there is."""
    assert _parameters()[name]["Type"] == kind


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("SCPAETitle", "ae_title"),
        ("DIMSETimeout", "dimse_timeout_s"),
        ("NetworkTimeout", "network_timeout_s"),
        ("MaximumAssociations", "maximum_associations"),
        ("SupportedSOPClassUIDs", "supported_sop_class_uids"),
        ("RequireCallingAETitle", "require_calling_ae_title"),
    ],
)
def test_limits_and_descriptions_are_the_receivers(name: str, setting: str) -> None:
    """The form refuses exactly what the receiver would refuse at its start."""
    parameter, spec = _parameters()[name], Settings.specs()[setting]

    assert spec.doc in parameter["Description"]
    assert spec.doc_ja in parameter["Description"]
    if "MinValue" in parameter:
        assert (parameter["MinValue"], parameter["MaxValue"]) == (spec.minimum, spec.maximum)
    else:
        assert spec.pattern is not None
        assert spec.pattern in parameter["AllowedPattern"]


def test_the_timeouts_stay_below_the_load_balancers_idle_time() -> None:
    """A TLS listener forgets an idle connection after 350 s, whatever one sets."""
    for name in ("DIMSETimeout", "NetworkTimeout"):
        assert _parameters()[name]["MaxValue"] <= 300


def test_releases_live_in_mappings_and_not_in_defaults() -> None:
    """A default would survive an update and silently run the old image and code."""
    for name in ("ImageURI", "AssetBucketPrefix", "AssetKeyPrefix"):
        assert _parameters()[name]["Default"] == ""


def test_every_fargate_size_can_be_chosen() -> None:
    """The lists hold what goes together with something."""
    memories = {str(mib) for sizes in fargate.MEMORY_MIB.values() for mib in sizes}

    assert set(_parameters()["TaskMemoryLimit"]["AllowedValues"]) == memories
    assert _parameters()["TaskCPU"]["AllowedValues"] == [str(cpu) for cpu in fargate.MEMORY_MIB]
