"""The function as Lambda calls it: emulated EC2, ACM, IAM, KMS, HealthImaging; CloudFormation's end of the protocol."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from importer.handlers import preflight
from importer.preflight.checks.service_roles import ROLES
from importer.preflight.permissions import DEPENDENT_ACTIONS, PERMISSIONS
from importer.preflight.properties import KMS_SERVICES, PROPERTY_NAMES
from importer.preflight.sending import AnswerNotSentError
from tests.importer.preflight.cloudformation import Mailbox, mailbox
from tests.importer.preflight.conftest import Account
from tests.importer.preflight.hospital import Hospital, build_hospital, make_group

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/StoreSCP/0a1b2c3d"
NOTHING = "none / なし"


@dataclass
class Context:
    """What the function reads of Lambda's context."""

    milliseconds: int = 200_000

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left."""
        return self.milliseconds


@pytest.fixture
def hospital(account: Account) -> Hospital:
    return build_hospital(account.client("ec2"))


def event(box: Mailbox, kind: str, properties: Mapping[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": box.url,
        "StackId": STACK,
        "RequestId": "r-1",
        "ResourceType": "Custom::Preflight",
        "LogicalResourceId": "Preflight",
        "ResourceProperties": properties,
        **other,
    }


def answer_to(properties: Mapping[str, Any], kind: str = "Create", **other: Any) -> dict[str, Any]:
    """Return the one answer that CloudFormation gets."""
    with mailbox() as box:
        preflight.handler(event(box, kind, properties, **other), Context())
        return box.answer


def make_certificate(acm: Any, bits: int) -> str:
    """Import a self-signed certificate."""
    private = rsa.generate_private_key(65_537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pacs.example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .sign(private, hashes.SHA256())
    )
    imported = acm.import_certificate(
        Certificate=certificate.public_bytes(serialization.Encoding.PEM),
        PrivateKey=private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )
    return str(imported["CertificateArn"])


def make_key(kms: Any, *services: str) -> str:
    """Make a key whose policy names services besides IAM."""
    statements = [
        {"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}
        for principal in (
            {"AWS": "arn:aws:iam::123456789012:root"},
            *({"Service": service} for service in services),
        )
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return str(kms.create_key(Policy=policy, KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"])


def make_datastore(account: Account) -> str:
    """Make a data store, and ask for it once: the emulated one is active from then on.

    Only the first time: HealthImaging makes one in twelve seconds.
    """
    imaging = account.client("medical-imaging")
    if existing := imaging.list_datastores()["datastoreSummaries"]:
        return str(existing[0]["datastoreId"])
    made = str(imaging.create_datastore(datastoreName="existing")["datastoreId"])
    imaging.get_datastore(datastoreId=made)
    return made


def test_good_stack_goes_on(hospital: Hospital) -> None:
    """Success, nothing to say, nothing left out; the resource has its name."""
    answer = answer_to(hospital.properties)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert answer["Data"] == {"Warnings": NOTHING, "NotChecked": NOTHING}
    assert answer["PhysicalResourceId"] == "storescp-preflight-0a1b2c3d"


def test_good_stack_with_every_option_goes_on(account: Account, hospital: Hospital) -> None:
    """Certificate, key, data store, Elastic IPs: each is asked after and found good."""
    account.quotas.applied["L-0263D0A3"] = 1_000
    options = {
        "TLSCertificateARN": make_certificate(account.client("acm"), 2048),
        "KMSKeyARN": make_key(account.client("kms")),
        "ExistingDatastoreID": make_datastore(account),
        "ElasticIPs": "true",
        "TaskSecurityGroupID": hospital.properties["SecurityGroupID"],
        "PrivateRouteTableIDs": [hospital.tables["private"]],
    }
    answer = answer_to(hospital.properties | options)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert answer["Data"] == {"Warnings": NOTHING, "NotChecked": NOTHING}


def test_missing_service_linked_roles_are_made(account: Account, hospital: Hospital) -> None:
    """An account that never used ECS has none of its roles."""
    account.remove_service_roles()
    answer = answer_to(hospital.properties)

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["Warnings"] == NOTHING
    assert set(ROLES) == account.services_with_a_role()


def spoil_nat(account: Account, hospital: Hospital) -> dict[str, Any]:
    account.client("ec2").delete_route(
        RouteTableId=hospital.tables["private"], DestinationCidrBlock="0.0.0.0/0"
    )
    return {}


def spoil_both_routes(_: Account, hospital: Hospital) -> dict[str, Any]:
    hospital.route("public", to=hospital.nat_gateway)
    hospital.route("private", to=hospital.internet_gateway)
    return {}


def spoil_group(account: Account, _: Hospital) -> dict[str, Any]:
    ec2 = account.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    return {"SecurityGroupID": make_group(ec2, other)}


def spoil_zone(account: Account, hospital: Hospital) -> dict[str, Any]:
    twin = account.client("ec2").create_subnet(
        VpcId=hospital.vpc, CidrBlock="10.20.9.0/24", AvailabilityZone="us-east-1a"
    )["Subnet"]["SubnetId"]
    account.client("ec2").associate_route_table(
        RouteTableId=hospital.tables["public"], SubnetId=twin
    )
    return {"PublicSubnetIDs": [*hospital.properties["PublicSubnetIDs"], twin]}


def spoil_endpoint(account: Account, hospital: Hospital) -> dict[str, Any]:
    """An endpoint whose group admits nobody stands in the way of the NAT gateway."""
    account.client("ec2").create_vpc_endpoint(
        VpcId=hospital.vpc,
        ServiceName="com.amazonaws.us-east-1.ecr.dkr",
        VpcEndpointType="Interface",
        PrivateDnsEnabled=True,
        SubnetIds=hospital.properties["PrivateSubnetIDs"],
        SecurityGroupIds=[hospital.properties["SecurityGroupID"]],
    )
    return {}


def spoil_certificate(account: Account, _: Hospital) -> dict[str, Any]:
    return {"TLSCertificateARN": make_certificate(account.client("acm"), 4096)}


def lose_certificate(account: Account, _: Hospital) -> dict[str, Any]:
    acm = account.client("acm")
    arn = make_certificate(acm, 2048)
    acm.delete_certificate(CertificateArn=arn)
    return {"TLSCertificateARN": arn}


def spoil_key(account: Account, _: Hospital) -> dict[str, Any]:
    kms = account.client("kms")
    arn = make_key(kms)
    kms.disable_key(KeyId=arn.rpartition("/")[2])
    return {"KMSKeyARN": arn}


def spoil_key_policy(account: Account, _: Hospital) -> dict[str, Any]:
    key = make_key(account.client("kms"), "logs.us-east-1.amazonaws.com")
    return {"KMSKeyARN": key, "KMSKeyServices": ["s3", "logs", "sns"]}


def lose_key(account: Account, _: Hospital) -> dict[str, Any]:
    return {"KMSKeyARN": make_key(account.client("kms"))[:-12] + "0" * 12}


def spoil_quota(account: Account, _: Hospital) -> dict[str, Any]:
    account.quotas.applied["L-3032A538"] = 6.0
    return {"TaskCPU": "8192"}


def spoil_addresses(account: Account, _: Hospital) -> dict[str, Any]:
    account.quotas.applied["L-0263D0A3"] = 2.0
    return {"ElasticIPs": "true"}


def spoil_balancers(account: Account, _: Hospital) -> dict[str, Any]:
    account.quotas.applied["L-69A177A2"] = 0.0
    return {}


def strange_table(account: Account, _: Hospital) -> dict[str, Any]:
    ec2 = account.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=other)["RouteTable"]["RouteTableId"]
    return {"PrivateRouteTableIDs": [table]}


def doubled_endpoint(account: Account, hospital: Hospital) -> dict[str, Any]:
    table = hospital.tables["private"]
    account.client("ec2").create_vpc_endpoint(
        VpcId=hospital.vpc,
        ServiceName="com.amazonaws.us-east-1.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[table],
    )
    return {"PrivateRouteTableIDs": [table]}


def lose_datastore(_: Account, __: Hospital) -> dict[str, Any]:
    return {"ExistingDatastoreID": "0" * 32}


KEY_POLICY = ("does not let cloudwatch.amazonaws.com", "cloudwatch.amazonaws.comに")
FAULTS = {
    spoil_nat: ("PrivateSubnetIDs:", "NATゲートウェイへのルートがない"),
    spoil_both_routes: ("are swapped", "が逆で"),
    spoil_group: ("SecurityGroupID:", "同じVPCのセキュリティグループ"),
    spoil_zone: ("in zone us-east-1a", "ゾーンごとに1つのサブネット"),
    spoil_endpoint: ("does not admit 10.20.2.0/24", "443番ポートの通信が許可されていない"),
    spoil_certificate: ("takes no RSA_4096 key", "鍵（RSA_4096）"),
    lose_certificate: ("ACM of this Region has no certificate", "ACMに存在しない"),
    spoil_key: ("is Disabled; enable it", "状態がDisabled"),
    lose_key: ("this Region has no KMS key", "このリージョンに存在しない"),
    spoil_quota: ("needs 8 vCPUs", "8 vCPUが必要"),
    spoil_addresses: ("ElasticIPs:", "Elastic IPが2個必要"),
    spoil_balancers: ("Network Load Balancers and", "Network Load Balancerが"),
    strange_table: ("are not in the VPC of VpcID", "VPCに存在しないため、そのVPCのルートテーブル"),
    doubled_endpoint: (
        "have an S3 gateway endpoint already",
        "既にS3ゲートウェイエンドポイントがある",
    ),
    lose_datastore: ("have no data store 00000000", "存在しないため、IDを確認"),
}
"""Each fault with a part of its sentences; acted out from the form on in test_parameter_sets.py."""


def test_key_of_other_services_is_asked_for_them(account: Account, hospital: Hospital) -> None:
    """The one fault that no form can make: which services use the key is the template's choice."""
    en, ja = KEY_POLICY
    answer = answer_to(hospital.properties | spoil_key_policy(account, hospital))

    assert answer["Status"] == "FAILED"
    assert en in answer["Reason"]
    assert ja in answer["Reason"]


