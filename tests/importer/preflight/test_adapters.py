from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from importer.preflight.adapters.certificates import AcmCertificates
from importer.preflight.adapters.datastores import HealthImagingDatastores
from importer.preflight.adapters.keys import KmsKeys
from importer.preflight.adapters.load_balancers import ElbLoadBalancers
from importer.preflight.adapters.network import Ec2Network
from importer.preflight.adapters.quotas import ServiceQuotas
from importer.preflight.adapters.roles import IamRoles
from importer.preflight.adapters.stacks import CloudFormationStacks
from importer.preflight.facts import Certificate, NatGateway, Quota, RoleState, Route
from importer.preflight.properties import Properties
from tests.importer.preflight.builders import CERTIFICATE, KEY, STACK_ARN
from tests.importer.preflight.conftest import Account
from tests.importer.preflight.test_gathering import FakeSleep

ECS = ("ecs.amazonaws.com", "AWSServiceRoleForECS")
ROLE = {
    "Role": {
        "Path": "/",
        "RoleName": ECS[1],
        "RoleId": "A" * 16,
        "Arn": "arn:aws:iam::123456789012:role/x",
        "CreateDate": datetime(2026, 1, 1, tzinfo=UTC),
    }
}
ROUTES = {
    "GatewayId": "igw-1",
    "NatGatewayId": "nat-1",
    "TransitGatewayId": "tgw-1",
    "VpcPeeringConnectionId": "pcx-1",
    "EgressOnlyInternetGatewayId": "eigw-1",
    "LocalGatewayId": "lgw-1",
    "CarrierGatewayId": "cagw-1",
    "CoreNetworkArn": "arn:aws:networkmanager::1:core-network/c",
    "NetworkInterfaceId": "eni-1",
}


@contextmanager
def stubbed(service: str, *answers: tuple[str, Any]) -> Iterator[Any]:
    """Lend a client that gives these answers: a document, or the code of an error."""
    made = boto3.client(service, region_name="eu-west-1")
    with Stubber(made) as stub:
        for operation, answer in answers:
            if isinstance(answer, str):
                stub.add_client_error(operation, answer)
            else:
                stub.add_response(operation, answer)
        yield made
        stub.assert_no_pending_responses()


