"""What the buckets themselves refuse, whatever a role may be allowed."""

from __future__ import annotations

from typing import Any

from awacs import s3
from awacs.aws import (
    Action,
    Allow,
    ArnLike,
    ArnNotEquals,
    Bool,
    Condition,
    Deny,
    Null,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
    StringNotEquals,
)
from troposphere import AccountId, AWSHelperFn, If, Join, Ref, Sub, Template
from troposphere.iam import Role
from troposphere.s3 import Bucket, BucketPolicy

from contract.keys import COMMITMENTS_PREFIX, INCOMING_PREFIX
from template_gen.conditions import Conditions
from template_gen.parameters import Parameters
from template_gen.permissions import LANDING_PREFIXES, arn_of
from template_gen.storage import LOAD_BALANCER_LOG_PREFIX, Storage
from template_gen.storage_commitment import READABLE_PREFIXES

_NOBODY = "nobody"
"""No principal's ARN."""


def add_bucket_policies(
    template: Template,
    p: Parameters,
    c: Conditions,
    storage: Storage,
    *,
    receiver: Role,
    tagger: Role,
) -> BucketPolicy:
    """Add a policy to each bucket; return the access logs', which the load balancer waits for.

    Args:
        template: To add to.
        p: The form.
        c: The conditions.
        storage: The buckets.
        receiver: The only role that may write where instances land, by new objects alone.
        tagger: The only role that may tag what landed.
    """
    landing = storage.landing
    break_glass = If(c.has_break_glass_role, Ref(p.break_glass_role_arn), _NOBODY)
    _add(
        template,
        landing,
        _refuse_overwriting(landing),
        _refuse_deleting(landing, break_glass),
        *_refuse_more_than_writing(landing, receiver),
        _refuse_tagging_by_others(landing, tagger),
    )
    _add(template, storage.results, _refuse_deleting(storage.results, break_glass))
    return _add(
        template, storage.access_logs, _let_s3_log(storage), *_let_load_balancer_log(storage)
    )


def _add(template: Template, bucket: Bucket, *statements: Statement) -> BucketPolicy:
    arn = arn_of(bucket)
    refuse_plain = Statement(
        Sid="RefusePlainConnections",
        Effect=Deny,
        Principal=Principal("*"),
        Action=[Action("s3", "*")],
        Resource=[arn, Join("/", [arn, "*"])],
        Condition=Condition(Bool("aws:SecureTransport", "false")),
    )
    return template.add_resource(
        BucketPolicy(
            f"{bucket.title}Policy",
            Bucket=Ref(bucket),
            PolicyDocument=PolicyDocument(
                Version="2012-10-17", Statement=[refuse_plain, *statements]
            ),
        )
    )


def _refuse_overwriting(landing: Bucket) -> Statement:
    """Refuse every write that does not say If-None-Match, anybody's.

    The steps of a multipart upload other than its completion cannot say it; the second key exempts
    them (Amazon S3 user guide, "Enforce conditional writes on Amazon S3 buckets").
    """
    return Statement(
        Sid="RefuseOverwriting",
        Effect=Deny,
        Principal=Principal("*"),
        Action=[s3.PutObject],
        Resource=_below(landing, *LANDING_PREFIXES, COMMITMENTS_PREFIX),
        Condition=Condition(
            [
                Null("s3:if-none-match", "true"),
                Bool("s3:ObjectCreationOperation", "true"),
            ]
        ),
    )


def _refuse_deleting(bucket: Bucket, break_glass: AWSHelperFn) -> Statement:
    """Refuse deletions by anybody but the role for emergencies.

    Lifecycle rules are S3's own and no policy stops them (Amazon S3 user guide, "Expiring objects").
    """
    return Statement(
        Sid="RefuseDeleting",
        Effect=Deny,
        Principal=Principal("*"),
        Action=[s3.DeleteObject, s3.DeleteObjectVersion],
        Resource=[Join("/", [arn_of(bucket), "*"])],
        Condition=Condition(StringNotEquals("aws:PrincipalArn", break_glass)),
    )


def _refuse_more_than_writing(landing: Bucket, receiver: Role) -> list[Statement]:
    """Let the receiver add, and read back what storage commitment needs, whatever its role says."""
    arn = arn_of(landing)
    whom = Principal("AWS", arn_of(receiver))
    return [
        Statement(
            Sid="ReceiverOnlyAdds",
            Effect=Deny,
            Principal=whom,
            NotAction=[s3.PutObject, s3.AbortMultipartUpload, s3.GetObject, s3.ListBucket],
            Resource=[arn, Join("/", [arn, "*"])],
        ),
        Statement(
            Sid="ReceiverReadsNoImages",
            Effect=Deny,
            Principal=whom,
            Action=[s3.GetObject],
            NotResource=_below(landing, *READABLE_PREFIXES),
        ),
    ]


def _refuse_tagging_by_others(landing: Bucket, tagger: Role) -> Statement:
    # A tag makes an original expire.
    return Statement(
        Sid="OnlyRecordOutcomeTags",
        Effect=Deny,
        Principal=Principal("*"),
        Action=[s3.PutObjectTagging, s3.PutObjectVersionTagging],
        Resource=_below(landing, INCOMING_PREFIX),
        Condition=Condition(ArnNotEquals("aws:PrincipalArn", arn_of(tagger))),
    )


def _let_s3_log(storage: Storage) -> Statement:
    return Statement(
        Sid="LetS3Log",
        Effect=Allow,
        Principal=Principal("Service", "logging.s3.amazonaws.com"),
        Action=[s3.PutObject],
        Resource=[Join("/", [arn_of(storage.access_logs), "*"])],
        Condition=Condition(
            [
                StringEquals("aws:SourceAccount", AccountId),
                ArnLike("aws:SourceArn", [arn_of(storage.landing), arn_of(storage.results)]),
            ]
        ),
    )


def _let_load_balancer_log(storage: Storage) -> list[Statement]:
    """Let the log delivery service write (Elastic Load Balancing user guide, NLB access logs)."""
    deliverer = Principal("Service", "delivery.logs.amazonaws.com")
    own_logs = ArnLike(
        "aws:SourceArn", Sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*")
    )
    arn = arn_of(storage.access_logs)
    return [
        Statement(
            Sid="LetLogDeliveryLook",
            Effect=Allow,
            Principal=deliverer,
            Action=[s3.GetBucketAcl],
            Resource=[arn],
            Condition=Condition([StringEquals("aws:SourceAccount", AccountId), own_logs]),
        ),
        Statement(
            Sid="LetLoadBalancerLog",
            Effect=Allow,
            Principal=deliverer,
            Action=[s3.PutObject],
            Resource=[Join("/", [arn, LOAD_BALANCER_LOG_PREFIX, "AWSLogs", AccountId, "*"])],
            Condition=Condition(
                [
                    StringEquals(
                        {
                            "aws:SourceAccount": AccountId,
                            "s3:x-amz-acl": "bucket-owner-full-control",
                        }
                    ),
                    own_logs,
                ]
            ),
        ),
    ]


def _below(bucket: Bucket, *prefixes: str) -> list[Any]:
    return [Join("/", [arn_of(bucket), f"{prefix}*"]) for prefix in prefixes]
