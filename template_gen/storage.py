"""The buckets: where instances land, where jobs write their output, where S3 logs access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, NoValue, Ref, Template
from troposphere.s3 import (
    AbortIncompleteMultipartUpload,
    Bucket,
    BucketEncryption,
    Filter,
    LifecycleConfiguration,
    LifecycleRule,
    LoggingConfiguration,
    NoncurrentVersionExpiration,
    NotificationConfiguration,
    OwnershipControls,
    OwnershipControlsRule,
    PublicAccessBlockConfiguration,
    QueueConfigurations,
    Rules,
    S3Key,
    ServerSideEncryptionByDefault,
    ServerSideEncryptionRule,
    TagFilter,
    VersioningConfiguration,
)

from contract.keys import BATCHES_PREFIX, INCOMING_PREFIX, MANIFEST_SUFFIX
from importer.adapters.s3 import IMPORTED_TAG
from template_gen.encryption import Encryption
from template_gen.parameters import Parameters
from template_gen.permissions import arn_of
from template_gen.queues import Queues

STALE_UPLOAD_DAYS = 2
"""An upload lasts minutes; what is older was left by a task that died."""
NONCURRENT_DAYS = 30
"""How long an operator's deletion, or an expiry, can be undone."""
ACCESS_LOG_DAYS = 365
LOAD_BALANCER_LOG_PREFIX = "load-balancer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The buckets."""

    landing: Bucket
    results: Bucket
    access_logs: Bucket


def add_storage(
    template: Template,
    p: Parameters,
    queues: Queues,
    *,
    encryption: Encryption,
    replication: AWSHelperFn,
) -> Storage:
    """Add the buckets; their policies come with `bucket_policies`, once the roles are there.

    Args:
        template: To add to.
        p: The form.
        queues: The import queue is told of each manifest.
        encryption: Of landing and results bucket.
        replication: Of the landing bucket.
    """
    algorithm = encryption.if_key("aws:kms", "AES256")
    access_logs = template.add_resource(
        Bucket(
            "AccessLogBucket",
            **_protection("AES256", NoValue),
            LifecycleConfiguration=LifecycleConfiguration(
                Rules=[
                    *_housekeeping(),
                    LifecycleRule(
                        Id="ExpireAccessLogs", Status="Enabled", ExpirationInDays=ACCESS_LOG_DAYS
                    ),
                ]
            ),
        )
    )
    landing = template.add_resource(
        Bucket(
            "LandingBucket",
            # S3 tests the notification when it is set, so the queue must let it in before.
            DependsOn=[queues.import_queue_policy.title],
            **_protection(algorithm, encryption.key),
            LoggingConfiguration=_logged_to(access_logs, "landing/"),
            ReplicationConfiguration=replication,
            NotificationConfiguration=NotificationConfiguration(
                QueueConfigurations=[
                    QueueConfigurations(
                        Event="s3:ObjectCreated:*",
                        Queue=arn_of(queues.import_queue),
                        Filter=Filter(
                            S3Key=S3Key(
                                Rules=[
                                    Rules(Name="prefix", Value=BATCHES_PREFIX),
                                    Rules(Name="suffix", Value=MANIFEST_SUFFIX),
                                ]
                            )
                        ),
                    )
                ]
            ),
            LifecycleConfiguration=LifecycleConfiguration(
                Rules=[
                    *_housekeeping(),
                    # Each of the rules by itself, so that no filter of one can narrow another. Nothing
                    # else expires: not quarantine, not manifests, not what was refused.
                    LifecycleRule(
                        Id="ExpireImportedOriginals",
                        Status="Enabled",
                        Prefix=INCOMING_PREFIX,
                        TagFilters=[TagFilter(**IMPORTED_TAG)],
                        ExpirationInDays=Ref(p.expire_imported_after_days),
                    ),
                ]
            ),
        )
    )
    results = template.add_resource(
        Bucket(
            "ResultsBucket",
            **_protection(algorithm, encryption.key),
            LoggingConfiguration=_logged_to(access_logs, "results/"),
            LifecycleConfiguration=LifecycleConfiguration(Rules=_housekeeping()),
        )
    )
    return Storage(landing=landing, results=results, access_logs=access_logs)


def _protection(algorithm: str | AWSHelperFn, key: AWSHelperFn) -> dict[str, Any]:
    """What every bucket has. It stays when the stack goes, and no update of the stack replaces it."""
    return {
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "BucketEncryption": BucketEncryption(
            ServerSideEncryptionConfiguration=[
                ServerSideEncryptionRule(
                    ServerSideEncryptionByDefault=ServerSideEncryptionByDefault(
                        SSEAlgorithm=algorithm, KMSMasterKeyID=key
                    ),
                    # One call of KMS for many objects; without a key it means nothing.
                    BucketKeyEnabled=True,
                )
            ]
        ),
        "PublicAccessBlockConfiguration": PublicAccessBlockConfiguration(
            BlockPublicAcls=True,
            BlockPublicPolicy=True,
            IgnorePublicAcls=True,
            RestrictPublicBuckets=True,
        ),
        "OwnershipControls": OwnershipControls(
            Rules=[OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        "VersioningConfiguration": VersioningConfiguration(Status="Enabled"),
    }


def _housekeeping() -> list[LifecycleRule]:
    return [
        LifecycleRule(
            Id="AbortStaleUploads",
            Status="Enabled",
            AbortIncompleteMultipartUpload=AbortIncompleteMultipartUpload(
                DaysAfterInitiation=STALE_UPLOAD_DAYS
            ),
        ),
        LifecycleRule(
            Id="ExpireNoncurrentVersions",
            Status="Enabled",
            NoncurrentVersionExpiration=NoncurrentVersionExpiration(NoncurrentDays=NONCURRENT_DAYS),
        ),
        LifecycleRule(
            Id="RemoveEmptyDeleteMarkers", Status="Enabled", ExpiredObjectDeleteMarker=True
        ),
    ]


def _logged_to(bucket: Bucket, prefix: str) -> LoggingConfiguration:
    return LoggingConfiguration(DestinationBucketName=Ref(bucket), LogFilePrefix=prefix)
