"""Who may reach whom: devices the load balancer, the load balancer the servers, the servers AWS and devices."""

from __future__ import annotations

from troposphere import GetAtt, Ref, Template
from troposphere.ec2 import (
    SecurityGroup,
    SecurityGroupEgress,
    SecurityGroupIngress,
    SecurityGroupRule,
)

from template_gen.conditions import Conditions
from template_gen.ingest_service import HEALTH_PORT, SCP_PORT
from template_gen.parameters import Parameters

HTTPS_PORT = 443
DEVICE_PORTS = (104, 65_535)
"""Where devices may take answers: DICOM's own port, the lowest that any uses, and above."""


def add_security_groups(
    template: Template, p: Parameters, c: Conditions
) -> tuple[SecurityGroup, SecurityGroup]:
    """Add the load balancer's and the tasks' groups; rules are resources of their own, against cycles."""
    balancer = template.add_resource(
        SecurityGroup(
            "LoadBalancerSecurityGroup",
            GroupDescription="Devices to the load balancer of StoreSCP",
            VpcId=Ref(p.vpc_id),
            # A rule that lets nothing out: without one EC2 adds a rule that lets everything out.
            SecurityGroupEgress=[
                SecurityGroupRule(
                    IpProtocol="-1",
                    CidrIp="127.0.0.1/32",
                    Description="Nothing but the rules below",
                )
            ],
        )
    )
    # No device gets past the load balancer: a forged PROXY header would put another sender's address
    # into the audit trail.
    tasks = template.add_resource(
        SecurityGroup(
            "TaskSecurityGroup",
            GroupDescription="Load balancer to the servers of StoreSCP",
            VpcId=Ref(p.vpc_id),
            SecurityGroupEgress=[
                SecurityGroupRule(
                    IpProtocol="tcp",
                    FromPort=HTTPS_PORT,
                    ToPort=HTTPS_PORT,
                    # S3, ECR and CloudWatch Logs have no fixed addresses.
                    CidrIp="0.0.0.0/0",
                    Description="AWS services",
                )
            ],
        )
    )
    senders = (
        ("VpcIngress", p.vpc_cidr, None),
        ("Peer1Ingress", p.peer_cidr_1, c.has_peer_cidr_1),
        ("Peer2Ingress", p.peer_cidr_2, c.has_peer_cidr_2),
        ("Peer3Ingress", p.peer_cidr_3, c.has_peer_cidr_3),
    )
    for title, cidr, condition in senders:
        ingress = template.add_resource(
            SecurityGroupIngress(
                title,
                GroupId=GetAtt(balancer, "GroupId"),
                IpProtocol="tcp",
                FromPort=Ref(p.scp_port),
                ToPort=Ref(p.scp_port),
                CidrIp=Ref(cidr),
                Description=f"DICOM from {cidr.title}",
            )
        )
        if condition is not None:
            ingress.Condition = condition
    _let_tasks_answer(template, p, c, tasks)
    for name, port in (("Dicom", SCP_PORT), ("Health", HEALTH_PORT)):
        template.add_resource(
            SecurityGroupEgress(
                f"LoadBalancer{name}Egress",
                GroupId=GetAtt(balancer, "GroupId"),
                DestinationSecurityGroupId=GetAtt(tasks, "GroupId"),
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                Description=f"{name} port of the servers",
            )
        )
        template.add_resource(
            SecurityGroupIngress(
                f"Task{name}Ingress",
                GroupId=GetAtt(tasks, "GroupId"),
                SourceSecurityGroupId=GetAtt(balancer, "GroupId"),
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                Description=f"{name} port from the load balancer",
            )
        )
    return balancer, tasks


def _let_tasks_answer(
    template: Template, p: Parameters, c: Conditions, tasks: SecurityGroup
) -> None:
    """Let the servers open associations to the devices' networks, to answer storage commitment."""
    for title, cidr, condition in (
        ("VpcAnswerEgress", p.vpc_cidr, c.has_commitment),
        ("Peer1AnswerEgress", p.peer_cidr_1, c.answers_peer_cidr_1),
        ("Peer2AnswerEgress", p.peer_cidr_2, c.answers_peer_cidr_2),
        ("Peer3AnswerEgress", p.peer_cidr_3, c.answers_peer_cidr_3),
    ):
        template.add_resource(
            SecurityGroupEgress(
                title,
                Condition=condition,
                GroupId=GetAtt(tasks, "GroupId"),
                IpProtocol="tcp",
                # On which ports devices listen is theirs to say: 104 and 11112 are only usual.
                FromPort=DEVICE_PORTS[0],
                ToPort=DEVICE_PORTS[1],
                CidrIp=Ref(cidr),
                Description=f"Storage commitment to {cidr.title}",
            )
        )
