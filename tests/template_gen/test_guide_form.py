"""The deployment guide's promises, up to the launch: each a test whose docstring begins with its heading."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from template_gen.__main__ import documents
from template_gen.product import REGIONS
from tests.template_gen.rendering import CERTIFICATE, document, of_type, stack
from tests.template_gen.test_parameter_sets import refusals

INGRESS = "AWS::EC2::SecurityGroupIngress"
HOSPITAL = "203.0.113.0/24"


def _parameter(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["Parameters"][name]
    return found


def _properties(title: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = stack(**parameters)["Resources"][title]["Properties"]
    return found


def _admitted(**parameters: str) -> dict[str, dict[str, Any]]:
    """Return the rules by which senders are admitted, by their range."""
    rules = of_type(stack(**parameters)["Resources"], INGRESS).values()
    return {rule["CidrIp"]: rule for rule in rules if "CidrIp" in rule}


@pytest.mark.parametrize(
    "service", ["cloudformation", "ecs", "lambda", "s3", "ec2", "iam", "elasticloadbalancing"]
)
def test_the_permissions_to_launch_are_listed(service: str) -> None:
    """必要なIAM権限: a policy lists them, the guide's and those that it leaves out."""
    listed = {
        action.partition(":")[0]
        for name, text in documents().items()
        if name.startswith("deploy-policy-")
        for statement in json.loads(text)["Statement"]
        for action in statement["Action"]
    }

    assert service in listed


def test_public_subnets_carry_the_load_balancer() -> None:
    """必要なネットワーク構成: パブリックサブネット（2つ以上）, Network Load Balancer."""
    balancer = _properties("PacsNLB")

    assert balancer["Type"] == "network"
    assert balancer["Subnets"] == ["subnet-0000000a", "subnet-0000000b"]


def test_private_subnets_carry_the_servers() -> None:
    """必要なネットワーク構成: プライベートサブネット（2つ以上）, 外部から直接アクセスできない."""
    network = _properties("PacsService")["NetworkConfiguration"]["AwsvpcConfiguration"]

    assert network["Subnets"] == ["subnet-0000000c", "subnet-0000000d"]
    assert network["AssignPublicIp"] == "DISABLED"


@pytest.mark.parametrize("name", ["PublicSubnetIDs", "PrivateSubnetIDs"])
def test_subnets_are_in_different_zones(name: str) -> None:
    """必要なネットワーク構成: 異なるアベイラビリティゾーンに配置; others are refused."""
    (sentence,) = refusals("us-east-1", {name: "subnet-0000000a,subnet-0000000c"})

    assert "each in another Availability Zone" in sentence


def test_nat_gateway_is_looked_for_before_anything_is_made() -> None:
    """必要なネットワーク構成: NAT Gateway（必須）, ないとシステムが正常に起動しません: Preflight says so."""
    preflight = _properties("Preflight")

    assert preflight["PrivateSubnetIDs"] == ["subnet-0000000c", "subnet-0000000d"]
    assert preflight["ImageURI"].split("/")[0].endswith(".amazonaws.com")


def test_the_vpcs_range_is_admitted_by_itself() -> None:
    """DICOM通信用セキュリティグループの設定: VpcCIDRパラメータを指定することで自動的に設定されます."""
    rule = _admitted(VpcCIDR="10.0.0.0/16")["10.0.0.0/16"]

    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", "11112", "11112")
    assert rule["GroupId"] == "LoadBalancerSecurityGroup.GroupId"


@pytest.mark.parametrize("name", ["PeerCIDR1", "PeerCIDR2", "PeerCIDR3"])
def test_a_hospitals_global_range_is_admitted(name: str) -> None:
    """DICOM通信用セキュリティグループの設定: PeerCIDR1/PeerCIDR2/PeerCIDR3パラメータ."""
    rule = _admitted(**{name: HOSPITAL})[HOSPITAL]

    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", "11112", "11112")


def test_a_certificate_of_acm_encrypts_the_connection() -> None:
    """TLS証明書（オプション）: 通信を暗号化, AWS Certificate Manager（ACM）."""
    listener = _properties("PacsListener", TLSCertificateARN=CERTIFICATE)

    assert listener["Protocol"] == "TLS"
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]


@pytest.mark.parametrize("region", REGIONS)
def test_the_region_can_be_chosen(region: str) -> None:
    """ステップ2: 設定とデプロイ: Region, デプロイするリージョンを選択."""
    assert refusals(region, {}) == []


NETWORK = {
    "VpcID": ("AWS::EC2::VPC::Id", "vpc-0123456789abcdef0"),
    "PublicSubnetIDs": ("List<AWS::EC2::Subnet::Id>", "subnet-0000000a,subnet-0000000b"),
    "PrivateSubnetIDs": ("List<AWS::EC2::Subnet::Id>", "subnet-0000000c,subnet-0000000d"),
    "AvailabilityZones": ("List<AWS::EC2::AvailabilityZone::Name>", "us-east-1a,us-east-1b"),
    "SecurityGroupID": ("AWS::EC2::SecurityGroup::Id", "sg-0123456789abcdef0"),
    "VpcCIDR": ("String", "10.0.0.0/16"),
}
"""The guide's examples, ids in the length that AWS gives them."""


