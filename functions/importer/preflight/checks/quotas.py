"""Whether the account's quotas leave room for the stack.

The codes are those of Service Quotas. What other stacks use of a quota is counted where one call tells it;
processors in use are not counted, so there only what can never fit is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.checks.addresses import peak_servers
from importer.preflight.facts import Quota
from importer.preflight.problems import Problem, fault, warning
from importer.preflight.properties import (
    DATASTORE,
    DESIRED_COUNT,
    ELASTIC_IPS,
    MAX_CAPACITY,
    PUBLIC_SUBNETS,
    SECURITY_GROUP,
    TASK_CPU,
    TASK_SECURITY_GROUP,
    Properties,
)

FARGATE_VCPUS = Quota("fargate", "L-3032A538")
NETWORK_LOAD_BALANCERS = Quota("elasticloadbalancing", "L-69A177A2")
ELASTIC_IP_ADDRESSES = Quota("ec2", "L-0263D0A3")
GROUPS_PER_INTERFACE = Quota("vpc", "L-2AFB9258")
DATASTORES = Quota("medical-imaging", "L-8829B870")

_CPU_UNITS = 1024
ADDRESSES = 2
"""Elastic IPs that the stack asks for."""
GROUPS_OF_LOAD_BALANCER = 2
"""The stack's and the customer's."""


def check_vcpus(p: Properties, quota: float | None) -> Iterator[Problem]:
    """Check Fargate's vCPUs."""
    if quota is None or not p.task_cpu:
        return
    least, most = (count * p.task_cpu / _CPU_UNITS for count in (p.desired_count, peak_servers(p)))
    if least > quota:
        yield fault(
            DESIRED_COUNT,
            TASK_CPU,
            en=f"{DESIRED_COUNT} {p.desired_count} with {TASK_CPU} {p.task_cpu} needs {least:g} vCPUs, but "
            f"{_named(FARGATE_VCPUS)} allows {quota:g}; request an increase or choose less.",
            ja=f"{DESIRED_COUNT}（{p.desired_count}）と{TASK_CPU}（{p.task_cpu}）には{least:g} vCPUが必要ですが"
            f"上限（{_named(FARGATE_VCPUS)}）は{quota:g}のため、上限緩和を申請するか値を小さくしてください。",
        )
    elif most > quota:
        yield warning(
            MAX_CAPACITY,
            TASK_CPU,
            en=f"{MAX_CAPACITY} {p.max_capacity} with {TASK_CPU} {p.task_cpu} may need {most:g} vCPUs under "
            f"load and in updates, but {_named(FARGATE_VCPUS)} allows {quota:g}; request an increase.",
            ja=f"{MAX_CAPACITY}（{p.max_capacity}）と{TASK_CPU}（{p.task_cpu}）では高負荷時や更新時に{most:g} vCPUが必要ですが"
            f"上限（{_named(FARGATE_VCPUS)}）は{quota:g}のため、上限緩和の申請をお勧めします。",
        )


def check_load_balancers(in_use: int, quota: float | None) -> Iterator[Problem]:
    """Check that there is room for one more load balancer."""
    if quota is not None and in_use + 1 > quota:
        yield fault(
            PUBLIC_SUBNETS,
            en=f"This Region has {in_use} Network Load Balancers and {_named(NETWORK_LOAD_BALANCERS)} allows "
            f"{quota:g}; request an increase or delete one.",
            ja=f"このリージョンにはNetwork Load Balancerが{in_use}個あり上限（{_named(NETWORK_LOAD_BALANCERS)}）の{quota:g}個に"
            "達しているため、上限緩和を申請するか不要なものを削除してください。",
        )


def check_elastic_ips(in_use: int, quota: float | None) -> Iterator[Problem]:
    """Check that there are addresses left for a stack that asks for them."""
    if quota is not None and in_use + ADDRESSES > quota:
        yield fault(
            ELASTIC_IPS,
            en=f"{ELASTIC_IPS}: {ADDRESSES} addresses are needed and {in_use} of {quota:g} "
            f"({_named(ELASTIC_IP_ADDRESSES)}) are in use; release some or request an increase.",
            ja=f"{ELASTIC_IPS}にはElastic IPが{ADDRESSES}個必要ですが上限（{_named(ELASTIC_IP_ADDRESSES)}）{quota:g}個のうち"
            f"{in_use}個が使用中のため、不要なものを解放するか上限緩和を申請してください。",
        )


def check_groups_per_interface(p: Properties, quota: float | None) -> Iterator[Problem]:
    """Check that the load balancer, and a server, may have two security groups."""
    if quota is not None and quota < GROUPS_OF_LOAD_BALANCER:
        parameters = (SECURITY_GROUP,) + ((TASK_SECURITY_GROUP,) if p.task_security_group else ())
        yield fault(
            *parameters,
            en=f"{' and '.join(parameters)}: {GROUPS_OF_LOAD_BALANCER} security groups per network interface "
            f"are needed and {_named(GROUPS_PER_INTERFACE)} allows {quota:g}; request an increase.",
            ja=f"{'と'.join(parameters)}を含めネットワークインターフェイスごとに{GROUPS_OF_LOAD_BALANCER}個のセキュリティグループが"
            f"必要ですが上限（{_named(GROUPS_PER_INTERFACE)}）は{quota:g}個のため、上限緩和を申請してください。",
        )


def check_datastores(in_use: int, quota: float | None) -> Iterator[Problem]:
    """Check that there is room for one more data store."""
    if quota is not None and in_use + 1 > quota:
        yield fault(
            DATASTORE,
            en=f"{DATASTORE} is empty, but this Region has {in_use} HealthImaging data stores and "
            f"{_named(DATASTORES)} allows {quota:g}; give an existing one or request an increase.",
            ja=f"{DATASTORE}が空ですが、HealthImagingデータストアは{in_use}個あり上限（{_named(DATASTORES)}）の{quota:g}個に"
            "達しているため、既存のデータストアを指定するか上限緩和を申請してください。",
        )


def _named(quota: Quota) -> str:
    return f"Service Quotas {quota.service} {quota.code}"
