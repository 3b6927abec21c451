"""What the scanners say that is not so here, or is meant so; a waiver without a finding fails the scan."""

from __future__ import annotations

from ci.scan.findings import Waiver

_FUNCTIONS = ("PreflightFunction", "StartImport", "RecordOutcome", "Sweep", "Redrive", "View")
_LOG_GROUPS = ("*LogGroup",)
_BUCKETS = ("LandingBucket", "ResultsBucket", "AccessLogBucket")

CHECKOV = (
    Waiver(
        ("CKV_AWS_158",),
        _LOG_GROUPS,
        "Logs hold no patient data and are encrypted by CloudWatch Logs itself.",
    ),
    Waiver(
        ("CKV_AWS_173",),
        tuple(name for name in _FUNCTIONS if name != "PreflightFunction"),
        "The variables are names of resources, no secrets; Lambda encrypts them by its own key.",
    ),
    Waiver(
        ("CKV_AWS_116",),
        _FUNCTIONS,
        "Queues with dead letters of their own feed the importers; Sweep's next run does the same work; "
        "the others answer somebody who waits.",
    ),
    Waiver(
        ("CKV_AWS_117",),
        _FUNCTIONS,
        "They call services of AWS only, by IAM; in the VPC they would need its routes and addresses.",
    ),
    Waiver(
        ("CKV_AWS_115",),
        _FUNCTIONS,
        "Reserved concurrency fails in accounts with a small quota; event source mappings are limited.",
    ),
    Waiver(
        ("CKV_AWS_27",),
        ("*Queue",),
        "SQS encrypts by its own keys (SqsManagedSseEnabled), which this check does not know.",
    ),
    Waiver(
        ("CKV_AWS_18",),
        ("AccessLogBucket",),
        "A bucket that logs its own logs never comes to rest.",
    ),
    Waiver(
        ("CKV_AWS_19",),
        ("LandingBucket", "ResultsBucket"),
        "Encrypted, by a key if there is one: the check does not look into Fn::If.",
    ),
    Waiver(
        ("CKV_AWS_91",),
        ("PacsNLB",),
        "Network Load Balancers log TLS connections only; on when there is TLS, by Fn::If.",
    ),
    Waiver(
        ("CKV_AWS_2", "CKV_AWS_103"),
        ("PacsListener",),
        "DICOM, not HTTP; TLS 1.2 or 1.3 as soon as TLSCertificateARN is given, by Fn::If.",
    ),
    Waiver(
        ("CKV_AWS_65",),
        ("PacsCluster",),
        "The service's own figures and the product's metrics tell what Container Insights would, unpaid.",
    ),
    Waiver(
        ("CKV_AWS_26",),
        ("AlarmTopic",),
        "CloudWatch cannot publish under SNS's own key, and an alarm names no patient.",
    ),
    Waiver(
        ("CKV_AWS_111", "CKV_AWS_109"),
        ("DeployDataPolicy",),
        "KMS keys, data stores and key grants have ids, not names; a key's use is bound to services.",
    ),
    Waiver(
        ("CKV_AWS_111",),
        ("DeployComputePolicy",),
        "Resources of EC2, Elastic Load Balancing and ECS have ids, which are not known before.",
    ),
)
"""Of Checkov."""

GUARD = (
    Waiver(
        ("cloudwatch_log_group_retention_period_check",),
        _LOG_GROUPS,
        "LogRetentionDays decides, from 30 days up; the rule wants a number, not a reference.",
    ),
    Waiver(
        ("cloudwatch_log_group_encrypted_check",),
        _LOG_GROUPS,
        "As CKV_AWS_158.",
    ),
    Waiver(
        ("ecs_container_insights_enabled_check",),
        ("PacsCluster",),
        "As CKV_AWS_65.",
    ),
    Waiver(
        ("ecs_task_definition_memory_hard_limit_check",),
        ("PacsServerTaskDef",),
        "On Fargate the task's memory is the limit, and there is one container.",
    ),
    Waiver(
        ("nlb_cross_zone_load_balancing_enabled_check", "elbv2_logging_enabled_check"),
        ("PacsNLB",),
        "Cross-zone is on; logging is, with TLS: the rules do not look into Fn::If beside them.",
    ),
    Waiver(
        ("elbv2_deletion_protection_enabled_check",),
        ("PacsNLB",),
        "It would keep the stack from being deleted; the load balancer holds no data.",
    ),
    Waiver(
        ("kms_create_grant_aws_service_check",),
        ("DataKey",),
        "KMS's default policy: IAM of the account decides, and no role of the stack may grant.",
    ),
    Waiver(
        ("lambda_inside_vpc_check",),
        _FUNCTIONS,
        "As CKV_AWS_117.",
    ),
    Waiver(
        ("s3_bucket_default_encryption_kms_check",),
        _BUCKETS,
        "KMS is the customer's choice (CreateKMSKey, KMSKeyARN); access logs can only have S3's own key.",
    ),
    Waiver(
        ("s3_bucket_logging_enabled_check",),
        ("AccessLogBucket",),
        "As CKV_AWS_18.",
    ),
    Waiver(
        ("s3_event_notifications_enabled_check",),
        ("ResultsBucket", "AccessLogBucket"),
        "HealthImaging tells by EventBridge when a job has ended; nobody waits for an access log.",
    ),
    Waiver(
        ("s3_bucket_policy_ssl_requests_only_check",),
        tuple(f"{bucket}Policy" for bucket in _BUCKETS),
        "Plain HTTP is refused (a test of the template holds it); the rule wants one action, not a list.",
    ),
    Waiver(
        ("s3_bucket_object_lock_enabled_check",),
        _BUCKETS,
        "Nothing in the stack may overwrite or delete; a lock would also keep imported originals for ever.",
    ),
    Waiver(
        ("sqs_dlq_check",),
        ("ImportDeadLetterQueue", "OutcomeDeadLetterQueue"),
        "They are the dead-letter queues.",
    ),
)
"""Of CloudFormation Guard, Control Tower's proactive controls."""
