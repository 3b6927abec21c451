"""Whether the subnets have room for what comes into them."""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.facts import Network
from importer.preflight.problems import Problem, fault, listed, warning
from importer.preflight.properties import (
    DESIRED_COUNT,
    MAX_CAPACITY,
    PRIVATE_SUBNETS,
    PUBLIC_SUBNETS,
    Properties,
)

LOAD_BALANCER_ADDRESSES = 8
"""Free addresses that a subnet must have to take a load balancer (ELB user guide for NLBs, "Update the
Availability Zones", considerations)."""
DEPLOYMENT_FACTOR = 2
"""A deployment starts the new servers before it stops the old ones (MaximumPercent 200)."""


def peak_servers(p: Properties) -> int:
    """Return the most servers that the stack runs at one time."""
    return max(p.max_capacity, DEPLOYMENT_FACTOR * p.desired_count)


def check_addresses(
    p: Properties, previous: Properties | None, network: Network
) -> Iterator[Problem]:
    """Check free addresses.

    Args:
        p: The user's choice.
        previous: The choice before an update: what is in a subnet already needs no room there.
        network: The subnets.
    """
    taken = previous.public_subnets if previous else ()
    for name in p.public_subnets:
        subnet = network.subnets.get(name)
        if subnet and name not in taken and subnet.free_addresses < LOAD_BALANCER_ADDRESSES:
            yield fault(
                PUBLIC_SUBNETS,
                en=f"{PUBLIC_SUBNETS}: {name} has {subnet.free_addresses} free IP addresses; the load "
                f"balancer needs {LOAD_BALANCER_ADDRESSES}, so free some or choose another subnet.",
                ja=f"{PUBLIC_SUBNETS}の{name}の空きIPアドレスは{subnet.free_addresses}個で、ロードバランサーに必要な"
                f"{LOAD_BALANCER_ADDRESSES}個に足りないため、空きを増やすか別のサブネットを選択してください。",
            )
    yield from _check_servers(p, network, updating=previous is not None)


def _check_servers(p: Properties, network: Network, *, updating: bool) -> Iterator[Problem]:
    known = [network.subnets[name] for name in p.private_subnets if name in network.subnets]
    free = sum(subnet.free_addresses for subnet in known)
    if not known:
        return
    names = listed([subnet.id for subnet in known])
    if free < p.desired_count and not updating:
        yield fault(
            PRIVATE_SUBNETS,
            DESIRED_COUNT,
            en=f"{PRIVATE_SUBNETS}: {names} have {free} free IP addresses, too few for {DESIRED_COUNT} "
            f"{p.desired_count}; choose larger subnets.",
            ja=f"{PRIVATE_SUBNETS}（{names}）の空きIPアドレスは{free}個で、{DESIRED_COUNT}の"
            f"{p.desired_count}台に足りないため、より大きなサブネットを選択してください。",
        )
    elif free < peak_servers(p):
        yield warning(
            PRIVATE_SUBNETS,
            MAX_CAPACITY,
            en=f"{PRIVATE_SUBNETS}: {names} have {free} free IP addresses, but up to {peak_servers(p)} "
            "servers run under load and while the service is updated.",
            ja=f"{PRIVATE_SUBNETS}（{names}）の空きIPアドレスは{free}個ですが、高負荷時や更新時には最大"
            f"{peak_servers(p)}台のサーバーが稼働するため、より大きなサブネットをお勧めします。",
        )
