"""The network, from EC2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

_TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "NetworkInterfaceId",
    "InstanceId",
)
_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_ALL_PORTS = (0, 65_535)


class Ec2Network:
    """`ports.NetworkSource`.

    Everything is asked for by filter: what does not exist is then absent instead of an error about all of it.
    """

    def __init__(self, ec2: Any) -> None:
        self._ec2 = ec2

    def network(self, properties: Properties) -> Network:
        """Return what exists of what was chosen."""
        in_vpc = {"vpc-id": [properties.vpc_id]}
        vpcs = self._find("describe_vpcs", "Vpcs", in_vpc)
        chosen = [*properties.public_subnets, *properties.private_subnets]
        subnets = self._find("describe_subnets", "Subnets", {"subnet-id": chosen})
        tables = self._find("describe_route_tables", "RouteTables", in_vpc)
        nats = self._find("describe_nat_gateways", "NatGateways", in_vpc, argument="Filter")
        endpoints = [
            _endpoint(e) for e in self._find("describe_vpc_endpoints", "VpcEndpoints", in_vpc)
        ]
        wanted = {properties.security_group, properties.task_security_group}
        wanted.update(group for endpoint in endpoints for group in endpoint.groups)
        groups = self._find(
            "describe_security_groups", "SecurityGroups", {"group-id": sorted(wanted - {""})}
        )
        return Network(
            vpc_ranges=tuple(_ranges(vpcs)),
            subnets={s["SubnetId"]: _subnet(s) for s in subnets},
            tables=tuple(_table(table) for table in tables),
            nat_gateways={n["NatGatewayId"]: _nat_gateway(n) for n in nats},
            endpoints=tuple(endpoints),
            groups={g["GroupId"]: _group(g) for g in groups},
        )

    def addresses_in_use(self) -> int:
        """Return the Elastic IP addresses of this account and Region."""
        return len(self._ec2.describe_addresses()["Addresses"])

    def _find(
        self,
        operation: str,
        result: str,
        filters: Mapping[str, list[str]],
        *,
        argument: str = "Filters",
    ) -> list[dict[str, Any]]:
        if not all(filters.values()):
            return []
        asked = [{"Name": name, "Values": values} for name, values in filters.items()]
        pages = self._ec2.get_paginator(operation).paginate(**{argument: asked})
        return [item for page in pages for item in page.get(result, [])]


def _ranges(vpcs: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for vpc in vpcs:
        associations = vpc.get("CidrBlockAssociationSet") or [{"CidrBlock": vpc.get("CidrBlock")}]
        for association in associations:
            state = association.get("CidrBlockState", {}).get("State", "associated")
            if association.get("CidrBlock") and state == "associated":
                yield association["CidrBlock"]


def _subnet(item: Mapping[str, Any]) -> Subnet:
    return Subnet(
        id=item["SubnetId"],
        vpc_id=item["VpcId"],
        zone=item["AvailabilityZone"],
        cidr=item.get("CidrBlock", ""),
        free_addresses=item["AvailableIpAddressCount"],
        owner=item.get("OwnerId", ""),
    )


def _table(item: Mapping[str, Any]) -> RouteTable:
    associations = item.get("Associations", [])
    return RouteTable(
        id=item["RouteTableId"],
        routes=tuple(_route(route) for route in item.get("Routes", [])),
        subnets=frozenset(a["SubnetId"] for a in associations if a.get("SubnetId")),
        main=any(a.get("Main") for a in associations),
    )


def _route(item: Mapping[str, Any]) -> Route:
    return Route(
        destination=next((item[key] for key in _DESTINATIONS if item.get(key)), ""),
        # A target of a kind that is not known here leads elsewhere.
        target=next((item[key] for key in _TARGETS if item.get(key)), "unknown"),
        active=item.get("State", "active") == "active",
    )


def _nat_gateway(item: Mapping[str, Any]) -> NatGateway:
    return NatGateway(
        id=item["NatGatewayId"],
        state=item["State"],
        public=item.get("ConnectivityType", "public") == "public",
        subnet=item.get("SubnetId") or "",
    )


def _endpoint(item: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        id=item["VpcEndpointId"],
        service=item["ServiceName"],
        kind=item.get("VpcEndpointType", "Gateway"),
        available=str(item.get("State", "available")).lower() == "available",
        private_dns=bool(item.get("PrivateDnsEnabled")),
        route_tables=frozenset(item.get("RouteTableIds", [])),
        groups=tuple(group["GroupId"] for group in item.get("Groups", [])),
    )


def _group(item: Mapping[str, Any]) -> SecurityGroup:
    return SecurityGroup(
        id=item["GroupId"],
        vpc_id=item["VpcId"],
        inbound=tuple(_admission(rule) for rule in item.get("IpPermissions", [])),
    )


def _admission(item: Mapping[str, Any]) -> Admission:
    return Admission(
        protocol=str(item["IpProtocol"]),
        first_port=item.get("FromPort", _ALL_PORTS[0]),
        last_port=item.get("ToPort", _ALL_PORTS[1]),
        ranges=tuple(r["CidrIp"] for r in item.get("IpRanges", [])),
        groups=frozenset(
            p["GroupId"] for p in item.get("UserIdGroupPairs", []) if p.get("GroupId")
        ),
        any_list=bool(item.get("PrefixListIds")),
    )