@pytest.mark.parametrize("name", NETWORK)
def test_a_network_parameter_is_asked_for(name: str) -> None:
    """必須パラメータの詳細説明: ネットワーク設定, no default, chosen from a list where there is one."""
    kind, example = NETWORK[name]

    assert _parameter(name)["Type"] == kind
    assert "Default" not in _parameter(name)
    assert stack(**{name: example})["Resources"]


def test_zones_that_are_not_named_are_refused() -> None:
    """必須パラメータの詳細説明: AvailabilityZones, サブネット詳細で確認."""
    assert refusals("us-east-1", {"AvailabilityZones": "us-east-1a"}) != []


def test_the_customers_security_group_is_attached() -> None:
    """必須パラメータの詳細説明: SecurityGroupID."""
    assert "sg-0123456789abcdef0" in _properties("PacsNLB")["SecurityGroups"]


DICOM = {
    "SCPAETitle": ("STORESCP", "MYHOSPITAL"),
    "SCPPort": ("11112", "11112"),
    "PeerCIDR1": ("", HOSPITAL),
    "PeerCIDR2": ("", ""),
    "PeerCIDR3": ("", ""),
    "RequireCalledAETitle": ("false", "false"),
    "RequireCallingAETitle": ("", ""),
}
OPTIONAL = {
    "TaskCPU": ("1024", "2048"),
    "TaskMemoryLimit": ("2048", "4096"),
    "TaskDesiredCount": ("1", "2"),
    "AutoscaleMaxCapacity": ("3", "5"),
    "TLSCertificateARN": ("", "arn:aws:acm:us-east-1:123456789012:certificate/xxxxxxxx"),
    "DIMSETimeout": ("60", "60"),
    "MaximumAssociations": ("300", "300"),
    "NetworkTimeout": ("90", "90"),
    "SupportedSOPClassUIDs": ("", "1.2.840.10008.5.1.4.1.1.2"),
}
"""Default, and the guide's example or recommendation."""


@pytest.mark.parametrize("name", DICOM)
def test_a_dicom_parameter_has_its_default_and_takes_the_example(name: str) -> None:
    """必須パラメータの詳細説明: DICOM設定."""
    default, example = DICOM[name]

    assert _parameter(name)["Default"] == default
    assert stack(**{name: example})["Resources"]


def test_an_ae_title_has_sixteen_characters_at_most() -> None:
    """必須パラメータの詳細説明: SCPAETitle, 16文字以内."""
    pattern = _parameter("SCPAETitle")["AllowedPattern"]

    assert re.fullmatch(pattern, "A" * 16)
    assert not re.fullmatch(pattern, "A" * 17)


def _environment(**parameters: str) -> dict[str, str]:
    (container,) = _properties("PacsServerTaskDef", **parameters)["ContainerDefinitions"]
    return {pair["Name"]: pair.get("Value", "") for pair in container["Environment"]}


@pytest.mark.parametrize(
    ("name", "value", "variable"),
    [
        ("SCPAETitle", "MYHOSPITAL", "AE_TITLE"),
        ("RequireCalledAETitle", "true", "REQUIRE_CALLED_AE_TITLE"),
        ("RequireCallingAETitle", "CT01,MRI01", "REQUIRE_CALLING_AE_TITLE"),
    ],
)
def test_a_dicom_parameter_reaches_the_server(name: str, value: str, variable: str) -> None:
    """必須パラメータの詳細説明: AE Title検証の有効化, 許可するクライアントAE Title."""
    assert _environment(**{name: value})[variable] == value


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_parameter_has_its_default_and_takes_the_example(name: str) -> None:
    """オプションパラメータ: デフォルト値, 推奨値."""
    default, example = OPTIONAL[name]
    together = {"TaskMemoryLimit": "4096"} if name == "TaskCPU" else {}

    assert _parameter(name)["Default"] == default
    assert stack(**{name: example}, **together)["Resources"]


@pytest.mark.parametrize(
    ("name", "value", "variable"),
    [
        ("DIMSETimeout", "45", "DIMSE_TIMEOUT"),
        ("MaximumAssociations", "100", "MAXIMUM_ASSOCIATIONS"),
        ("NetworkTimeout", "120", "NETWORK_TIMEOUT"),
        ("SupportedSOPClassUIDs", "1.2.840.10008.5.1.4.1.1.2", "SUPPORTED_SOP_CLASS_UIDS"),
    ],
)
def test_a_detailed_parameter_reaches_the_server(name: str, value: str, variable: str) -> None:
    """オプションパラメータ: DICOM詳細設定."""
    assert _environment(**{name: value})[variable] == value


def test_the_recommended_sizes_go_together() -> None:
    """オプションパラメータ: パフォーマンス設定, 推奨値."""
    recommended = {name: OPTIONAL[name][1] for name in list(OPTIONAL)[:4]}
    task = _properties("PacsServerTaskDef", **recommended)

    assert refusals("us-east-1", recommended) == []
    assert (task["Cpu"], task["Memory"]) == ("2048", "4096")


def test_who_follows_the_guide_has_to_fill_in_nothing_else() -> None:
    """ステップ4: デプロイ実行: 全ての必須パラメータが正しく設定されていることを確認."""
    required = {name for name, p in document()["Parameters"].items() if "Default" not in p}

    assert required == NETWORK.keys()
    assert refusals("us-east-1", {}) == []
