"""Where the facts come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from importer.preflight.facts import Certificate, Key, Network, Quota, RoleState
from importer.preflight.properties import Properties


class NetworkSource(Protocol):
    """The VPC."""

    def network(self, properties: Properties) -> Network:
        """Return what exists of what was chosen."""

    def addresses_in_use(self) -> int:
        """Return the Elastic IP addresses that the account has in the Region."""


class CertificateSource(Protocol):
    """ACM."""

    def certificate(self, arn: str) -> Certificate | None:
        """Return a certificate, None if there is none of that ARN."""


class KeySource(Protocol):
    """KMS."""

    def key(self, arn: str) -> Key | None:
        """Return a key, None if there is none of that ARN."""


class DatastoreSource(Protocol):
    """HealthImaging."""

    def status(self, datastore_id: str) -> str | None:
        """Return a data store's status, None if there is none of that id."""

    def active_count(self) -> int:
        """Return how many data stores count towards the quota."""


class QuotaSource(Protocol):
    """Service Quotas."""

    def value(self, quota: Quota) -> float | None:
        """Return a quota's value in this account and Region, None if the service tells none."""


class LoadBalancerSource(Protocol):
    """Elastic Load Balancing."""

    def network_load_balancers(self) -> int:
        """Return how many NLBs the account has in the Region."""


class RoleSource(Protocol):
    """IAM."""

    def ensure(self, service: str, role: str) -> RoleState:
        """Make a service-linked role unless it is there."""


class StackSource(Protocol):
    """CloudFormation."""

    def status(self, stack_arn: str) -> str:
        """Return the stack's status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All of them, each made when it is needed: most checks of most stacks need no client."""

    network: Callable[[], NetworkSource]
    certificates: Callable[[], CertificateSource]
    keys: Callable[[], KeySource]
    datastores: Callable[[], DatastoreSource]
    quotas: Callable[[], QuotaSource]
    load_balancers: Callable[[], LoadBalancerSource]
    roles: Callable[[], RoleSource]
    stacks: Callable[[], StackSource]
