"""A template with the product's wiring and nothing else, made by hand: the interpreter's own input."""

from __future__ import annotations

from typing import Any

from contract import schema

ROLE = {"Fn::GetAtt": ["Role", "Arn"]}


def function(name: str, **variables: Any) -> dict[str, Any]:
    common = {
        "LANDING_BUCKET": {"Ref": "Landing"},
        "TABLE_NAME": {"Ref": "Ledger"},
        "STACK_NAME": {"Ref": "AWS::StackName"},
        "LOG_LEVEL": "INFO",
    }
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Handler": f"importer.handlers.{name}.handler",
            "Timeout": 60,
            "Environment": {"Variables": common | variables},
        },
    }


def queue(dead_letters: str = "") -> dict[str, Any]:
    properties: dict[str, Any] = {"VisibilityTimeout": 360, "MessageRetentionPeriod": 1209600}
    if dead_letters:
        arn = {"Fn::GetAtt": [dead_letters, "Arn"]}
        properties["RedrivePolicy"] = {"deadLetterTargetArn": arn, "maxReceiveCount": 1000}
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def mapping(function_id: str, queue_id: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": {"Ref": function_id},
            "EventSourceArn": {"Fn::GetAtt": [queue_id, "Arn"]},
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 2},
        },
    }


def container() -> list[dict[str, Any]]:
    landing = {"Fn::Sub": "s3://${Landing}"}
    values = {"LANDING_URL": landing, "AE_TITLE": {"Ref": "SCPAETitle"}, "PROXY_PROTOCOL": "true"}
    return [{"Name": name, "Value": value} for name, value in values.items()]


def table() -> dict[str, Any]:
    names = [schema.PARTITION_KEY, schema.SORT_KEY, schema.STATE_SHARD, schema.STATE_TIME]
    keys = [
        {"AttributeName": n, "KeyType": t}
        for n, t in zip(names, ("HASH", "RANGE") * 2, strict=True)
    ]
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": [*schema.STATE_INDEX_ATTRIBUTES]}
    index = {"IndexName": schema.STATE_INDEX, "KeySchema": keys[2:], "Projection": projection}
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in names],
            "KeySchema": keys[:2],
            "GlobalSecondaryIndexes": [index],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    }


def template() -> dict[str, Any]:
    """Return the template."""
    queues = {
        "IMPORT_QUEUE_URL": {"Ref": "ImportQueue"},
        "OUTCOME_QUEUE_URL": {"Ref": "OutcomeQueue"},
    }
    store = {
        "DATASTORE_ID": {"Fn::GetAtt": "Store.DatastoreId"},
        "RESULTS_BUCKET": {"Ref": "Results"},
    }
    notification = {
        "Event": "s3:ObjectCreated:*",
        "Queue": {"Fn::GetAtt": ["ImportQueue", "Arn"]},
        "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "batches/"}]}},
    }
    pattern = {
        "source": ["aws.medical-imaging"],
        "detail-type": ["Import Job Completed", "Import Job Failed"],
        "detail": {"datastoreId": [{"Fn::GetAtt": ["Store", "DatastoreId"]}]},
    }
    return {
        "Parameters": {
            "VpcID": {"Type": "AWS::EC2::VPC::Id"},
            "SCPAETitle": {
                "Type": "String",
                "Default": "STORESCP",
                "AllowedPattern": "[A-Z]{1,16}",
            },
            "Bulk": {"Type": "String", "Default": "false"},
        },
        "Conditions": {"IsBulk": {"Fn::Equals": [{"Ref": "Bulk"}, "true"]}},
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
            "Ledger": table(),
            "Landing": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "NotificationConfiguration": {"QueueConfigurations": [notification]},
                },
            },
            "Results": {"Type": "AWS::S3::Bucket"},
            "Bulk": {"Type": "AWS::S3::Bucket", "Condition": "IsBulk"},
            "Store": {
                "Type": "AWS::HealthImaging::Datastore",
                "Properties": {"DatastoreName": "images"},
            },
            "DeadLetters": queue(),
            "ImportQueue": queue("DeadLetters"),
            "OutcomeQueue": queue("DeadLetters"),
            "StartImport": function("start_import", DATA_ACCESS_ROLE_ARN=ROLE, **queues, **store),
            "RecordOutcome": function("record_outcome", **queues, **store),
            "Sweep": function("sweep", **queues),
            "View": function("view"),
            "StartImportMapping": mapping("StartImport", "ImportQueue"),
            "RecordOutcomeMapping": mapping("RecordOutcome", "OutcomeQueue"),
            "Ended": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": pattern,
                    "Targets": [{"Id": "q", "Arn": {"Fn::GetAtt": ["OutcomeQueue", "Arn"]}}],
                },
            },
            "EveryFiveMinutes": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "ScheduleExpression": "rate(5 minutes)",
                    "Targets": [{"Id": "f", "Arn": {"Fn::GetAtt": ["Sweep", "Arn"]}}],
                },
            },
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"ContainerDefinitions": [{"Name": "r", "Environment": container()}]},
            },
        },
    }
