"""The emulator's network, mended: a Network Load Balancer stays one, and a VPC's parts can be deleted."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.internet_gateways import InternetGateway
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import Route, RouteTable
from moto.ec2.models.subnets import SubnetRouteTableAssociation
from moto.ec2.models.vpn_gateway import VPCGatewayAttachment
from moto.elbv2.models import FakeListener, FakeLoadBalancer, FakeTargetGroup, elbv2_backends

from ci.taskcat.emulator.mending import by, mend

_CREATE = "create_from_cloudformation_json"


def install(addresses: ipaddress.IPv4Network) -> None:
    """Mend the emulator.

    Args:
        addresses: Of the loopback interface; each load balancer gets one of its own, which stands for its DNS
            name: what a stack's output says can then be dialled.
    """
    _mend_load_balancers(itertools.islice(addresses.hosts(), 1, None))
    mend(SubnetRouteTableAssociation, _CREATE, by(staticmethod(_associate)))
    for model, delete in _DELETIONS.items():
        mend(model, "delete", by(delete))


def _mend_load_balancers(addresses: Any) -> None:
    def create(name: str, json: Any, account_id: str, region: str, **_more: Any) -> Any:
        properties = json["Properties"]
        balancer = elbv2_backends[account_id][region].create_load_balancer(
            name,
            properties.get("SecurityGroups"),
            properties.get("Subnets") or [],
            subnet_mappings=properties.get("SubnetMappings"),
            scheme=properties["Scheme"],
            loadbalancer_type=properties["Type"],
        )
        balancer.dns_name = str(next(addresses))
        balancer.activate()
        return balancer

    mend(FakeLoadBalancer, _CREATE, by(staticmethod(create)))
    mend(FakeTargetGroup, _CREATE, _with_attributes)
    _add_attribute(FakeLoadBalancer, "LoadBalancerFullName", lambda one: _full_name(one.arn, 3))
    _add_attribute(FakeTargetGroup, "TargetGroupFullName", lambda one: _full_name(one.arn, 2))
    _add_attribute(FakeListener, "ListenerArn", lambda one: one.arn)


def _with_attributes(create: Callable[..., Any]) -> staticmethod[..., Any]:
    def made(name: str, json: Any, *others: Any, **more: Any) -> Any:
        group = create(name, json, *others, **more)
        for item in json["Properties"].get("TargetGroupAttributes", ()):
            group.attributes[item["Key"]] = item["Value"]
        return group

    return staticmethod(made)


def _full_name(arn: str, parts: int) -> str:
    """Return the end of an ARN, as metrics name load balancer and target group."""
    path = arn.rpartition(":")[2]
    return "/".join(path.split("/")[-parts:])


def _add_attribute(model: Any, name: str, value: Callable[[Any], str]) -> None:
    def with_it(known: Callable[[Any, str], Any] | None) -> Callable[[Any, str], Any]:
        def get(self: Any, attribute: str) -> Any:
            if attribute == name:
                return value(self)
            if known is None:
                raise NotImplementedError(f"{model.cloudformation_type()} has no {attribute} here")
            return known(self, attribute)

        return get

    mend(model, "get_cfn_attribute", with_it)


def _delete_route(self: Any, account_id: str, region: str) -> None:
    backend = ec2_backends[account_id][region]
    if self.route_table.id in backend.route_tables:  # else it went with its table
        backend.delete_route(self.route_table.id, self.destination_cidr_block)


def _associate(_name: str, json: Any, account_id: str, region: str, **_more: Any) -> Any:
    """Give a subnet its route table, where DescribeRouteTables shows it."""
    table, subnet = json["Properties"]["RouteTableId"], json["Properties"]["SubnetId"]
    make: Any = SubnetRouteTableAssociation
    association = make(table, subnet)
    association.id = ec2_backends[account_id][region].associate_route_table(table, subnet_id=subnet)
    return association


def _delete_association(self: Any, account_id: str, region: str) -> None:
    ec2_backends[account_id][region].disassociate_route_table(self.id)


def _delete_attachment(self: Any, account_id: str, region: str) -> None:
    backend: Any = ec2_backends[account_id][region]
    for gateway in backend.describe_internet_gateways():
        if gateway.vpc is not None and gateway.vpc.id == self.vpc_id:
            backend.detach_internet_gateway(gateway.id, self.vpc_id)


_DELETIONS: dict[Any, Callable[[Any, str, str], Any]] = {
    Route: _delete_route,
    SubnetRouteTableAssociation: _delete_association,
    VPCGatewayAttachment: _delete_attachment,
    RouteTable: lambda self, account, region: ec2_backends[account][region].delete_route_table(
        self.id
    ),
    InternetGateway: lambda self, account, region: ec2_backends[account][
        region
    ].delete_internet_gateway(self.id),
    NatGateway: lambda self, account, region: ec2_backends[account][region].delete_nat_gateway(
        self.id
    ),
    ElasticAddress: lambda self, account, region: ec2_backends[account][region].release_address(
        allocation_id=self.allocation_id
    ),
}
