"""All sources on AWS."""

from __future__ import annotations

import time

from importer.preflight.adapters.certificates import AcmCertificates
from importer.preflight.adapters.clients import client
from importer.preflight.adapters.datastores import HealthImagingDatastores
from importer.preflight.adapters.keys import KmsKeys
from importer.preflight.adapters.load_balancers import ElbLoadBalancers
from importer.preflight.adapters.network import Ec2Network
from importer.preflight.adapters.quotas import ServiceQuotas
from importer.preflight.adapters.roles import IamRoles
from importer.preflight.adapters.stacks import CloudFormationStacks
from importer.preflight.ports import Sources


def aws_sources() -> Sources:
    """Return the sources of the function's account and Region."""
    return Sources(
        network=lambda: Ec2Network(client("ec2")),
        certificates=lambda: AcmCertificates(client("acm")),
        keys=lambda: KmsKeys(client("kms")),
        datastores=lambda: HealthImagingDatastores(client("medical-imaging")),
        quotas=lambda: ServiceQuotas(client("service-quotas")),
        load_balancers=lambda: ElbLoadBalancers(client("elbv2")),
        roles=lambda: IamRoles(client("iam"), time.sleep),
        stacks=lambda: CloudFormationStacks(client("cloudformation")),
    )
