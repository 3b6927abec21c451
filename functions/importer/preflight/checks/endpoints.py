"""VPC endpoints: which AWS services a server reaches without leaving the VPC, and whether they let it in.

A server on Fargate needs ECR (both endpoints), S3 and CloudWatch Logs (Amazon ECR user guide, "Amazon ECR
interface VPC endpoints"), with storage commitment also DynamoDB. An interface endpoint with private DNS takes all the VPC's traffic for its service,
also where there is a NAT gateway: then its security groups decide whether the image can be pulled.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from importer.preflight.checks.placement import overlap
from importer.preflight.facts import Admission, Endpoint, Network
from importer.preflight.problems import Problem, fault, listed
from importer.preflight.properties import PRIVATE_SUBNETS, TASK_SECURITY_GROUP, Properties

INTERFACE = "Interface"
GATEWAY = "Gateway"
_HTTPS = 443
_ANY_PROTOCOL = "-1"
_REGION_OF_IMAGE = re.compile(r"[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.")


def needed_services(p: Properties, region: str) -> tuple[str, ...]:
    """Return the endpoint services that a server needs; the image comes from its own Region.

    With TLS in the servers also Secrets Manager's, from where ECS reads certificate and key.
    """
    found = _REGION_OF_IMAGE.match(p.image)
    image_region = found[1] if found else region
    names = [
        f"com.amazonaws.{image_region}.ecr.api",
        f"com.amazonaws.{image_region}.ecr.dkr",
        f"com.amazonaws.{image_region}.s3",
        f"com.amazonaws.{region}.s3",
        f"com.amazonaws.{region}.logs",
    ]
    if p.tls_secret:
        names.append(f"com.amazonaws.{region}.secretsmanager")
    if p.commitment_peers:
        names.append(f"com.amazonaws.{region}.dynamodb")
    return tuple(dict.fromkeys(names))


def missing_services(subnet: str, p: Properties, network: Network, region: str) -> tuple[str, ...]:
    """Return the services that have no endpoint for a subnet."""
    table = network.table_of(subnet)
    table_id = table.id if table else ""
    # The stack itself makes the gateway endpoint of S3 for these tables.
    made = {f"com.amazonaws.{region}.s3"} if table_id in p.route_tables else set()
    served = made | {e.service for e in network.endpoints if _serves(e, table_id)}
    return tuple(name for name in needed_services(p, region) if name not in served)


def _serves(endpoint: Endpoint, table: str) -> bool:
    if not endpoint.available:
        return False
    # Without its private DNS an interface endpoint may have a private zone of the user's own.
    return endpoint.kind == INTERFACE or table in endpoint.route_tables


def check_endpoint_groups(p: Properties, network: Network, region: str) -> Iterator[Problem]:
    """Check that the endpoints in use admit the servers on port 443."""
    needed = needed_services(p, region)
    ranges = [
        network.subnets[name].cidr
        for name in p.private_subnets
        if name in network.subnets and network.subnets[name].cidr
    ]
    for endpoint in network.endpoints:
        known = [network.groups[name] for name in endpoint.groups if name in network.groups]
        in_the_way = endpoint.kind == INTERFACE and endpoint.private_dns and endpoint.available
        if endpoint.service not in needed or not in_the_way or len(known) != len(endpoint.groups):
            continue
        rules = [rule for group in known for rule in group.inbound if _is_https(rule)]
        if not known or any(p.task_security_group in r.groups or r.any_list for r in rules):
            continue
        shut_out = [one for one in ranges if not any(_admits(rule, one) for rule in rules)]
        if shut_out:
            yield fault(
                TASK_SECURITY_GROUP,
                PRIVATE_SUBNETS,
                en=f"{PRIVATE_SUBNETS}: endpoint {endpoint.id} ({short_name(endpoint.service)}) does not "
                f"admit {listed(shut_out)} on port {_HTTPS}; allow them in {listed(endpoint.groups)}, or "
                f"give a security group that it admits as {TASK_SECURITY_GROUP}.",
                ja=f"{PRIVATE_SUBNETS}の{listed(shut_out)}からVPCエンドポイント{endpoint.id}"
                f"（{short_name(endpoint.service)}）への{_HTTPS}番ポートの通信が許可されていないため、"
                f"{listed(endpoint.groups)}で許可するか、許可済みのグループを{TASK_SECURITY_GROUP}に指定してください。",
            )


def _is_https(rule: Admission) -> bool:
    if rule.protocol == _ANY_PROTOCOL:
        return True
    return rule.protocol in ("tcp", "6") and rule.first_port <= _HTTPS <= rule.last_port


def _admits(rule: Admission, subnet: str) -> bool:
    """Tell whether a rule admits a subnet, or some of it: a rule in parts is not added up here."""
    return any(overlap(subnet, one) for one in rule.ranges if _is_ipv4(one))


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return False
    return True


def short_name(service: str) -> str:
    """Return `eu-west-1.ecr.api` of `com.amazonaws.eu-west-1.ecr.api`."""
    return service.removeprefix("com.amazonaws.")
