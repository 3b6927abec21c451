"""The HealthImaging data store, new or existing, and the role by which it reads and writes our buckets."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import AWSHelperFn, GetAtt, If, Ref, StackName, Sub, Template
from troposphere.healthimaging import Datastore
from troposphere.iam import Role

from contract.keys import INCOMING_PREFIX
from template_gen import permissions
from template_gen.conditions import Conditions
from template_gen.encryption import Encryption
from template_gen.parameters import Parameters
from template_gen.permissions import arn_of
from template_gen.roles import RoleMaker
from template_gen.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStore:
    """The data store in use.

    Attributes:
        title: Logical ID of the one that the stack makes.
        id: Of 32 letters and digits.
        arn: Its ARN.
        access_role: HealthImaging takes it for an import job.
    """

    title: str
    id: AWSHelperFn
    arn: AWSHelperFn
    access_role: Role


def add_datastore(
    template: Template,
    p: Parameters,
    c: Conditions,
    *,
    storage: Storage,
    roles: RoleMaker,
    encryption: Encryption,
) -> DataStore:
    """Add the data store, unless an existing one is given, and its access role."""
    made = template.add_resource(
        Datastore(
            "Datastore",
            Condition=c.makes_datastore,
            # A store with images cannot be deleted, so the stack must let go of it; one whose creation
            # failed is empty and goes. Every property is create-only: no tags, for a change of them
            # would replace the store.
            DeletionPolicy="RetainExceptOnCreate",
            UpdateReplacePolicy="Retain",
            DatastoreName=StackName,
            KmsKeyArn=encryption.key,
        )
    )
    datastore_id = If(c.makes_datastore, GetAtt(made, "DatastoreId"), Ref(p.existing_datastore_id))
    arn = Sub(
        "arn:${AWS::Partition}:medical-imaging:${AWS::Region}:${AWS::AccountId}:datastore/${Id}",
        Id=datastore_id,
    )
    landing, results = arn_of(storage.landing), arn_of(storage.results)
    role = roles.add(
        "DataAccessRole",
        permissions.trust_healthimaging(arn),
        [
            permissions.list_bucket(landing),
            permissions.list_bucket(results),
            permissions.read_objects(landing, INCOMING_PREFIX),
            permissions.write_results(results),
        ],
    )
    return DataStore(title=str(made.title), id=datastore_id, arn=arn, access_role=role)
