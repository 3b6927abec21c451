from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from importer.preflight.checks.addresses import check_addresses
from importer.preflight.checks.endpoints import check_endpoint_groups, needed_services
from importer.preflight.checks.placement import check_placement
from importer.preflight.checks.routes import check_routes
from importer.preflight.facts import NatGateway, Network, Route, SecurityGroup
from importer.preflight.problems import Problem, Severity
from importer.preflight.properties import Properties
from tests.importer.preflight.builders import (
    ENDPOINTS,
    GOOD,
    NETWORK,
    REGION,
    STACK,
    TO_INTERNET,
    TO_NAT,
    endpoint,
    https_from,
    subnet,
    with_groups,
    with_routes,
    with_subnet,
)

FAULT, WARNING = Severity.FAULT, Severity.WARNING
INTERFACES = tuple(endpoint(name) for name in ENDPOINTS)
OPEN = with_groups(https_from("10.0.0.0/16"))


def check(p: Properties, network: Network, previous: Properties | None = None) -> list[Problem]:
    return [
        *check_placement(p, network),
        *check_routes(p, network, STACK),
        *check_endpoint_groups(p, network, REGION),
        *check_addresses(p, previous, network),
    ]


@dataclass(frozen=True)
class Case:
    """One thing wrong, and what is said about it."""

    p: Properties
    network: Network
    severity: Severity
    parameter: str
    en: tuple[str, ...]
    ja: tuple[str, ...]


