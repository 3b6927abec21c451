"""What is the case in the account, as the checks need it; filled by the adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet.

    Attributes:
        id: `subnet-...`.
        vpc_id: Its VPC.
        zone: Its Availability Zone.
        cidr: Its IPv4 range, empty for none.
        free_addresses: IPv4 addresses that nobody has.
        owner: Account that it belongs to; if another one shares it, its VPC's gateways cannot be seen.
    """

    id: str
    vpc_id: str
    zone: str
    cidr: str
    free_addresses: int
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A route: `local`, `igw-...`, `nat-...`, `vpce-...`, ... is its target."""

    destination: str
    target: str
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route table; the main one serves the subnets that no table names."""

    id: str
    routes: tuple[Route, ...]
    subnets: frozenset[str] = frozenset()
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NatGateway:
    """A NAT gateway; a regional one is in no subnet."""

    id: str
    state: str
    public: bool
    subnet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A VPC endpoint."""

    id: str
    service: str
    kind: str
    available: bool
    private_dns: bool = False
    route_tables: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An inbound rule of a security group; `any_list` says that it names a prefix list."""

    protocol: str
    first_port: int
    last_port: int
    ranges: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    any_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A security group."""

    id: str
    vpc_id: str
    inbound: tuple[Admission, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The chosen VPC and what was chosen in it; what does not exist is not in it."""

    vpc_ranges: tuple[str, ...] = ()
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    tables: tuple[RouteTable, ...] = ()
    nat_gateways: Mapping[str, NatGateway] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    groups: Mapping[str, SecurityGroup] = field(default_factory=dict)

    def table_of(self, subnet: str) -> RouteTable | None:
        """Return the route table of a subnet, None if it cannot be seen."""
        main = None
        for table in self.tables:
            if subnet in table.subnets:
                return table
            main = table if table.main else main
        return main


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of ACM; `renews` says that ACM renews it by itself."""

    status: str
    key_algorithm: str
    not_after: datetime | None
    renews: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A KMS key; its policy is None where it cannot be read (another account's)."""

    state: str
    symmetric: bool
    policy: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of Service Quotas."""

    service: str
    code: str


@dataclass(frozen=True, slots=True)
class RoleState:
    """A service-linked role: there, just made, or not to be had (`error` is AWS's code)."""

    service: str
    role: str
    made: bool = False
    error: str = ""
