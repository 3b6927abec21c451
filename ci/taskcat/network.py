"""`python -m ci.taskcat.network FOLDER`: build the template of the network that deployment tests launch stacks into.

What a hospital has before it launches the product, as small as serves: a VPC, two public and two private
subnets in two zones, a NAT gateway, security groups. Each of its ids goes into a parameter of Systems Manager
under the name of the product's parameter that takes it, where taskcat reads it Region by Region.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from troposphere import GetAtt, Join, Output, Parameter, Ref, Select, Sub, Template
from troposphere.ec2 import (
    EIP,
    VPC,
    InternetGateway,
    NatGateway,
    Route,
    RouteTable,
    SecurityGroup,
    Subnet,
    SubnetRouteTableAssociation,
    VPCGatewayAttachment,
)
from troposphere.ssm import Parameter as StoredParameter

from template_gen.product import NAME
from template_gen.render import render

FILE = "ci/network.template.json"
STORE = "/storescp/taskcat/"
"""Path of the parameters in Systems Manager."""
VPC_CIDR = "10.80.0.0/16"
PUBLIC_CIDRS = ("10.80.0.0/24", "10.80.1.0/24")
PRIVATE_CIDRS = ("10.80.16.0/24", "10.80.17.0/24")
ANYWHERE = "0.0.0.0/0"

ZONES = "AvailabilityZones"
TESTER_CIDR = "TesterCIDR"
CERTIFICATE = "TLSCertificateARN"


def build_network() -> Template:
    """Build the template; its parameters are ZONES, TESTER_CIDR and CERTIFICATE."""
    template = Template()
    template.set_version("2010-09-09")
    template.set_description(f"Network for deployment tests of {NAME}: costs a NAT gateway.")
    zones, tester, certificate = _add_parameters(template)
    vpc = template.add_resource(
        VPC("Vpc", CidrBlock=VPC_CIDR, EnableDnsSupport=True, EnableDnsHostnames=True)
    )
    gateway = template.add_resource(InternetGateway("InternetGateway"))
    attachment = template.add_resource(
        VPCGatewayAttachment(
            "InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)
        )
    )
    public_table = template.add_resource(RouteTable("PublicRouteTable", VpcId=Ref(vpc)))
    public = _add_subnets(
        template, kind="Public", cidrs=PUBLIC_CIDRS, zones=zones, vpc=vpc, table=public_table
    )
    way_out = template.add_resource(
        Route(
            "PublicRoute",
            RouteTableId=Ref(public_table),
            DestinationCidrBlock=ANYWHERE,
            GatewayId=Ref(gateway),
            DependsOn=[attachment.title],
        )
    )
    address = template.add_resource(EIP("NatAddress", Domain="vpc", DependsOn=[attachment.title]))
    nat = template.add_resource(
        NatGateway(
            "NatGateway",
            AllocationId=GetAtt(address, "AllocationId"),
            SubnetId=Ref(public[0]),
            # Without its way out it is made, and fails a minute later.
            DependsOn=[way_out.title],
        )
    )
    private_table = template.add_resource(RouteTable("PrivateRouteTable", VpcId=Ref(vpc)))
    private = _add_subnets(
        template, kind="Private", cidrs=PRIVATE_CIDRS, zones=zones, vpc=vpc, table=private_table
    )
    template.add_resource(
        Route(
            "PrivateRoute",
            RouteTableId=Ref(private_table),
            DestinationCidrBlock=ANYWHERE,
            NatGatewayId=Ref(nat),
        )
    )
    groups = {
        name: template.add_resource(
            SecurityGroup(name, GroupDescription=description, VpcId=Ref(vpc))
        )
        for name, description in (
            ("DeviceSecurityGroup", "The group that a hospital names for its devices"),
            ("TaskSecurityGroup", "The group that VPC endpoints of a hospital would admit"),
        )
    }
    _store(
        template,
        {
            "VpcID": Ref(vpc),
            "PublicSubnetIDs": _listed(public),
            "PrivateSubnetIDs": _listed(private),
            "AvailabilityZones": Join(",", Ref(zones)),
            "SecurityGroupID": GetAtt(groups["DeviceSecurityGroup"], "GroupId"),
            "VpcCIDR": VPC_CIDR,
            "PeerCIDR1": Ref(tester),
            "TLSCertificateARN": Ref(certificate),
            "TaskSecurityGroupID": GetAtt(groups["TaskSecurityGroup"], "GroupId"),
            "PrivateRouteTableIDs": Ref(private_table),
            # A policy compares it; nobody needs to have the role.
            "BreakGlassRoleARN": Sub("arn:aws:iam::${AWS::AccountId}:role/storescp-break-glass"),
        },
    )
    return template


def _add_parameters(template: Template) -> tuple[Parameter, Parameter, Parameter]:
    zones = template.add_parameter(
        Parameter(
            ZONES,
            Type="List<AWS::EC2::AvailabilityZone::Name>",
            Description="Two Availability Zones.",
        )
    )
    tester = template.add_parameter(
        Parameter(
            TESTER_CIDR,
            Type="String",
            Description="Address range that the tests send from, for example 203.0.113.7/32.",
        )
    )
    certificate = template.add_parameter(
        Parameter(
            CERTIFICATE,
            Type="String",
            Description="Certificate of AWS Certificate Manager in this Region, for the tests by TLS.",
        )
    )
    return zones, tester, certificate


def _add_subnets(
    template: Template,
    *,
    kind: str,
    cidrs: tuple[str, ...],
    zones: Parameter,
    vpc: VPC,
    table: RouteTable,
) -> list[Subnet]:
    subnets = []
    for n, cidr in enumerate(cidrs):
        subnet = template.add_resource(
            Subnet(
                f"{kind}Subnet{n + 1}",
                VpcId=Ref(vpc),
                CidrBlock=cidr,
                AvailabilityZone=Select(n, Ref(zones)),
            )
        )
        template.add_resource(
            SubnetRouteTableAssociation(
                f"{kind}SubnetRoutes{n + 1}", SubnetId=Ref(subnet), RouteTableId=Ref(table)
            )
        )
        subnets.append(subnet)
    return subnets


def _listed(subnets: list[Subnet]) -> Join:
    return Join(",", [Ref(subnet) for subnet in subnets])


def _store(template: Template, values: dict[str, Any]) -> None:
    for name, value in values.items():
        template.add_resource(
            StoredParameter(f"Stored{name}", Name=STORE + name, Type="String", Value=value)
        )
        template.add_output(Output(name, Value=value))


def main(arguments: list[str]) -> int:
    """Write the template to its place in the folder that `arguments` name."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m ci.taskcat.network FOLDER\n")
        return 2
    path = Path(arguments[0]) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(build_network()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
