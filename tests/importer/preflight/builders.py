"""A hospital's VPC in which nothing is wrong, to spoil one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from importer.preflight.facts import (
    Admission,
    Endpoint,
    NatGateway,
    Network,
    Route,
    RouteTable,
    SecurityGroup,
    Subnet,
)
from importer.preflight.properties import Properties
from importer.preflight.request import Stack

REGION = "eu-west-1"
ACCOUNT = "123456789012"
STACK_ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/StoreSCP/0a1b2c3d"
STACK = Stack.of(STACK_ARN)
VPC = "vpc-1"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/c-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k-1"
LOCAL = Route("10.0.0.0/16", "local")
TO_INTERNET = Route("0.0.0.0/0", "igw-1")
TO_NAT = Route("0.0.0.0/0", "nat-1")
ENDPOINTS = ("ecr.api", "ecr.dkr", "s3", "logs")

GOOD = Properties(
    vpc_id=VPC,
    public_subnets=("pub-a", "pub-b"),
    private_subnets=("pri-a", "pri-b"),
    zones=("eu-west-1a", "eu-west-1b"),
    security_group="sg-1",
    vpc_cidr="10.0.0.0/16",
    task_cpu=1024,
    desired_count=1,
    max_capacity=3,
    image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/storescp:1.0.0",
)


def subnet(name: str, zone: str, cidr: str, **other: Any) -> Subnet:
    values: dict[str, Any] = {"vpc_id": VPC, "free_addresses": 200, "owner": ACCOUNT} | other
    return Subnet(id=name, zone=zone, cidr=cidr, **values)


def table(name: str, subnets: list[str], *routes: Route) -> RouteTable:
    return RouteTable(id=name, subnets=frozenset(subnets), routes=(LOCAL, *routes))


def endpoint(service: str, region: str = REGION, **other: Any) -> Endpoint:
    values: dict[str, Any] = {
        "kind": "Interface",
        "available": True,
        "private_dns": True,
        "groups": ("sg-e",),
    }
    return Endpoint(
        id=f"vpce-{service}", service=f"com.amazonaws.{region}.{service}", **(values | other)
    )


def https_from(*ranges: str, **other: Any) -> SecurityGroup:
    """Return the endpoints' group, which admits `ranges` on port 443."""
    rule = Admission(protocol="tcp", first_port=443, last_port=443, ranges=ranges, **other)
    return SecurityGroup(id="sg-e", vpc_id=VPC, inbound=(rule,))


NETWORK = Network(
    vpc_ranges=("10.0.0.0/16",),
    subnets={
        one.id: one
        for one in (
            subnet("pub-a", "eu-west-1a", "10.0.0.0/24"),
            subnet("pub-b", "eu-west-1b", "10.0.1.0/24"),
            subnet("pri-a", "eu-west-1a", "10.0.2.0/24"),
            subnet("pri-b", "eu-west-1b", "10.0.3.0/24"),
        )
    },
    tables=(
        table("rtb-pub", ["pub-a", "pub-b"], TO_INTERNET),
        table("rtb-pri", ["pri-a", "pri-b"], TO_NAT),
    ),
    nat_gateways={"nat-1": NatGateway(id="nat-1", state="available", public=True, subnet="pub-a")},
    groups={"sg-1": SecurityGroup(id="sg-1", vpc_id=VPC)},
)


def with_subnet(name: str, **changes: Any) -> Network:
    """Return the network with one subnet changed."""
    return replace(
        NETWORK, subnets={**NETWORK.subnets, name: replace(NETWORK.subnets[name], **changes)}
    )


def with_routes(public: tuple[Route, ...], private: tuple[Route, ...], **changes: Any) -> Network:
    """Return the network with other routes."""
    tables = (
        table("rtb-pub", ["pub-a", "pub-b"], *public),
        table("rtb-pri", ["pri-a", "pri-b"], *private),
    )
    return replace(NETWORK, tables=tables, **changes)


def with_groups(*groups: SecurityGroup) -> dict[str, SecurityGroup]:
    """Return the network's security groups and others."""
    return {**NETWORK.groups, **{group.id: group for group in groups}}
