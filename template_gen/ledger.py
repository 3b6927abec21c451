"""The ledger's table."""

from __future__ import annotations

from troposphere import Template
from troposphere.dynamodb import (
    AttributeDefinition,
    GlobalSecondaryIndex,
    KeySchema,
    PointInTimeRecoverySpecification,
    Projection,
    SSESpecification,
    Table,
)

from contract import schema
from template_gen.encryption import Encryption

TITLE = "DicomImportJobTable"
"""The deployment guide's name for it."""


def add_ledger(template: Template, encryption: Encryption) -> Table:
    """Add the table with its one index, from the importer's own names."""
    names = (schema.PARTITION_KEY, schema.SORT_KEY, schema.STATE_SHARD, schema.STATE_TIME)
    return template.add_resource(
        Table(
            TITLE,
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            # Nor can a person delete it by one wrong click: it would have to be switched off first.
            DeletionProtectionEnabled=True,
            # Nobody has to know the load; an idle night costs nothing.
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                AttributeDefinition(AttributeName=name, AttributeType="S") for name in names
            ],
            KeySchema=_keys(schema.PARTITION_KEY, schema.SORT_KEY),
            GlobalSecondaryIndexes=[
                GlobalSecondaryIndex(
                    IndexName=schema.STATE_INDEX,
                    KeySchema=_keys(schema.STATE_SHARD, schema.STATE_TIME),
                    Projection=Projection(
                        ProjectionType="INCLUDE",
                        NonKeyAttributes=list(schema.STATE_INDEX_ATTRIBUTES),
                    ),
                )
            ],
            PointInTimeRecoverySpecification=PointInTimeRecoverySpecification(
                PointInTimeRecoveryEnabled=True
            ),
            SSESpecification=SSESpecification(
                SSEEnabled=True, SSEType="KMS", KMSMasterKeyId=encryption.key
            ),
        )
    )


def _keys(partition: str, sort: str) -> list[KeySchema]:
    return [
        KeySchema(AttributeName=partition, KeyType="HASH"),
        KeySchema(AttributeName=sort, KeyType="RANGE"),
    ]
