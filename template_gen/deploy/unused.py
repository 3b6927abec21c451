"""What CloudFormation would need for features that the template does not use.

The registry's schemas name the actions of a type's every feature. Patterns are fnmatch's, each group with its
reason; a test holds that each pattern still takes something away, and that none takes a read that the handlers
make of every resource.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unused:
    """A feature that the template does not use, and its actions."""

    reason: str
    patterns: tuple[str, ...]


UNUSED = (
    Unused(
        "nobody who launches a stack reads or writes what is in it",
        (
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "s3:DeleteObject",
            "s3:GetObjectMetadata",
            "s3:GetObjectVersion",
            "s3:PutObjectAcl",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "logs:DescribeLogStreams",
            "kms:Encrypt",
        ),
    ),
    Unused(
        "the ledger has no stream, replica, import, policy of its own, expiry or insights",
        (
            "kinesis:*",
            "dynamodb:*ableKinesisStreamingDestination",
            "dynamodb:UpdateKinesisStreamingDestination",
            "dynamodb:*TableReplica",
            "dynamodb:ImportTable",
            "dynamodb:DescribeImport",
            "dynamodb:PutResourcePolicy",
            "dynamodb:DeleteResourcePolicy",
            "dynamodb:UpdateTimeToLive",
            "dynamodb:UpdateContributorInsights",
        ),
    ),
    Unused(
        "the buckets have no website, analytics, object lock, tables or acceleration",
        (
            "s3tables:*",
            "s3:Put*AnalyticsConfiguration",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:PutIntelligentTieringConfiguration",
            "s3:PutAccelerateConfiguration",
            "s3:PutBucketAbac",
            "s3:PutBucketAcl",
            "s3:PutBucketCORS",
            "s3:PutBucketWebsite",
            "s3:Put*ObjectLockConfiguration",
            "s3:CreateBucketMetadataTableConfiguration",
            "s3:DeleteBucketMetadataTableConfiguration",
            "s3:UpdateBucketMetadata*",
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketCors",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:DeleteBucketWebsite",
            "s3:DeleteBucketEncryption",
            "s3:DeleteBucketLifecycle",
        ),
    ),
    Unused(
        "IAM knows them by another name, PutReplicationConfiguration, which is there too",
        ("s3:PutBucketReplication", "s3:DeleteBucketReplication"),
    ),
    Unused(
        "the functions have no VPC, file system, layer, signing, version or provisioned concurrency",
        (
            "elasticfilesystem:*",
            "s3files:*",
            "ec2:DescribeNetworkInterfaces",
            "lambda:*ProvisionedConcurrencyConfig",
            "lambda:PutFunctionConcurrency",
            "lambda:DeleteFunctionConcurrency",
            "lambda:PutFunctionCodeSigningConfig",
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:GetCodeSigningConfig",
            "lambda:GetLayerVersion",
            "lambda:PutRuntimeManagementConfig",
            "lambda:PutFunctionRecursionConfig",
            "lambda:PutFunctionScalingConfig",
            "lambda:PassCapacityProvider",
            "lambda:AssociateRuntimeAlias",
            "lambda:PublishVersion",
        ),
    ),
    Unused(
        "log groups and the topic have no key, delivery, index or data protection of their own",
        (
            "firehose:*",
            "s3:REST.PUT.OBJECT",
            "logs:AssociateKmsKey",
            "logs:DisassociateKmsKey",
            "logs:CreateLogDelivery",
            "logs:*IndexPolicy",
            "logs:PutDataProtectionPolicy",
            "logs:DeleteDataProtectionPolicy",
            "logs:PutResourcePolicy",
            "logs:DeleteResourcePolicy",
            "logs:PutBearerTokenAuthentication",
            "logs:PutLogGroupDeletionProtection",
            "sns:PutDataProtectionPolicy",
        ),
    ),
    Unused(
        "roles have inline policies only, and there are no users and groups",
        (
            "iam:*UserPolicy",
            "iam:*GroupPolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
        ),
    ),
    Unused(
        "addresses belong to the load balancer, which has TCP targets that ECS registers",
        (
            "cognito-idp:*",
            "ec2:AcceptAddressTransfer",
            "ec2:AssociateAddress",
            "ec2:DisassociateAddress",
            "ec2:DescribeIpamPools",
            "ec2:DescribeInstances",
            "elasticloadbalancing:ModifyCapacityReservation",
            "elasticloadbalancing:ModifyIpPools",
            "elasticloadbalancing:SetIpAddressType",
            "elasticloadbalancing:*gisterTargets",
            "vpc-lattice:*",
            "vpce:*",
        ),
    ),
    Unused(
        "the service scales by load alone, and the account's settings are the account's",
        (
            "application-autoscaling:PutScheduledAction",
            "application-autoscaling:DeleteScheduledAction",
            "ecs:PutAccountSetting*",
            "ecs:PutClusterCapacityProviders",
        ),
    ),
    Unused(
        "a key outlives the stack and is never switched off",
        ("kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:DisableKeyRotation", "kms:ListAliases"),
    ),
)
