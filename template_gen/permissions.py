"""One function per right that a role of the stack can have.

Nothing here deletes, and no statement is wider than the comment beside it says.
"""

from __future__ import annotations

from typing import Any

from awacs import (
    awslambda,
    dynamodb,
    ecr,
    ecs,
    iam,
    kms,
    logs,
    medical_imaging,
    s3,
    secretsmanager,
    sqs,
    sts,
)
from awacs.aws import (
    Action,
    Allow,
    ArnLike,
    Condition,
    ForAllValuesStringEquals,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
)
from troposphere import AccountId, GetAtt, Join, Sub

from contract.keys import (
    BATCHES_PREFIX,
    INCOMING_PREFIX,
    QUARANTINE_PREFIX,
    REFUSED_PREFIX,
)
from importer.adapters.s3 import IMPORTED_TAG

LANDING_PREFIXES = (INCOMING_PREFIX, BATCHES_PREFIX, REFUSED_PREFIX)
"""Where the receiver writes."""

HEALTHIMAGING = "medical-imaging.amazonaws.com"


def trust(service: str) -> PolicyDocument:
    """Let an AWS service of this account take the role."""
    return PolicyDocument(
        Version="2012-10-17",
        Statement=[
            Statement(
                Effect=Allow, Principal=Principal("Service", service), Action=[sts.AssumeRole]
            )
        ],
    )


def trust_ecs_tasks() -> PolicyDocument:
    """Let ECS tasks of this account and Region take the role (Amazon ECS: confused deputy)."""
    return _trust_for(
        "ecs-tasks.amazonaws.com",
        Sub("arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:*"),
    )


def trust_healthimaging(datastore_arn: Any) -> PolicyDocument:
    """Let HealthImaging take the role on behalf of one data store only."""
    return _trust_for(HEALTHIMAGING, datastore_arn)


def _trust_for(service: str, source_arn: Any) -> PolicyDocument:
    return PolicyDocument(
        Version="2012-10-17",
        Statement=[
            Statement(
                Effect=Allow,
                Principal=Principal("Service", service),
                Action=[sts.AssumeRole],
                Condition=Condition(
                    [
                        StringEquals("aws:SourceAccount", AccountId),
                        ArnLike("aws:SourceArn", source_arn),
                    ]
                ),
            )
        ],
    )


def land_instances(bucket_arn: Any) -> list[Statement]:
    """Put objects where the receiver writes; the bucket's policy demands that they are new.

    S3 has no action for the steps of a multipart upload: starting, adding and completing are PutObject.
    """
    return [
        _allow([s3.PutObject], *_below(bucket_arn, *LANDING_PREFIXES)),
        _allow([s3.AbortMultipartUpload], *_below(bucket_arn, INCOMING_PREFIX)),
    ]


def protect_task(cluster: Any) -> Statement:
    """Protect tasks of one cluster from scaling in: the agent asks in the name of the task's role.

    A task's id is not known before it runs.
    """
    return _allow(
        [ecs.UpdateTaskProtection],
        Sub(
            "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task/${Cluster}/*",
            Cluster=cluster,
        ),
    )


def list_bucket(bucket_arn: Any) -> Statement:
    """List a bucket's objects.

    Not limited to a prefix: without the right to list, S3 answers 403 for an object that is not there
    (yet), and a GET has no prefix that a condition could match.
    """
    return _allow([s3.ListBucket], bucket_arn)


def read_objects(bucket_arn: Any, *prefixes: str) -> Statement:
    """Read objects, their metadata and checksums."""
    return _allow([s3.GetObject], *_below(bucket_arn, *prefixes))


def write_results(bucket_arn: Any) -> Statement:
    """Put a job's output; the bucket holds nothing else."""
    return _allow([s3.PutObject], *_below(bucket_arn, ""))


def read_results(bucket_arn: Any) -> Statement:
    """Read the output of jobs."""
    return _allow([s3.GetObject], *_below(bucket_arn, ""))


def write_replicas(bucket_arn: Any) -> list[Statement]:
    """Copy objects and their tags into another bucket; no deletion is copied."""
    return [_allow([s3.ReplicateObject, s3.ReplicateTags], *_below(bucket_arn, ""))]


def seal_batches(bucket_arn: Any) -> Statement:
    """Put manifests; the bucket's policy demands that they are new."""
    return _allow([s3.PutObject], *_below(bucket_arn, BATCHES_PREFIX))


def keep_quarantine_records(bucket_arn: Any) -> Statement:
    """Put records of why an instance is quarantined."""
    return _allow([s3.PutObject], *_below(bucket_arn, QUARANTINE_PREFIX))


