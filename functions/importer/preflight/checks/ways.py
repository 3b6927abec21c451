"""Where a route table leads."""

from __future__ import annotations

from dataclasses import dataclass

from importer.preflight.facts import Network, Route, RouteTable

INTERNET_GATEWAY = "igw-"
NAT_GATEWAY = "nat-"
_ENDPOINT = "vpce-"
_LIST = "pl-"


@dataclass(frozen=True, slots=True)
class Ways:
    """What the active routes of a table lead to.

    Attributes:
        internet: To an internet gateway, for whatever range: some admit their senders' ranges only.
        nat_gateways: To these NAT gateways.
        elsewhere: To a firewall, a transit gateway, a VPN, a peer, ...: where that leads cannot be seen.
        dead: Targets of routes that lead nowhere any more (blackhole).
    """

    internet: bool
    nat_gateways: tuple[str, ...]
    elsewhere: bool
    dead: tuple[str, ...]


def ways_of(table: RouteTable) -> Ways:
    """Sort a table's routes; the VPC itself and gateway endpoints lead out of nothing."""
    outward = [route for route in table.routes if not _stays(route)]
    active = [route.target for route in outward if route.active]
    nats = tuple(dict.fromkeys(target for target in active if target.startswith(NAT_GATEWAY)))
    return Ways(
        internet=any(target.startswith(INTERNET_GATEWAY) for target in active),
        nat_gateways=nats,
        elsewhere=any(not target.startswith((INTERNET_GATEWAY, NAT_GATEWAY)) for target in active),
        dead=tuple(dict.fromkeys(route.target for route in outward if not route.active)),
    )


def ways_from(subnet: str, network: Network) -> Ways | None:
    """Return where a subnet leads; None if its table cannot be seen, which proves nothing."""
    table = network.table_of(subnet)
    return None if table is None else ways_of(table)


def _stays(route: Route) -> bool:
    if route.target in ("local", ""):
        return True
    # A gateway endpoint has a prefix list as destination, a firewall's endpoint a range.
    return route.target.startswith(_ENDPOINT) and route.destination.startswith(_LIST)
