"""The landing bucket's copy in another Region, when the customer has a bucket for it."""

from __future__ import annotations

from awacs import s3
from awacs.aws import Allow, PolicyDocument, Statement
from troposphere import If, Join, NoValue, Ref, Template
from troposphere.iam import PolicyType, Role
from troposphere.s3 import (
    DeleteMarkerReplication,
    ReplicationConfiguration,
    ReplicationConfigurationRules,
    ReplicationConfigurationRulesDestination,
    ReplicationRuleFilter,
)

from template_gen import permissions
from template_gen.conditions import Conditions
from template_gen.parameters import Parameters
from template_gen.permissions import arn_of
from template_gen.roles import RoleMaker
from template_gen.storage import Storage


def add_replication_role(p: Parameters, c: Conditions, roles: RoleMaker) -> Role:
    """Add the role by which S3 copies, with its rights on the copy; those on the original follow."""
    role = roles.add(
        "ReplicationRole",
        # As the S3 user guide has it ("Setting up permissions for live replication"), without conditions:
        # nothing says that S3 names a source when it replicates, and a refusal would show nowhere.
        permissions.trust("s3.amazonaws.com"),
        permissions.write_replicas(Ref(p.replica_bucket_arn)),
    )
    role.Condition = c.has_replica
    return role


def replicate(p: Parameters, c: Conditions, role: Role) -> If:
    """Return the landing bucket's replication: everything, but never a deletion or an expiry."""
    return If(
        c.has_replica,
        ReplicationConfiguration(
            Role=arn_of(role),
            Rules=[
                ReplicationConfigurationRules(
                    Id="CopyEverything",
                    Status="Enabled",
                    Priority=0,
                    Filter=ReplicationRuleFilter(Prefix=""),
                    DeleteMarkerReplication=DeleteMarkerReplication(Status="Disabled"),
                    Destination=ReplicationConfigurationRulesDestination(
                        Bucket=Ref(p.replica_bucket_arn)
                    ),
                )
            ],
        ),
        NoValue,
    )


def let_replication_read(template: Template, c: Conditions, storage: Storage, role: Role) -> None:
    """Add the role's rights on the original.

    A policy of its own: within the role it would close a circle, for the bucket names the role.
    """
    landing = arn_of(storage.landing)
    template.add_resource(
        PolicyType(
            "ReplicationSourcePolicy",
            Condition=c.has_replica,
            Roles=[Ref(role)],
            PolicyName="ReplicationSource",
            PolicyDocument=PolicyDocument(
                Version="2012-10-17",
                Statement=[
                    Statement(
                        Effect=Allow,
                        Action=[s3.GetReplicationConfiguration, s3.ListBucket],
                        Resource=[landing],
                    ),
                    Statement(
                        Effect=Allow,
                        Action=[
                            s3.GetObjectVersionForReplication,
                            s3.GetObjectVersionAcl,
                            s3.GetObjectVersionTagging,
                        ],
                        Resource=[Join("/", [landing, "*"])],
                    ),
                ],
            ),
        )
    )