def mark_imported(bucket_arn: Any) -> Statement:
    """Set the one tag by which an imported original expires, and no other."""
    key, value = IMPORTED_TAG["Key"], IMPORTED_TAG["Value"]
    return Statement(
        Effect=Allow,
        Action=[s3.PutObjectTagging],
        Resource=_below(bucket_arn, INCOMING_PREFIX),
        Condition=Condition(
            [
                StringEquals(f"s3:RequestObjectTag/{key}", value),
                ForAllValuesStringEquals("s3:RequestObjectTagKeys", [key]),
            ]
        ),
    )


def write_ledger(table_arn: Any) -> Statement:
    """Read and write items; a transaction needs the rights of its parts. No item is ever deleted."""
    return _allow(
        [
            dynamodb.GetItem,
            dynamodb.BatchGetItem,
            dynamodb.Query,
            dynamodb.PutItem,
            dynamodb.UpdateItem,
        ],
        table_arn,
    )


def change_ledger(table_arn: Any) -> Statement:
    """Read, write and change single items."""
    return _allow([dynamodb.GetItem, dynamodb.PutItem, dynamodb.UpdateItem], table_arn)


def read_ledger(table_arn: Any) -> Statement:
    """Read items."""
    return _allow([dynamodb.GetItem, dynamodb.Query], table_arn)


def query_ledger_index(table_arn: Any, index: str) -> Statement:
    """Read the index of what somebody has to look after."""
    return _allow([dynamodb.Query], Join("/", [table_arn, "index", index]))


def consume(queue_arn: Any) -> Statement:
    """Receive messages by an event source mapping, and postpone those that failed."""
    return _allow(
        [
            sqs.ReceiveMessage,
            sqs.DeleteMessage,
            sqs.GetQueueAttributes,
            sqs.ChangeMessageVisibility,
        ],
        queue_arn,
    )


def count_messages(queue_arn: Any) -> Statement:
    """Read how many messages wait in a queue."""
    return _allow([sqs.GetQueueAttributes], queue_arn)


def send(*queue_arns: Any) -> Statement:
    """Send messages."""
    return _allow([sqs.SendMessage], *queue_arns)


def start_import(datastore_arn: Any, role_arn: Any) -> list[Statement]:
    """Start import jobs of one data store, handing HealthImaging the data access role and no other."""
    return [
        _allow([medical_imaging.StartDICOMImportJob], datastore_arn),
        Statement(
            Effect=Allow,
            Action=[iam.PassRole],
            Resource=[role_arn],
            Condition=Condition(StringEquals("iam:PassedToService", HEALTHIMAGING)),
        ),
    ]


def watch_imports(datastore_arn: Any) -> Statement:
    """Ask after import jobs of one data store."""
    return _allow([medical_imaging.GetDICOMImportJob], datastore_arn)


def write_logs(group_arn: Any) -> Statement:
    """Write to one log group, which the stack has made."""
    return _allow([logs.CreateLogStream, logs.PutLogEvents], group_arn)


def pull_image(repository_arn: Any) -> list[Statement]:
    """Pull one image."""
    return [
        _allow(
            [ecr.BatchCheckLayerAvailability, ecr.BatchGetImage, ecr.GetDownloadUrlForLayer],
            repository_arn,
        ),
        # The registry's token has no resource to name (service authorization reference, Amazon ECR).
        _allow([ecr.GetAuthorizationToken], "*"),
    ]


def read_secret(secret_arn: Any) -> list[Statement]:
    """Read one secret, also where a key of the customer's encrypts it."""
    return [
        _allow([secretsmanager.GetSecretValue], secret_arn),
        # Which key it is only Secrets Manager knows: any of this account, for this secret alone (Secrets
        # Manager user guide, "Secret encryption and decryption").
        Statement(
            Effect=Allow,
            Action=[kms.Decrypt],
            Resource=[Sub("arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*")],
            Condition=Condition(
                StringEquals(
                    {
                        "kms:ViaService": Sub("secretsmanager.${AWS::Region}.amazonaws.com"),
                        "kms:EncryptionContext:SecretARN": secret_arn,
                    }
                )
            ),
        ),
    ]


def invoke(function_arn: Any) -> Statement:
    """Invoke one function."""
    return _allow([awslambda.InvokeFunction], function_arn)


def arn_of(resource: Any) -> GetAtt:
    """Return a resource's ARN."""
    return GetAtt(resource, "Arn")


def _allow(actions: list[Action], *resources: Any) -> Statement:
    return Statement(Effect=Allow, Action=actions, Resource=list(resources))


def _below(bucket_arn: Any, *prefixes: str) -> list[Any]:
    return [Join("/", [bucket_arn, f"{prefix}*"]) for prefix in prefixes]
