"""Makes a hospital's VPC on the emulated EC2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ZONES = ("us-east-1a", "us-east-1b")
RANGE = "10.20.0.0/16"
ANYWHERE = "0.0.0.0/0"


@dataclass
class Hospital:
    """A VPC, and the properties that a good stack in it has."""

    ec2: Any
    vpc: str
    internet_gateway: str
    nat_gateway: str
    tables: dict[str, str]
    properties: dict[str, Any]

    def route(self, table: str, *, to: str) -> None:
        """Route everything from the public or the private subnets to another gateway."""
        kind = "NatGatewayId" if to.startswith("nat-") else "GatewayId"
        self.ec2.delete_route(RouteTableId=self.tables[table], DestinationCidrBlock=ANYWHERE)
        self.ec2.create_route(
            RouteTableId=self.tables[table], DestinationCidrBlock=ANYWHERE, **{kind: to}
        )


def build_hospital(ec2: Any) -> Hospital:
    """Make a VPC with two public and two private subnets, a NAT gateway and a security group."""
    vpc = ec2.create_vpc(CidrBlock=RANGE)["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.20.{n}.0/24", AvailabilityZone=ZONES[n % len(ZONES)]
        )["Subnet"]["SubnetId"]
        for n in range(4)
    ]
    public, private = subnets[:2], subnets[2:]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public[0], AllocationId=address)
    nat_gateway = nat["NatGateway"]["NatGatewayId"]
    tables = {
        "public": _table(ec2, vpc, public, GatewayId=gateway),
        "private": _table(ec2, vpc, private, NatGatewayId=nat_gateway),
    }
    return Hospital(
        ec2=ec2,
        vpc=vpc,
        internet_gateway=gateway,
        nat_gateway=nat_gateway,
        tables=tables,
        properties={
            "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:preflight",
            "VpcID": vpc,
            "PublicSubnetIDs": public,
            "PrivateSubnetIDs": private,
            "AvailabilityZones": list(ZONES),
            "SecurityGroupID": make_group(ec2, vpc),
            "VpcCIDR": RANGE,
            "PeerCIDR1": "203.0.113.0/24",
            "PeerCIDR2": "",
            "PeerCIDR3": "",
            "TaskCPU": "1024",
            "TaskDesiredCount": "1",
            "AutoscaleMaxCapacity": "3",
            "TLSCertificateARN": "",
            "ReceiverTLSSecretARN": "",
            "LoadBalancerScheme": "internet-facing",
            "ElasticIPs": "false",
            "TaskSecurityGroupID": "",
            "PrivateRouteTableIDs": [""],
            "ExistingDatastoreID": "",
            "KMSKeyARN": "",
            "CreateKMSKey": "false",
            "WholeNumbers": ["DIMSETimeout=60", "NetworkTimeout=90"],
            "ImageURI": "123456789012.dkr.ecr.us-east-1.amazonaws.com/storescp:1.0.0",
            "StorageCommitmentPeers": "",
        },
    )


def make_group(ec2: Any, vpc: str) -> str:
    """Make a security group."""
    made = ec2.create_security_group(GroupName=f"g-{vpc}", Description="devices", VpcId=vpc)
    return str(made["GroupId"])


def _table(ec2: Any, vpc: str, subnets: list[str], **target: str) -> str:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, **target)
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return str(table)