def test_two_faults_are_both_said(account: Account, hospital: Hospital) -> None:
    """The user mends them in one go."""
    spoiled = spoil_group(account, hospital) | lose_key(account, hospital)
    reason = answer_to(hospital.properties | spoiled)["Reason"]

    assert reason.startswith("(1) SecurityGroupID")
    assert " (2) KMSKeyARN" in reason


def test_delete_is_answered_at_once(account: Account) -> None:
    """Without one call, whatever the properties: a stack must be able to go."""
    account.quotas.applied.clear()
    with mailbox() as box:
        gone = {"VpcID": "vpc-gone", "TaskCPU": "many"}
        request = event(box, "Delete", gone, PhysicalResourceId="storescp-preflight-x")
        began = time.monotonic()
        preflight.handler(request, Context(milliseconds=3_000))
        took = time.monotonic() - began

        assert box.answer["Status"] == "SUCCESS"
        assert box.answer["PhysicalResourceId"] == "storescp-preflight-x"
    assert took < 3


@pytest.mark.parametrize("kind", ["Custom::Preflight", "Custom::KeptDatastore"])
@pytest.mark.parametrize("broken", ["examine", "aws_sources", "answer_of", "_log"])
def test_a_preflight_that_is_broken_never_blocks_a_delete(
    kind: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it raises, and whatever the properties are."""

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(preflight, broken, fail)
    with mailbox() as box:
        request = event(box, "Delete", {"VpcID": ["odd"], "DatastoreID": {}}, ResourceType=kind)
        preflight.handler(request | {"PhysicalResourceId": "x"}, Context())

        assert (box.answer["Status"], box.answer["PhysicalResourceId"]) == ("SUCCESS", "x")


@pytest.mark.parametrize("broken", ["examine", "aws_sources", "answer_of", "_log"])
def test_a_preflight_that_is_broken_stops_no_stack(
    account: Account, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours is not the hospital's; what was not checked is said."""
    del account

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(preflight, broken, fail)
    for kind in ("Create", "Update"):
        answer = answer_to({}, kind)

        assert answer["Status"] == "SUCCESS"
        assert answer["Data"]["NotChecked"] == "everything (RuntimeError)"


def test_delete_loads_no_client() -> None:
    """Nothing of AWS's SDK can be in its way."""
    with mailbox() as box:
        program = (
            "import sys; from importer.handlers import preflight\n"
            "class C:\n  get_remaining_time_in_millis = lambda self: 9000\n"
            f"preflight.handler({event(box, 'Delete', {})!r}, C())\n"
            "assert 'boto3' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

        assert box.answer["Status"] == "SUCCESS"


@pytest.mark.parametrize("properties", [{}, {"VpcID": ["odd"], "TaskCPU": {"a": 1}}], ids=str)
def test_odd_properties_do_not_stop_a_stack(account: Account, properties: Any) -> None:
    """A template that is wired wrongly is not the user's fault."""
    del account

    assert answer_to(properties)["Status"] in ("SUCCESS", "FAILED")
    assert answer_to({})["Status"] == "SUCCESS"


def test_preflight_without_a_network_does_not_stop_a_stack(
    account: Account, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no service answers is noted, and the stack goes on."""
    del account
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", "http://127.0.0.1:9")
    with mailbox() as box:
        preflight.handler(event(box, "Create", hospital.properties), Context(17_000))
        answer = box.answer

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["NotChecked"].startswith("network (")


def test_preflight_that_is_broken_does_not_stop_a_stack(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours is logged and noted."""

    def broken() -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(preflight, "aws_sources", broken)
    answer = answer_to(hospital.properties)

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"] == {"Warnings": NOTHING, "NotChecked": "everything (LookupError)"}
    assert "preflight_broken" in caplog.text


def test_answer_that_cannot_be_sent_is_an_error_of_the_function(account: Account) -> None:
    """Lambda runs an event of CloudFormation again when the function fails."""
    del account
    with mailbox(403) as box, pytest.raises(AnswerNotSentError):
        preflight.handler(event(box, "Delete", {}), Context())


def test_problems_are_logged_whole(
    account: Account, hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason may be cut, the log is not."""
    answer_to(hospital.properties | spoil_key_policy(account, hospital))
    [record] = [vars(one) for one in caplog.records if one.message == "preflight_problem"]

    assert record["stops"] is True
    assert record["ja"].endswith("キーポリシーに追加してください。")


@pytest.fixture
def calls() -> Iterator[set[str]]:
    """Every operation that is called, as the IAM action of it."""
    made: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        made.add(f"{model.service_model.signing_name}:{model.name}")

    boto3.setup_default_session()
    session = boto3.DEFAULT_SESSION
    session.events.register("before-call", record)
    yield made
    boto3.DEFAULT_SESSION = None


def test_permissions_are_those_that_are_used(
    account: Account, hospital: Hospital, calls: set[str]
) -> None:
    """No action is missing and none is too many: all runs together call every one."""
    account.remove_service_roles()
    account.quotas.applied.clear()
    options = spoil_key_policy(account, hospital) | {
        "TLSCertificateARN": make_certificate(account.client("acm"), 2048),
        "ExistingDatastoreID": make_datastore(account),
        "ElasticIPs": "true",
    }
    calls.clear()
    answer_to(hospital.properties)
    account.make_service_roles()
    answer_to(hospital.properties | options)
    answer_to(hospital.properties, "Update", OldResourceProperties=hospital.properties)

    prepared = {"iam:ListRoles", "iam:CreateRole", "iam:DeleteRole"}
    granted = {action for one in PERMISSIONS for action in one.actions}
    assert calls - prepared == granted - set(DEPENDENT_ACTIONS)


def test_every_statement_has_its_reason() -> None:
    """An auditor reads why; only what takes no resource may have all."""
    for one in PERMISSIONS:
        assert len(one.reason) > 20
        assert one.resources != ("*",) or "take" in one.reason
        assert not any("*" in action for action in one.actions)


def test_properties_are_the_hospitals_parameters(hospital: Hospital) -> None:
    """What the tests send is all that the function reads."""
    assert set(hospital.properties) - {"ServiceToken"} == PROPERTY_NAMES - {KMS_SERVICES}
