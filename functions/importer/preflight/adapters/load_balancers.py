"""Load balancers, from Elastic Load Balancing."""

from __future__ import annotations

from typing import Any


class ElbLoadBalancers:
    """`ports.LoadBalancerSource`."""

    def __init__(self, elbv2: Any) -> None:
        self._elbv2 = elbv2

    def network_load_balancers(self) -> int:
        """Return how many NLBs there are."""
        pages = self._elbv2.get_paginator("describe_load_balancers").paginate()
        return sum(item["Type"] == "network" for page in pages for item in page["LoadBalancers"])