def network_answers(**found: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return the answers of EC2 in the order of the questions."""
    operations = {
        "describe_vpcs": "Vpcs",
        "describe_subnets": "Subnets",
        "describe_route_tables": "RouteTables",
        "describe_nat_gateways": "NatGateways",
        "describe_vpc_endpoints": "VpcEndpoints",
        "describe_security_groups": "SecurityGroups",
    }
    return [(operation, {key: found.get(key, [])}) for operation, key in operations.items()]


CHOSEN = Properties(vpc_id="vpc-1", public_subnets=("subnet-1",), security_group="sg-1")


@pytest.mark.parametrize(("key", "target"), ROUTES.items(), ids=ROUTES.keys())
def test_every_kind_of_route_is_read(key: str, target: str) -> None:
    """Where a route leads is one of many members of EC2's answer."""
    table = {
        "RouteTableId": "rtb-1",
        "Associations": [{"Main": True}, {"SubnetId": "subnet-1"}],
        "Routes": [
            {"DestinationCidrBlock": "0.0.0.0/0", key: target, "State": "active"},
            {"DestinationPrefixListId": "pl-1", key: target, "State": "blackhole"},
            {"DestinationIpv6CidrBlock": "::/0", "OdbNetworkArn": "arn:aws:odb:::n"},
        ],
    }
    with stubbed("ec2", *network_answers(RouteTables=[table])) as ec2:
        [read] = Ec2Network(ec2).network(CHOSEN).tables

    assert read.routes == (
        Route("0.0.0.0/0", target),
        Route("pl-1", target, active=False),
        Route("::/0", "unknown"),
    )
    assert read.main
    assert read.subnets == {"subnet-1"}


def test_regional_nat_gateway_is_in_no_subnet() -> None:
    """One that was made before private ones existed has no kind."""
    gateways = [
        {"NatGatewayId": "nat-1", "State": "available", "ConnectivityType": "private", "SubnetId": "s"},
        {"NatGatewayId": "nat-2", "State": "available"},
    ]  # fmt: skip
    with stubbed("ec2", *network_answers(NatGateways=gateways)) as ec2:
        read = Ec2Network(ec2).network(CHOSEN).nat_gateways

    assert read["nat-1"] == NatGateway(id="nat-1", state="available", public=False, subnet="s")
    assert read["nat-2"] == NatGateway(id="nat-2", state="available", public=True)


def test_ranges_of_the_vpc_are_those_in_use() -> None:
    """A range that was taken away stays in the answer for a while."""
    ranges = [
        {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
        {"CidrBlock": "10.1.0.0/16", "CidrBlockState": {"State": "disassociated"}},
    ]
    vpc = {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockAssociationSet": ranges}
    with stubbed("ec2", *network_answers(Vpcs=[vpc])) as ec2:
        assert Ec2Network(ec2).network(CHOSEN).vpc_ranges == ("10.0.0.0/16",)


def test_certificate_is_read() -> None:
    """Both spellings of an algorithm, and who renews."""
    found = {
        "Status": "ISSUED",
        "KeyAlgorithm": "RSA-2048",
        "NotAfter": datetime(2027, 1, 1, tzinfo=UTC),
        "RenewalEligibility": "ELIGIBLE",
    }
    with stubbed("acm", ("describe_certificate", {"Certificate": found})) as acm:
        assert AcmCertificates(acm).certificate(CERTIFICATE) == Certificate(
            status="ISSUED",
            key_algorithm="RSA_2048",
            not_after=datetime(2027, 1, 1, tzinfo=UTC),
            renews=True,
        )


@pytest.mark.parametrize(
    ("service", "operation", "ask"),
    [
        ("acm", "describe_certificate", lambda c: AcmCertificates(c).certificate(CERTIFICATE)),
        ("kms", "describe_key", lambda c: KmsKeys(c).key(KEY)),
        ("medical-imaging", "get_datastore", lambda c: HealthImagingDatastores(c).status("d" * 32)),
    ],
    ids=["certificate", "key", "data store"],
)
def test_what_cannot_be_asked_after_is_no_absence(service: str, operation: str, ask: Any) -> None:
    """Only the service's word that there is none is one; a denial is an error."""
    absent = {"kms": "NotFoundException"}.get(service, "ResourceNotFoundException")

    with stubbed(service, (operation, absent)) as client:
        assert ask(client) is None
    with (
        stubbed(service, (operation, "AccessDeniedException")) as client,
        pytest.raises(ClientError),
    ):
        ask(client)


def test_policy_of_another_accounts_key_is_unknown() -> None:
    """Its owner alone may read it."""
    metadata = {
        "KeyId": "k-1",
        "Arn": KEY,
        "KeyState": "Enabled",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
    }
    answers = [("describe_key", {"KeyMetadata": metadata}), ("get_key_policy", "NotFoundException")]
    with stubbed("kms", *answers) as kms:
        found = KmsKeys(kms).key(KEY)

    assert found is not None
    assert found.policy is None
    assert found.symmetric


def test_quota_is_the_applied_one_or_the_default() -> None:
    """A quota that the service does not know has no value."""
    quota = Quota("fargate", "L-3032A538")
    unknown = "NoSuchResourceException"
    applied = ("get_service_quota", {"Quota": {"Value": 6.0}})
    default = ("get_aws_default_service_quota", {"Quota": {"Value": 50.0}})

    with stubbed("service-quotas", applied) as client:
        assert ServiceQuotas(client).value(quota) == 6.0
    with stubbed("service-quotas", ("get_service_quota", unknown), default) as client:
        assert ServiceQuotas(client).value(quota) == 50.0
    with stubbed("service-quotas", ("get_service_quota", unknown), (default[0], unknown)) as client:
        assert ServiceQuotas(client).value(quota) is None


def test_quota_of_a_real_shape(account: Account) -> None:
    """The emulated Service Quotas knows those of VPC."""
    quotas = ServiceQuotas(account.client("service-quotas"))

    assert quotas.value(Quota("vpc", "L-2AFB9258")) == 5.0


def test_only_network_load_balancers_count() -> None:
    """On every page of the answer."""
    pages = [
        ("describe_load_balancers", {"LoadBalancers": [{"Type": "network"}, {"Type": "application"}], "NextMarker": "2"}),
        ("describe_load_balancers", {"LoadBalancers": [{"Type": "network"}]}),
    ]  # fmt: skip
    with stubbed("elbv2", *pages) as elbv2:
        assert ElbLoadBalancers(elbv2).network_load_balancers() == 2


def test_deleted_data_stores_do_not_count() -> None:
    """They stay in the list for a while."""
    stores = [
        {"datastoreId": "d" * 32, "datastoreName": "n", "datastoreStatus": status}
        for status in ("ACTIVE", "CREATING", "DELETED", "CREATE_FAILED", "DELETING")
    ]
    with stubbed("medical-imaging", ("list_datastores", {"datastoreSummaries": stores})) as client:
        assert HealthImagingDatastores(client).active_count() == 3


def test_stack_status_is_read() -> None:
    """Of the one stack."""
    stack = {
        "StackName": "s",
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS",
    }
    with stubbed("cloudformation", ("describe_stacks", {"Stacks": [stack]})) as client:
        assert CloudFormationStacks(client).status(STACK_ARN) == "UPDATE_ROLLBACK_IN_PROGRESS"


ABSENT = ("get_role", "NoSuchEntity")
THERE = ("get_role", ROLE)
MADE = ("create_service_linked_role", ROLE)
ROLE_CASES = {
    "there": ([THERE], RoleState(*ECS), []),
    "made": ([ABSENT, MADE, THERE], RoleState(*ECS, made=True), []),
    "made, seen later": ([ABSENT, MADE, ABSENT, ABSENT, THERE], RoleState(*ECS, made=True), [0.5, 1.0]),
    "made by another meanwhile": (
        [ABSENT, ("create_service_linked_role", "InvalidInput"), THERE], RoleState(*ECS, made=True), [],
    ),
    "made at the third try": (
        [ABSENT, *[("create_service_linked_role", "ServiceFailure")] * 2, MADE, THERE], RoleState(*ECS, made=True), [0.5, 1.0],
    ),
    "not allowed": (
        [ABSENT, ("create_service_linked_role", "AccessDenied")], RoleState(*ECS, error="AccessDenied"), [],
    ),
    "never made": (
        [ABSENT, *[("create_service_linked_role", "ServiceFailure")] * 4], RoleState(*ECS, error="ServiceFailure"), [0.5, 1.0, 2.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "state", "waits"), ROLE_CASES.values(), ids=ROLE_CASES.keys())
def test_role_is_made_unless_it_is_there(
    answers: list[tuple[str, Any]], state: RoleState, waits: list[float]
) -> None:
    """Tried again where that may help, and waited for until it is seen."""
    fake = FakeSleep()
    with stubbed("iam", *answers) as iam:
        assert IamRoles(iam, fake.sleep).ensure(*ECS) == state

    assert fake.waits == waits
