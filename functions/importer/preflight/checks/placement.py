"""Whether everything chosen exists, lies in the chosen VPC and in the chosen zones."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator

from importer.preflight.facts import Network
from importer.preflight.problems import Problem, fault, listed, warning
from importer.preflight.properties import (
    PRIVATE_SUBNETS,
    PUBLIC_SUBNETS,
    SECURITY_GROUP,
    TASK_SECURITY_GROUP,
    VPC_CIDR,
    VPC_ID,
    ZONES,
    Properties,
)


def check_placement(p: Properties, network: Network) -> Iterator[Problem]:
    """Check subnets, security groups and the VPC's range."""
    for parameter, chosen in (
        (PUBLIC_SUBNETS, p.public_subnets),
        (PRIVATE_SUBNETS, p.private_subnets),
    ):
        yield from _check_subnets(parameter, chosen, p, network)
    yield from _check_distinct_zones(p, network)
    yield from _check_groups(p, network)
    yield from _check_range(p, network)


def _check_subnets(
    parameter: str, chosen: tuple[str, ...], p: Properties, network: Network
) -> Iterator[Problem]:
    for name in chosen:
        subnet = network.subnets.get(name)
        if subnet is None:
            yield fault(
                parameter,
                en=f"{parameter}: {name} does not exist in this Region; choose an existing subnet.",
                ja=f"{parameter}の{name}はこのリージョンに存在しないため、既存のサブネットを選択してください。",
            )
        elif subnet.vpc_id != p.vpc_id:
            yield fault(
                parameter,
                VPC_ID,
                en=f"{parameter}: {name} is in {subnet.vpc_id}, not in {VPC_ID} {p.vpc_id}; choose subnets "
                "of that VPC.",
                ja=f"{parameter}の{name}は{VPC_ID}（{p.vpc_id}）ではなく{subnet.vpc_id}に属しているため、"
                "同じVPCのサブネットを選択してください。",
            )
        elif p.zones and subnet.zone not in p.zones:
            yield fault(
                parameter,
                ZONES,
                en=f"{parameter}: {name} is in zone {subnet.zone}, which {ZONES} does not name; add the zone "
                "or choose another subnet.",
                ja=f"{parameter}の{name}のゾーン（{subnet.zone}）が{ZONES}に含まれていないため、"
                "ゾーンを追加するか別のサブネットを選択してください。",
            )


def _check_distinct_zones(p: Properties, network: Network) -> Iterator[Problem]:
    """One subnet a zone is a must for the load balancer; for the servers it is only the use of having two."""
    for zone, names in _by_zone(p.public_subnets, network).items():
        yield fault(
            PUBLIC_SUBNETS,
            en=f"{PUBLIC_SUBNETS}: {listed(names)} are all in zone {zone}; choose one subnet in each zone, "
            "which is what a load balancer takes.",
            ja=f"{PUBLIC_SUBNETS}の{listed(names)}は同じゾーン（{zone}）にあるため、"
            "ゾーンごとに1つのサブネットを選択してください（ロードバランサーの制約）。",
        )
    for zone, names in _by_zone(p.private_subnets, network).items():
        yield warning(
            PRIVATE_SUBNETS,
            en=f"{PRIVATE_SUBNETS}: {listed(names)} are all in zone {zone}; one subnet in each zone spreads "
            "the servers better.",
            ja=f"{PRIVATE_SUBNETS}の{listed(names)}は同じゾーン（{zone}）にあるため、"
            "耐障害性を高めるにはゾーンごとに1つずつ選択することをお勧めします。",
        )


def _by_zone(chosen: tuple[str, ...], network: Network) -> dict[str, list[str]]:
    """Return the zones that have more than one of the subnets."""
    zones: dict[str, list[str]] = defaultdict(list)
    for name in chosen:
        if subnet := network.subnets.get(name):
            zones[subnet.zone].append(name)
    return {zone: names for zone, names in zones.items() if len(names) > 1}


def _check_groups(p: Properties, network: Network) -> Iterator[Problem]:
    for parameter, name in (
        (SECURITY_GROUP, p.security_group),
        (TASK_SECURITY_GROUP, p.task_security_group),
    ):
        if not name:
            continue
        group = network.groups.get(name)
        if group is None:
            yield fault(
                parameter,
                en=f"{parameter}: {name} does not exist in this Region; choose a security group of "
                f"{p.vpc_id}.",
                ja=f"{parameter}の{name}はこのリージョンに存在しないため、{p.vpc_id}のセキュリティグループを指定してください。",
            )
        elif group.vpc_id != p.vpc_id:
            yield fault(
                parameter,
                VPC_ID,
                en=f"{parameter}: {name} belongs to {group.vpc_id}, not to {VPC_ID} {p.vpc_id}; choose a "
                "security group of that VPC.",
                ja=f"{parameter}の{name}は{VPC_ID}（{p.vpc_id}）ではなく{group.vpc_id}のものであるため、"
                "同じVPCのセキュリティグループを指定してください。",
            )


def _check_range(p: Properties, network: Network) -> Iterator[Problem]:
    """Not a fault: the range may be meant for a network behind a VPN, and nothing fails by it."""
    if not p.vpc_id:
        return
    if not network.vpc_ranges:
        yield fault(
            VPC_ID,
            en=f"{VPC_ID}: {p.vpc_id} does not exist in this Region; choose an existing VPC.",
            ja=f"{VPC_ID}の{p.vpc_id}はこのリージョンに存在しないため、既存のVPCを選択してください。",
        )
    elif p.vpc_cidr and not any(overlap(p.vpc_cidr, known) for known in network.vpc_ranges):
        yield warning(
            VPC_CIDR,
            en=f"{VPC_CIDR}: {p.vpc_cidr} is no range of {p.vpc_id} ({listed(network.vpc_ranges)}), so no "
            "device inside the VPC can connect; type the VPC's range unless that is meant.",
            ja=f"{VPC_CIDR}の{p.vpc_cidr}は{p.vpc_id}のIPアドレス範囲（{listed(network.vpc_ranges)}）と一致せず、"
            "VPC内の機器から接続できないため、意図した設定でなければVPCの範囲を入力してください。",
        )


def overlap(one: str, other: str) -> bool:
    """Tell whether two IPv4 ranges have an address in common; an unreadable one is taken to."""
    try:
        return ipaddress.IPv4Network(one, strict=False).overlaps(
            ipaddress.IPv4Network(other, strict=False)
        )
    except ValueError:
        return True