CASES = {
    "VPC does not exist": Case(
        GOOD, replace(NETWORK, vpc_ranges=()), FAULT, "VpcID",
        ("vpc-1 does not exist in this Region",), ("vpc-1はこのリージョンに存在しない",),
    ),
    "subnet does not exist": Case(
        replace(GOOD, public_subnets=("pub-a", "pub-x")), NETWORK, FAULT, "PublicSubnetIDs",
        ("pub-x does not exist", "choose an existing subnet"), ("pub-xは", "既存のサブネットを選択してください"),
    ),
    "public subnet of another VPC": Case(
        GOOD, with_subnet("pub-b", vpc_id="vpc-9"), FAULT, "PublicSubnetIDs",
        ("pub-b is in vpc-9, not in VpcID vpc-1",), ("pub-bはVpcID（vpc-1）ではなくvpc-9に属している",),
    ),
    "private subnet of another VPC": Case(
        GOOD, with_subnet("pri-a", vpc_id="vpc-9"), FAULT, "PrivateSubnetIDs",
        ("pri-a is in vpc-9",), ("pri-aはVpcID（vpc-1）ではなくvpc-9に属している",),
    ),
    "zone not among the zones": Case(
        GOOD, with_subnet("pri-b", zone="eu-west-1c"), FAULT, "PrivateSubnetIDs",
        ("pri-b is in zone eu-west-1c, which AvailabilityZones does not name", "add the zone"),
        ("pri-bのゾーン（eu-west-1c）がAvailabilityZonesに含まれていない", "ゾーンを追加する"),
    ),
    "two public subnets in one zone": Case(
        GOOD, with_subnet("pub-b", zone="eu-west-1a"), FAULT, "PublicSubnetIDs",
        ("pub-a, pub-b are all in zone eu-west-1a", "one subnet in each zone"),
        ("pub-a, pub-bは同じゾーン（eu-west-1a）", "ゾーンごとに1つのサブネットを選択してください"),
    ),
    "two private subnets in one zone": Case(
        GOOD, with_subnet("pri-b", zone="eu-west-1a"), WARNING, "PrivateSubnetIDs",
        ("pri-a, pri-b are all in zone eu-west-1a",), ("pri-a, pri-bは同じゾーン（eu-west-1a）",),
    ),
    "security group does not exist": Case(
        replace(GOOD, task_security_group="sg-x"), NETWORK, FAULT, "TaskSecurityGroupID",
        ("sg-x does not exist",), ("sg-xはこのリージョンに存在しない",),
    ),
    "security group of another VPC": Case(
        GOOD, replace(NETWORK, groups={"sg-1": SecurityGroup(id="sg-1", vpc_id="vpc-9")}), FAULT,
        "SecurityGroupID", ("sg-1 belongs to vpc-9, not to VpcID vpc-1",),
        ("sg-1はVpcID（vpc-1）ではなくvpc-9のもの",),
    ),
    "VpcCIDR is not the VPC's": Case(
        replace(GOOD, vpc_cidr="172.16.0.0/16"), NETWORK, WARNING, "VpcCIDR",
        ("172.16.0.0/16 is no range of vpc-1 (10.0.0.0/16)",), ("172.16.0.0/16はvpc-1のIPアドレス範囲（10.0.0.0/16）と一致せず",),
    ),
    "public subnets without a route out": Case(
        GOOD, with_routes((), (Route("0.0.0.0/0", "tgw-1"),)), FAULT, "PublicSubnetIDs",
        ("pub-a, pub-b have no route to an internet gateway", "LoadBalancerScheme to internal"),
        ("pub-a, pub-bにはインターネットゲートウェイへのルートがない", "LoadBalancerSchemeをinternal"),
    ),
    "public subnets behind a NAT gateway": Case(
        GOOD, with_routes((TO_NAT,), (TO_NAT,), nat_gateways={}), FAULT, "PublicSubnetIDs",
        ("pub-a, pub-b have no route to an internet gateway",), ("インターネットゲートウェイへのルートがない",),
    ),
    "public subnets behind a firewall": Case(
        GOOD, with_routes((Route("0.0.0.0/0", "vpce-fw"),), (TO_NAT,)), WARNING, "PublicSubnetIDs",
        ("no route straight to an internet gateway",), ("インターネットゲートウェイへの直接のルートがない",),
    ),
    "public and private swapped": Case(
        GOOD, with_routes((TO_NAT,), (TO_INTERNET,)), FAULT, "PrivateSubnetIDs",
        ("PublicSubnetIDs and PrivateSubnetIDs are swapped", "exchange them"),
        ("PublicSubnetIDsとPrivateSubnetIDsが逆", "入れ替えてください"),
    ),
    "private subnets on the internet gateway": Case(
        GOOD, with_routes((TO_INTERNET,), (TO_INTERNET,)), FAULT, "PrivateSubnetIDs",
        ("servers without public addresses cannot use",), ("パブリックIPを持たないサーバーは通信できない",),
    ),
    "private subnets without a route": Case(
        GOOD, with_routes((TO_INTERNET,), ()), FAULT, "PrivateSubnetIDs",
        ("no route to a NAT gateway", "eu-west-1.ecr.api, eu-west-1.ecr.dkr, eu-west-1.s3, eu-west-1.logs"),
        ("NATゲートウェイへのルートがない", "VPCエンドポイント（eu-west-1.ecr.api, eu-west-1.ecr.dkr, eu-west-1.s3, eu-west-1.logs）"),
    ),
    "one endpoint missing": Case(
        GOOD, with_routes((TO_INTERNET,), (), endpoints=INTERFACES[:3], groups=OPEN), FAULT,
        "PrivateSubnetIDs", ("or VPC endpoints for eu-west-1.logs;".rstrip(";"),), ("VPCエンドポイント（eu-west-1.logs）",),
    ),
    "no endpoint for the secret of TLS": Case(
        replace(GOOD, tls_secret="arn:aws:secretsmanager:eu-west-1:1:secret:tls-AbC123"),  # noqa: S106 - its ARN
        with_routes((TO_INTERNET,), (), endpoints=INTERFACES, groups=OPEN), FAULT,
        "PrivateSubnetIDs", ("VPC endpoints for eu-west-1.secretsmanager",), ("eu-west-1.secretsmanager",),
    ),
    "no endpoint for the ledger that storage commitment reads": Case(
        replace(GOOD, commitment_peers="CT01=10.0.1.15:104"),
        with_routes((TO_INTERNET,), (), endpoints=INTERFACES, groups=OPEN), FAULT,
        "PrivateSubnetIDs", ("VPC endpoints for eu-west-1.dynamodb",), ("eu-west-1.dynamodb",),
    ),
    "endpoint not yet available": Case(
        GOOD,
        with_routes(
            (TO_INTERNET,), (), groups=OPEN,
            endpoints=(*INTERFACES[:3], endpoint("logs", available=False)),
        ),
        FAULT, "PrivateSubnetIDs", ("VPC endpoints for eu-west-1.logs",), ("eu-west-1.logs",),
    ),
    "S3 endpoint of another route table": Case(
        GOOD,
        with_routes(
            (TO_INTERNET,), (), groups=OPEN,
            endpoints=(
                *(one for one in INTERFACES if not one.service.endswith("s3")),
                endpoint("s3", kind="Gateway", private_dns=False, route_tables=frozenset({"rtb-x"})),
            ),
        ),
        FAULT, "PrivateSubnetIDs", ("VPC endpoints for eu-west-1.s3",), ("VPCエンドポイント（eu-west-1.s3）",),
    ),
    "image of another Region with endpoints only": Case(
        replace(GOOD, image="709825985650.dkr.ecr.us-east-1.amazonaws.com/storescp@sha256:0"),
        with_routes((TO_INTERNET,), (), endpoints=INTERFACES, groups=OPEN), FAULT, "PrivateSubnetIDs",
        ("the image is in us-east-1", "copy the image to ECR of eu-west-1 and give it as ImageURI"), ("us-east-1のコンテナイメージを取得できない", "eu-west-1のECRにコピーしてImageURIに指定してください"),
    ),
    "NAT gateway deleted": Case(
        GOOD, with_routes((TO_INTERNET,), (Route("0.0.0.0/0", "nat-0", active=False),)), FAULT,
        "PrivateSubnetIDs", ("routed to nat-0, which does not work any more",), ("nat-0が利用できない状態",),
    ),
    "NAT gateway failed": Case(
        GOOD,
        replace(NETWORK, nat_gateways={"nat-1": NatGateway(id="nat-1", state="failed", public=True)}),
        FAULT, "PrivateSubnetIDs", ("nat-1, which does not work",), ("nat-1が利用できない状態",),
    ),
    "NAT gateway in a private subnet": Case(
        GOOD,
        replace(
            NETWORK,
            nat_gateways={"nat-1": NatGateway(id="nat-1", state="available", public=True, subnet="pri-a")},
        ),
        FAULT, "PrivateSubnetIDs", ("whose own subnet pri-a has no route to an internet gateway",),
        ("nat-1のサブネット（pri-a）",),
    ),
    "endpoint admits somebody else": Case(
        GOOD,
        replace(NETWORK, endpoints=(endpoint("ecr.dkr"),), groups=with_groups(https_from("10.9.0.0/24"))),
        FAULT, "TaskSecurityGroupID",
        ("vpce-ecr.dkr (eu-west-1.ecr.dkr) does not admit 10.0.2.0/24, 10.0.3.0/24 on port 443", "allow them in sg-e"),
        ("10.0.2.0/24, 10.0.3.0/24からVPCエンドポイントvpce-ecr.dkr", "443番ポート"),
    ),
    "endpoint admits another port": Case(
        GOOD,
        replace(
            NETWORK, endpoints=(endpoint("logs"),),
            groups=with_groups(
                replace(
                    https_from(),
                    inbound=(replace(https_from("0.0.0.0/0").inbound[0], first_port=80, last_port=80),),
                )
            ),
        ),
        FAULT, "PrivateSubnetIDs", ("does not admit",), ("許可されていない",),
    ),
    "no room for the load balancer": Case(
        GOOD, with_subnet("pub-b", free_addresses=7), FAULT, "PublicSubnetIDs",
        ("pub-b has 7 free IP addresses; the load balancer needs 8",), ("pub-bの空きIPアドレスは7個", "8個に足りない"),
    ),
    "no room for the servers": Case(
        replace(GOOD, desired_count=3, private_subnets=("pri-a",)), with_subnet("pri-a", free_addresses=2),
        FAULT, "PrivateSubnetIDs", ("2 free IP addresses, too few for TaskDesiredCount 3",),
        ("空きIPアドレスは2個", "TaskDesiredCountの3台に足りない"),
    ),
    "no room for the load's servers": Case(
        replace(GOOD, private_subnets=("pri-a",)), with_subnet("pri-a", free_addresses=2), WARNING,
        "PrivateSubnetIDs", ("up to 3 servers run under load",), ("最大3台のサーバー",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_fault_is_found_and_said_in_both_languages(case: Case) -> None:
    """One problem, which names the parameter, the value and the remedy."""
    [problem] = check(case.p, case.network)

    assert case.severity is problem.severity
    assert case.parameter in problem.parameters
    assert all(part in problem.text.en for part in case.en), problem.text.en
    assert all(part in problem.text.ja for part in case.ja), problem.text.ja


SOUND = {
    "the usual VPC": (GOOD, NETWORK),
    "endpoints instead of a NAT gateway": (
        GOOD, with_routes((TO_INTERNET,), (), endpoints=INTERFACES, groups=OPEN),
    ),
    "S3 through a gateway endpoint": (
        GOOD,
        with_routes(
            (TO_INTERNET,), (), groups=OPEN,
            endpoints=(
                *(one for one in INTERFACES if not one.service.endswith("s3")),
                endpoint("s3", kind="Gateway", private_dns=False, route_tables=frozenset({"rtb-pri"}), groups=()),
            ),
        ),
    ),
    "S3 through the endpoint that the stack makes": (
        replace(GOOD, route_tables=("rtb-pri",)),
        with_routes(
            (TO_INTERNET,), (), groups=OPEN,
            endpoints=tuple(one for one in INTERFACES if not one.service.endswith("s3")),
        ),
    ),
    "internal load balancer without an internet gateway": (
        replace(GOOD, scheme="internal"), with_routes((), (Route("0.0.0.0/0", "tgw-1"),)),
    ),
    "out through a transit gateway": (
        GOOD, with_routes((TO_INTERNET,), (Route("0.0.0.0/0", "tgw-1"),)),
    ),
    "endpoints of another VPC behind a transit gateway": (
        GOOD, with_routes((TO_INTERNET,), (Route("10.0.0.0/8", "tgw-1"),)),
    ),
    "internet gateway for the senders' ranges only": (
        GOOD, with_routes((Route("203.0.113.0/24", "igw-1"),), (TO_NAT,), nat_gateways={}),
    ),
    "NAT gateway of another account": (GOOD, replace(NETWORK, nat_gateways={})),
    "regional NAT gateway": (
        GOOD,
        replace(NETWORK, nat_gateways={"nat-1": NatGateway(id="nat-1", state="available", public=True)}),
    ),
    "private NAT gateway": (
        GOOD,
        replace(
            NETWORK,
            nat_gateways={"nat-1": NatGateway(id="nat-1", state="available", public=False, subnet="pri-a")},
        ),
    ),
    "subnets that another account shares": (
        GOOD,
        replace(
            with_routes((TO_INTERNET,), ()),
            subnets={**NETWORK.subnets} | {
                one.id: one for one in (
                    subnet("pri-a", "eu-west-1a", "10.0.2.0/24", owner="999999999999"),
                    subnet("pri-b", "eu-west-1b", "10.0.3.0/24", owner="999999999999"),
                )
            },
        ),
    ),
    "route tables that cannot be seen": (GOOD, replace(NETWORK, tables=())),
    "subnets of the main route table": (
        GOOD,
        replace(
            NETWORK,
            tables=(
                replace(NETWORK.tables[0], subnets=frozenset({"pub-a", "pub-b"})),
                replace(NETWORK.tables[1], subnets=frozenset(), main=True),
            ),
        ),
    ),
    "endpoint that admits the servers' own group": (
        replace(GOOD, task_security_group="sg-t"),
        replace(
            NETWORK, endpoints=(endpoint("ecr.dkr"),),
            groups=with_groups(
                SecurityGroup(id="sg-t", vpc_id="vpc-1"), https_from(groups=frozenset({"sg-t"}))
            ),
        ),
    ),
    "endpoint that admits a prefix list": (
        GOOD,
        replace(NETWORK, endpoints=(endpoint("ecr.dkr"),), groups=with_groups(https_from(any_list=True))),
    ),
    "endpoint without private DNS beside a NAT gateway": (
        GOOD,
        replace(
            NETWORK, endpoints=(endpoint("ecr.dkr", private_dns=False),), groups=with_groups(https_from()),
        ),
    ),
    "endpoint of a service that servers do not use": (
        GOOD, replace(NETWORK, endpoints=(endpoint("sqs"),), groups=with_groups(https_from())),
    ),
    "VpcCIDR is a part of the VPC": (replace(GOOD, vpc_cidr="10.0.128.0/17"), NETWORK),
    "nothing was bound": (Properties(), Network()),
}  # fmt: skip


@pytest.mark.parametrize(("p", "network"), SOUND.values(), ids=SOUND.keys())
def test_what_can_work_is_not_refused(p: Properties, network: Network) -> None:
    """Not a fault and not a warning: a VPC of another shape is no mistake."""
    assert [] == check(p, network)


def test_subnets_that_have_the_load_balancer_already_need_no_room() -> None:
    """On an update only a subnet that is new is asked for free addresses."""
    full = with_subnet("pub-a", free_addresses=0)

    assert [] == check(GOOD, full, previous=GOOD)
    assert len(check(GOOD, full, previous=replace(GOOD, public_subnets=("pub-b",)))) == 1


def test_running_servers_are_no_lack_of_room() -> None:
    """On an update the servers that run have their addresses, so too few free ones are only said."""
    full = replace(
        NETWORK,
        subnets={name: replace(one, free_addresses=10 if name[:3] == "pub" else 0) for name, one in NETWORK.subnets.items()},
    )  # fmt: skip

    assert [WARNING] == [problem.severity for problem in check(GOOD, full, previous=GOOD)]


def test_image_of_this_region_needs_its_services_once() -> None:
    """Two Regions' services are demanded only where there are two Regions."""
    assert len(needed_services(GOOD, REGION)) == 4
    assert len(needed_services(replace(GOOD, image=""), REGION)) == 4
    assert len(needed_services(GOOD, "us-west-2")) == 5


def sentences() -> list[Problem]:
    return [check(case.p, case.network)[0] for case in CASES.values()]


@pytest.mark.parametrize("problem", sentences(), ids=CASES.keys())
def test_sentences_are_one_sentence(problem: Problem) -> None:
    """One sentence in each language, which begins with the parameter and ends politely."""
    assert problem.text.en.startswith(("VpcID", "Public", "Private", "Security", "Task", "VpcCIDR"))
    assert problem.text.en.endswith(".")
    assert ". " not in problem.text.en
    assert problem.text.ja.endswith(
        ("ください。", "お勧めします。", "（ロードバランサーの制約）。")
    )
    assert problem.text.ja.count("。") == 1
    assert len(str(problem.text).encode()) < 1000
