"""Which checks a request calls for: each gathers its own facts, so that one that breaks spoils no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from importer.preflight.checks import certificate, key, quotas
from importer.preflight.checks.addresses import check_addresses
from importer.preflight.checks.datastore import check_datastore
from importer.preflight.checks.endpoints import check_endpoint_groups
from importer.preflight.checks.lasting import check_lasting
from importer.preflight.checks.numbers import check_numbers
from importer.preflight.checks.placement import check_placement
from importer.preflight.checks.ranges import check_ranges
from importer.preflight.checks.routes import check_routes
from importer.preflight.checks.service_roles import ROLES, check_role
from importer.preflight.checks.tables import check_tables
from importer.preflight.facts import Quota
from importer.preflight.ports import Sources
from importer.preflight.problems import Problem
from importer.preflight.properties import Properties
from importer.preflight.request import Stack


@dataclass(frozen=True, slots=True)
class Topic:
    """A name for the log, and the work: gather facts, return problems."""

    name: str
    work: Callable[[], list[Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Makes the topics of one request.

    Attributes:
        p: The user's choice.
        previous: The choice before an update, None when the stack is new.
        stack: Where it is.
        sources: Of facts.
        now: Time of the request.
    """

    p: Properties
    previous: Properties | None
    stack: Stack
    sources: Sources
    now: datetime

    def all(self) -> list[Topic]:
        """Return them, the one whose problems a user should read first at the front."""
        return [Topic(name, partial(_as_list, work)) for name, work in self._works()]

    def _works(self) -> Iterator[tuple[str, Callable[[], Iterator[Problem]]]]:
        p, before = self.p, self.previous
        if before is not None:
            yield "what stays", partial(check_lasting, p, before)
        yield "whole numbers", partial(check_numbers, p)
        yield "address ranges", partial(check_ranges, p, before)
        if p.vpc_id:
            yield "network", self._network
        if p.certificate:
            yield "certificate", self._certificate
        if p.kms_key:
            yield "KMS key", self._key
        if p.datastore:
            yield "data store", self._datastore
        yield "vCPU quota", self._vcpus
        yield "security group quota", self._groups_per_interface
        # What the stack has already is in the count, and needs no room.
        if before is None:
            yield "load balancer quota", self._load_balancers
        if p.elastic_ips and (before is None or not before.elastic_ips):
            yield "Elastic IP quota", self._elastic_ips
        if not p.datastore and (before is None or before.datastore):
            yield "data store quota", self._datastores
        for service, role in ROLES.items():
            yield f"role {role}", partial(self._role, service, role)

    def _network(self) -> Iterator[Problem]:
        network = self.sources.network().network(self.p)
        yield from check_placement(self.p, network)
        yield from check_routes(self.p, network, self.stack)
        yield from check_endpoint_groups(self.p, network, self.stack.region)
        yield from check_tables(self.p, self.previous, network, self.stack.region)
        yield from check_addresses(self.p, self.previous, network)

    def _certificate(self) -> Iterator[Problem]:
        wrong = list(certificate.check_arn(self.p.certificate, self.stack))
        yield from wrong
        if not wrong:
            found = self.sources.certificates().certificate(self.p.certificate)
            yield from certificate.check_certificate(self.p.certificate, found, self.now)

    def _key(self) -> Iterator[Problem]:
        wrong = list(key.check_arn(self.p.kms_key, self.stack))
        yield from wrong
        if not wrong:
            found = self.sources.keys().key(self.p.kms_key)
            yield from key.check_key(self.p.kms_key, found, self.p.kms_services, self.stack)

    def _datastore(self) -> Iterator[Problem]:
        status = self.sources.datastores().status(self.p.datastore)
        yield from check_datastore(self.p.datastore, status)

    def _vcpus(self) -> Iterator[Problem]:
        yield from quotas.check_vcpus(self.p, self._quota(quotas.FARGATE_VCPUS))

    def _groups_per_interface(self) -> Iterator[Problem]:
        value = self._quota(quotas.GROUPS_PER_INTERFACE)
        yield from quotas.check_groups_per_interface(self.p, value)

    def _load_balancers(self) -> Iterator[Problem]:
        in_use = self.sources.load_balancers().network_load_balancers()
        value = self._quota(quotas.NETWORK_LOAD_BALANCERS)
        yield from quotas.check_load_balancers(in_use, value)

    def _elastic_ips(self) -> Iterator[Problem]:
        in_use = self.sources.network().addresses_in_use()
        yield from quotas.check_elastic_ips(in_use, self._quota(quotas.ELASTIC_IP_ADDRESSES))

    def _datastores(self) -> Iterator[Problem]:
        in_use = self.sources.datastores().active_count()
        yield from quotas.check_datastores(in_use, self._quota(quotas.DATASTORES))

    def _role(self, service: str, role: str) -> Iterator[Problem]:
        yield from check_role(self.sources.roles().ensure(service, role))

    def _quota(self, quota: Quota) -> float | None:
        return self.sources.quotas().value(quota)


def _as_list(work: Callable[[], Iterator[Problem]]) -> list[Problem]:
    return list(work())
