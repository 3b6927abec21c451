"""Whether devices reach the load balancer, and the servers reach AWS.

Only what is certain is a fault. A route to a firewall, a transit gateway or a VPN may lead anywhere, and a
subnet that another account shares hides its VPC's gateways: there the stack gets the benefit of the doubt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from importer.preflight.checks.endpoints import missing_services, short_name
from importer.preflight.checks.ways import Ways, ways_from
from importer.preflight.facts import NatGateway, Network
from importer.preflight.problems import Problem, fault, listed, warning
from importer.preflight.properties import (
    IMAGE,
    INTERNET_FACING,
    PRIVATE_SUBNETS,
    PUBLIC_SUBNETS,
    ROUTE_TABLES,
    SCHEME,
    Properties,
)
from importer.preflight.request import Stack

_USABLE_NAT = ("available", "pending")


def check_routes(p: Properties, network: Network, stack: Stack) -> Iterator[Problem]:
    """Check the routes of the public and the private subnets."""
    public = {name: ways_from(name, network) for name in p.public_subnets}
    private = {name: ways_from(name, network) for name in p.private_subnets}
    faces_internet = p.scheme == INTERNET_FACING
    if faces_internet and _are_swapped(public, private):
        yield fault(
            PUBLIC_SUBNETS,
            PRIVATE_SUBNETS,
            en=f"{PUBLIC_SUBNETS} and {PRIVATE_SUBNETS} are swapped: {listed(p.private_subnets)} have the "
            f"route to an internet gateway and {listed(p.public_subnets)} have none; exchange them.",
            ja=f"{PUBLIC_SUBNETS}と{PRIVATE_SUBNETS}が逆で、インターネットゲートウェイへのルートは"
            f"{listed(p.private_subnets)}にあり{listed(p.public_subnets)}にないため、入れ替えてください。",
        )
        return
    if faces_internet:
        yield from _check_public(public)
    yield from _check_private(p, private, network, stack)


def _are_swapped(public: dict[str, Ways | None], private: dict[str, Ways | None]) -> bool:
    outer, inner = list(public.values()), list(private.values())
    return (
        bool(outer and inner)
        and all(w is not None and not w.internet and not w.elsewhere for w in outer)
        and all(w is not None and w.internet for w in inner)
    )


def _check_public(public: dict[str, Ways | None]) -> Iterator[Problem]:
    known = {name: ways for name, ways in public.items() if ways is not None and not ways.internet}
    without = [name for name, ways in known.items() if not ways.elsewhere]
    unclear = [name for name, ways in known.items() if ways.elsewhere]
    if without:
        yield fault(
            PUBLIC_SUBNETS,
            SCHEME,
            en=f"{PUBLIC_SUBNETS}: {listed(without)} have no route to an internet gateway; choose public "
            f"subnets, or set {SCHEME} to internal if devices come by VPN, Direct Connect or the VPC.",
            ja=f"{PUBLIC_SUBNETS}の{listed(without)}にはインターネットゲートウェイへのルートがないため、"
            f"パブリックサブネットを選択するか、VPN・Direct Connect・VPC内からのみ接続する場合は{SCHEME}をinternalにしてください。",
        )
    if unclear:
        yield warning(
            PUBLIC_SUBNETS,
            SCHEME,
            en=f"{PUBLIC_SUBNETS}: {listed(unclear)} have no route straight to an internet gateway; make "
            "sure that devices on the internet get through what they are routed to.",
            ja=f"{PUBLIC_SUBNETS}の{listed(unclear)}にはインターネットゲートウェイへの直接のルートがないため、"
            "経路上の機器を通ってインターネットから接続できることを確認してください。",
        )


def _check_private(
    p: Properties, private: dict[str, Ways | None], network: Network, stack: Stack
) -> Iterator[Problem]:
    exposed: list[str] = []
    cut_off: dict[tuple[str, ...], list[str]] = defaultdict(list)
    bad_gateways: dict[str, list[str]] = defaultdict(list)
    for name, ways in private.items():
        subnet = network.subnets.get(name)
        if ways is None or subnet is None or ways.elsewhere or subnet.owner != stack.account:
            continue
        missing = missing_services(name, p, network, stack.region)
        unusable = [gateway for gateway in ways.nat_gateways if _is_unusable(gateway, network)]
        if not missing or len(unusable) < len(ways.nat_gateways):
            continue
        lost = unusable or [target for target in ways.dead if target.startswith("nat-")]
        if lost:
            bad_gateways[lost[0]].append(name)
        elif ways.internet:
            exposed.append(name)
        else:
            cut_off[missing].append(name)
    for gateway, names in bad_gateways.items():
        yield _unusable_gateway(gateway, names, network)
    if exposed:
        yield _exposed(exposed)
    for missing, names in cut_off.items():
        yield _cut_off(names, missing, stack.region)


def _is_unusable(gateway: str, network: Network) -> bool:
    """Tell whether a NAT gateway is known to lead nowhere; one that cannot be seen is trusted."""
    known = network.nat_gateways.get(gateway)
    if known is None:
        return False
    return known.state not in _USABLE_NAT or _is_shut_in(known, network)


def _is_shut_in(gateway: NatGateway, network: Network) -> bool:
    """Tell whether a public NAT gateway stands in a subnet without a way to the internet."""
    if not gateway.public or not gateway.subnet:
        return False
    ways = ways_from(gateway.subnet, network)
    return ways is not None and not ways.internet and not ways.elsewhere


def _unusable_gateway(gateway: str, names: list[str], network: Network) -> Problem:
    known = network.nat_gateways.get(gateway)
    if known is not None and known.state in _USABLE_NAT:
        return fault(
            PRIVATE_SUBNETS,
            en=f"{PRIVATE_SUBNETS}: {listed(names)} use {gateway}, whose own subnet {known.subnet} has no "
            "route to an internet gateway; put the NAT gateway into a public subnet.",
            ja=f"{PRIVATE_SUBNETS}の{listed(names)}が使う{gateway}のサブネット（{known.subnet}）に"
            "インターネットゲートウェイへのルートがないため、NATゲートウェイをパブリックサブネットに配置してください。",
        )
    return fault(
        PRIVATE_SUBNETS,
        en=f"{PRIVATE_SUBNETS}: {listed(names)} are routed to {gateway}, which does not work any more; "
        "route 0.0.0.0/0 to a working NAT gateway.",
        ja=f"{PRIVATE_SUBNETS}の{listed(names)}のルート先{gateway}が利用できない状態のため、"
        "0.0.0.0/0のルートを稼働中のNATゲートウェイに向けてください。",
    )


def _exposed(names: list[str]) -> Problem:
    return fault(
        PRIVATE_SUBNETS,
        en=f"{PRIVATE_SUBNETS}: {listed(names)} are routed to an internet gateway, which servers without "
        "public addresses cannot use; choose subnets with a route to a NAT gateway.",
        ja=f"{PRIVATE_SUBNETS}の{listed(names)}のルートはインターネットゲートウェイ向けで、"
        "パブリックIPを持たないサーバーは通信できないため、NATゲートウェイへのルートがあるサブネットを選択してください。",
    )


def _cut_off(names: list[str], missing: tuple[str, ...], region: str) -> Problem:
    if strangers := [name for name in missing if f".{region}." not in name]:
        image_region = short_name(strangers[0]).split(".")[0]
        return fault(
            PRIVATE_SUBNETS,
            IMAGE,
            en=f"{PRIVATE_SUBNETS}: {listed(names)} have no route to a NAT gateway and the image is in "
            f"{image_region}; add 0.0.0.0/0 to one, or copy the image to ECR of {region} and give it as "
            f"{IMAGE}.",
            ja=f"{PRIVATE_SUBNETS}の{listed(names)}にNATゲートウェイへのルートがなく{image_region}のコンテナイメージを取得できないため、"
            f"0.0.0.0/0のルートを追加するか、イメージを{region}のECRにコピーして{IMAGE}に指定してください。",
        )
    services = ", ".join(short_name(name) for name in missing)
    return fault(
        PRIVATE_SUBNETS,
        ROUTE_TABLES,
        en=f"{PRIVATE_SUBNETS}: {listed(names)} have no route to a NAT gateway; add 0.0.0.0/0 to one, or "
        f"VPC endpoints for {services}.",
        ja=f"{PRIVATE_SUBNETS}の{listed(names)}にNATゲートウェイへのルートがないため、0.0.0.0/0のルートを追加するか、"
        f"VPCエンドポイント（{services}）を作成してください。",
    )
