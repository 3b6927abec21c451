"""Buckets, queues, ledger, data store: what the guide promises and what a real account does to them."""

from __future__ import annotations

from typing import Any

import pytest

from contract import schema
from contract.keys import BATCHES_PREFIX, INCOMING_PREFIX, QUARANTINE_PREFIX
from importer.adapters.s3 import IMPORTED_TAG
from tests.template_gen.rendering import ACCOUNT, document, of_type, policy_of, render, statements

BUCKETS = ("LandingBucket", "ResultsBucket", "AccessLogBucket")
WORK_QUEUES = {"ImportQueue": "StartImport", "OutcomeQueue": "RecordOutcome"}
BREAK_GLASS = "arn:aws:iam::123456789012:role/emergency"
STATEFUL = (*BUCKETS, "DicomImportJobTable")


def _properties(title: str) -> dict[str, Any]:
    found: dict[str, Any] = render()[title]["Properties"]
    return found


def _lifecycle(title: str) -> dict[str, dict[str, Any]]:
    rules = _properties(title)["LifecycleConfiguration"]["Rules"]
    return {rule["Id"]: rule for rule in rules}


def test_these_are_all_buckets() -> None:
    """None is forgotten below."""
    assert set(BUCKETS) == of_type(render(), "AWS::S3::Bucket").keys()


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_encrypted(bucket: str) -> None:
    """S3バケット: 保存時暗号化（S3マネージド暗号化）."""
    rules = _properties(bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rules[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_refuses_plain_connections(bucket: str) -> None:
    """S3バケット: SSL/TLS通信の強制."""
    refusals = [
        statement
        for statement in policy_of(render(), f"{bucket}Policy")
        if statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    ]

    assert [
        {
            "Sid": "RefusePlainConnections",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:*"],
            "Resource": [f"{bucket}.Arn", f"{bucket}.Arn/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ] == refusals


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_blocks_public_access(bucket: str) -> None:
    """S3バケット: パブリックアクセスのブロック."""
    assert set(_properties(bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    ownership = _properties(bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_versioned_and_drops_stale_uploads(bucket: str) -> None:
    """Each in a rule of its own."""
    assert _properties(bucket)["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = _lifecycle(bucket)
    assert set(rules["AbortStaleUploads"]) == {"Id", "Status", "AbortIncompleteMultipartUpload"}
    assert set(rules["ExpireNoncurrentVersions"]) == {
        "Id",
        "Status",
        "NoncurrentVersionExpiration",
    }


@pytest.mark.parametrize("title", STATEFUL)
def test_data_stays_when_the_stack_goes(title: str) -> None:
    """Retain on all data, also where an update would replace it."""
    resource = document()["Resources"][title]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_only_imported_originals_expire() -> None:
    """Warned, non-primary and quarantined originals, manifests and results stay."""
    expiring = [
        rule
        for bucket in ("LandingBucket", "ResultsBucket")
        for rule in _lifecycle(bucket).values()
        if "ExpirationInDays" in rule
    ]

    assert [
        {
            "Id": "ExpireImportedOriginals",
            "Status": "Enabled",
            "Prefix": INCOMING_PREFIX,
            "TagFilters": [IMPORTED_TAG],
            "ExpirationInDays": "30",
        }
    ] == expiring
    assert not QUARANTINE_PREFIX.startswith(INCOMING_PREFIX)


def test_nothing_that_landed_can_be_written_over() -> None:
    """Create-only by bucket policy, for anybody, the steps of a multipart upload exempted."""
    (statement,) = (
        s for s in policy_of(render(), "LandingBucketPolicy") if s["Sid"] == "RefuseOverwriting"
    )

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == ["s3:PutObject"]
    assert statement["Resource"] == [
        f"LandingBucket.Arn/{prefix}*"
        for prefix in ("incoming/", "batches/", "refused/", "commitments/")
    ]
    assert statement["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


@pytest.mark.parametrize("bucket", ["LandingBucket", "ResultsBucket"])
@pytest.mark.parametrize(
    ("options", "exempt"),
    [({}, "nobody"), ({"BreakGlassRoleARN": BREAK_GLASS}, BREAK_GLASS)],
    ids=["nobody", "a role for emergencies"],
)
def test_nobody_can_delete(bucket: str, options: dict[str, str], exempt: str) -> None:
    """No role of the stack and no administrator, but one that the hospital names."""
    (statement,) = (
        s
        for s in policy_of(render(**options), f"{bucket}Policy")
        if s.get("Sid") == "RefuseDeleting"
    )

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    assert statement["Resource"] == [f"{bucket}.Arn/*"]
    assert statement["Condition"] == {"StringNotEquals": {"aws:PrincipalArn": exempt}}


def test_the_receiver_can_only_add() -> None:
    """Whatever else its role may be given one day."""
    (statement,) = (
        s for s in policy_of(render(), "LandingBucketPolicy") if s["Sid"] == "ReceiverOnlyAdds"
    )

    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == {"AWS": "PacsServerTaskRole.Arn"}
    assert statement["NotAction"] == [
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:ListBucket",
    ]
    assert statement["Resource"] == ["LandingBucket.Arn", "LandingBucket.Arn/*"]


def test_the_receiver_can_read_no_image() -> None:
    """Manifests and storage commitment requests, whatever else its role may be given one day."""
    (statement,) = (
        s for s in policy_of(render(), "LandingBucketPolicy") if s["Sid"] == "ReceiverReadsNoImages"
    )

    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == {"AWS": "PacsServerTaskRole.Arn"}
    assert statement["Action"] == ["s3:GetObject"]
    assert statement["NotResource"] == [
        "LandingBucket.Arn/batches/*",
        "LandingBucket.Arn/commitments/*",
    ]


def test_only_record_outcome_tags() -> None:
    """A tag makes an original expire."""
    (statement,) = (
        s for s in policy_of(render(), "LandingBucketPolicy") if s["Sid"] == "OnlyRecordOutcomeTags"
    )

    assert statement["Effect"] == "Deny"
    assert statement["Action"] == ["s3:PutObjectTagging", "s3:PutObjectVersionTagging"]
    assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": "RecordOutcomeRole.Arn"}}


def test_manifests_are_announced() -> None:
    """S3 tells the import queue of each new manifest and of nothing else."""
    (configuration,) = _properties("LandingBucket")["NotificationConfiguration"][
        "QueueConfigurations"
    ]

    assert configuration["Queue"] == "ImportQueue.Arn"
    assert configuration["Event"] == "s3:ObjectCreated:*"
    assert configuration["Filter"]["S3Key"]["Rules"] == [
        {"Name": "prefix", "Value": BATCHES_PREFIX},
        {"Name": "suffix", "Value": ".json"},
    ]


def test_the_queue_lets_s3_in_before_the_bucket_is_made() -> None:
    """Queue policy before bucket notification, and no circle through the bucket's ARN."""
    resources = document()["Resources"]
    policy = policy_of(render(), "ImportQueuePolicy")[1]

    assert "ImportQueuePolicy" in resources["LandingBucket"]["DependsOn"]
    assert policy["Principal"] == {"Service": "s3.amazonaws.com"}
    assert policy["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"},
    }
    assert "LandingBucket" not in str(resources["ImportQueuePolicy"])


@pytest.mark.parametrize("queue", WORK_QUEUES)
def test_a_queue_keeps_what_it_cannot_deliver(queue: str) -> None:
    """14 days, dead letters, a high maxReceiveCount: throttled starts are no poison."""
    resources = render()
    properties = resources[queue]["Properties"]
    redrive = properties["RedrivePolicy"]
    dead_letters = resources[redrive["deadLetterTargetArn"].removesuffix(".Arn")]["Properties"]

    assert properties["MessageRetentionPeriod"] == 14 * 86400
    assert dead_letters["MessageRetentionPeriod"] == 14 * 86400
    assert redrive["maxReceiveCount"] >= 100


@pytest.mark.parametrize(("queue", "function"), WORK_QUEUES.items())
def test_a_message_stays_hidden_for_six_runs_of_its_function(queue: str, function: str) -> None:
    """AWS Lambda refuses less than one, and advises six."""
    resources = render()
    timeout = resources[function]["Properties"]["Timeout"]

    assert resources[queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout


def test_queues_are_encrypted_and_refuse_plain_connections() -> None:
    """Encryption managed by SQS, which S3 and EventBridge may send through."""
    resources = render()
    queues = of_type(resources, "AWS::SQS::Queue")

    assert all(properties["SqsManagedSseEnabled"] is True for properties in queues.values())
    for queue in queues:
        refusal = policy_of(resources, f"{queue}Policy")[0]
        assert refusal["Effect"] == "Deny"
        assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_table_can_be_restored_and_is_encrypted() -> None:
    """DynamoDB: ポイントインタイムリカバリ有効化、保存時暗号化."""
    table = _properties("DicomImportJobTable")

    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True


def test_the_table_cannot_be_deleted_by_mistake() -> None:
    """The stack lets go of it anyway; whoever means it switches the protection off."""
    assert _properties("DicomImportJobTable")["DeletionProtectionEnabled"] is True


def test_the_tables_keys_and_index_are_the_ledgers() -> None:
    """The importer's schema is the only source."""
    table = _properties("DicomImportJobTable")
    (index,) = table["GlobalSecondaryIndexes"]

    assert [key["AttributeName"] for key in table["KeySchema"]] == [
        schema.PARTITION_KEY,
        schema.SORT_KEY,
    ]
    assert index["IndexName"] == schema.STATE_INDEX
    assert [key["AttributeName"] for key in index["KeySchema"]] == [
        schema.STATE_SHARD,
        schema.STATE_TIME,
    ]
    assert index["Projection"]["NonKeyAttributes"] == list(schema.STATE_INDEX_ATTRIBUTES)


def test_the_data_store_outlives_the_stack() -> None:
    """RetainExceptOnCreate, UpdateReplacePolicy Retain, no tags: a change of them would replace it."""
    datastore = document()["Resources"]["Datastore"]

    assert datastore["DeletionPolicy"] == "RetainExceptOnCreate"
    assert datastore["UpdateReplacePolicy"] == "Retain"
    assert datastore["Properties"].keys() == {"DatastoreName", "KmsKeyArn"}
    assert _properties("Datastore").keys() == {"DatastoreName"}


def test_an_existing_data_store_is_used_everywhere() -> None:
    """No new one, and functions, event rule and roles name the given one."""
    given = "0123456789abcdef0123456789abcdef"
    resources = render(ExistingDatastoreID=given)

    assert "Datastore" not in resources
    assert (
        resources["StartImport"]["Properties"]["Environment"]["Variables"]["DATASTORE_ID"] == given
    )
    pattern = resources["OutcomeRule"]["Properties"]["EventPattern"]
    assert pattern["detail"] == {"datastoreId": [given]}
    trust = resources["DataAccessRole"]["Properties"]["AssumeRolePolicyDocument"]
    assert given in trust["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"]


def test_originals_can_be_copied_to_another_region_and_removals_never_are() -> None:
    """Everything that lands, with the rights on both sides and no circle."""
    resources = render(ReplicaBucketARN="arn:aws:s3:::copies")
    replication = resources["LandingBucket"]["Properties"]["ReplicationConfiguration"]
    (rule,) = replication["Rules"]
    source = resources["ReplicationSourcePolicy"]["Properties"]
    granted = {
        (action, resource)
        for role, statement in statements(resources)
        if role == "ReplicationRole"
        for action in statement["Action"]
        for resource in statement["Resource"]
    }

    assert replication["Role"] == "ReplicationRole.Arn"
    assert rule["Destination"] == {"Bucket": "arn:aws:s3:::copies"}
    assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}
    assert granted == {
        ("s3:ReplicateObject", "arn:aws:s3:::copies/*"),
        ("s3:ReplicateTags", "arn:aws:s3:::copies/*"),
    }
    assert source["Roles"] == ["ReplicationRole"]
    assert "s3:GetObjectVersionForReplication" in str(source["PolicyDocument"])


def test_without_a_bucket_for_them_there_are_no_copies() -> None:
    """The option leaves nothing behind."""
    resources = render()

    assert "ReplicationConfiguration" not in resources["LandingBucket"]["Properties"]
    assert not {"ReplicationRole", "ReplicationSourcePolicy"} & resources.keys()


KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-0123-0123-0123-0123456789ab"


@pytest.mark.parametrize(
    ("options", "key"),
    [({"KMSKeyARN": KEY}, KEY), ({"CreateKMSKey": "true"}, "DataKey.Arn")],
    ids=["existing", "of the stack"],
)
def test_a_key_encrypts_all_data(options: dict[str, str], key: str) -> None:
    """Images, results, ledger and data store; every role that touches them may use it there."""
    resources = render(**options)

    for bucket in ("LandingBucket", "ResultsBucket"):
        encryption = resources[bucket]["Properties"]["BucketEncryption"]
        (rule,) = encryption["ServerSideEncryptionConfiguration"]
        assert rule == {
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
            "BucketKeyEnabled": True,
        }
    table = resources["DicomImportJobTable"]["Properties"]
    assert table["SSESpecification"]["KMSMasterKeyId"] == key
    assert resources["Datastore"]["Properties"]["KmsKeyArn"] == key
    (policy,) = of_type(resources, "AWS::IAM::Policy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == [key]
    assert statement["Condition"] == {
        "StringEquals": {
            "kms:ViaService": [
                f"{service}.us-east-1.amazonaws.com"
                for service in ("s3", "dynamodb", "medical-imaging")
            ]
        }
    }
    assert set(policy["Roles"]) == of_type(resources, "AWS::IAM::Role").keys() - {
        "PacsServerExecutionRole",
        "PreflightFunctionRole",
    }


def test_the_stacks_own_key_outlives_it() -> None:
    """Without it the data would be lost; nobody else's key is made without being asked for."""
    resources = render(CreateKMSKey="true")

    assert resources["DataKey"]["DeletionPolicy"] == "Retain"
    assert resources["DataKey"]["Properties"]["EnableKeyRotation"] is True
    root, service = resources["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert root["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert service["Principal"] == {"Service": "medical-imaging.amazonaws.com"}
    assert service["Condition"] == {
        "StringLike": {"kms:EncryptionContext:kms-arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"}
    }
    assert "DataKey" not in render()
    assert of_type(render(), "AWS::IAM::Policy") == {}
