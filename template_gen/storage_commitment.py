"""What the receiver may do besides, where devices may ask for storage commitment."""

from __future__ import annotations

from typing import Any

from awacs import dynamodb, s3
from awacs.aws import Allow, Condition, ForAllValuesStringLike, PolicyDocument, Statement
from troposphere import Join, Ref, Template
from troposphere.dynamodb import Table
from troposphere.iam import PolicyType, Role

from contract import schema
from contract.keys import BATCHES_PREFIX, COMMITMENTS_PREFIX
from template_gen.conditions import Conditions
from template_gen.permissions import (
    arn_of,
    list_bucket,
    query_ledger_index,
    read_objects,
)
from template_gen.storage import Storage

READABLE_PREFIXES = (BATCHES_PREFIX, COMMITMENTS_PREFIX)
"""What the receiver may read back: never an image."""


def let_answer_commitments(
    template: Template, c: Conditions, role: Role, *, storage: Storage, table: Table
) -> None:
    """Add a policy of its own to the receiver's role, by condition."""
    template.add_resource(
        PolicyType(
            "StorageCommitmentPolicy",
            Condition=c.has_commitment,
            Roles=[Ref(role)],
            PolicyName="StorageCommitment",
            PolicyDocument=PolicyDocument(
                Version="2012-10-17",
                Statement=_answer_commitments(
                    arn_of(storage.landing), arn_of(table), schema.STATE_INDEX
                ),
            ),
        )
    )


def _answer_commitments(bucket_arn: Any, table_arn: Any, index: str) -> list[Statement]:
    """Keep storage commitment requests, read what is known of images, and lease who answers.

    The only items that may be written are the leases, by their partition keys.
    """
    return [
        Statement(
            Effect=Allow,
            Action=[s3.PutObject],
            Resource=[Join("/", [bucket_arn, f"{COMMITMENTS_PREFIX}*"])],
        ),
        read_objects(bucket_arn, *READABLE_PREFIXES),
        list_bucket(bucket_arn),
        Statement(
            Effect=Allow, Action=[dynamodb.BatchGetItem, dynamodb.Query], Resource=[table_arn]
        ),
        query_ledger_index(table_arn, index),
        Statement(
            Effect=Allow,
            Action=[dynamodb.UpdateItem],
            Resource=[table_arn],
            Condition=Condition(
                ForAllValuesStringLike("dynamodb:LeadingKeys", [f"{schema.COMMITMENT_PREFIX}*"])
            ),
        ),
    ]
