"""Makes what the stack describes, through the emulated services' own APIs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.references import resolve, target
from local.template import REGION, Resource, Stack

ACCOUNT_ID = "123456789012"

Client = Callable[[str], Any]
"""Takes a service's name, returns its boto3 client."""

_QUEUE_ATTRIBUTES = (
    "VisibilityTimeout",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "MessageRetentionPeriod",
    "MaximumMessageSize",
)
_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "BillingMode",
    "ProvisionedThroughput",
)
_ARNS = {
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT_ID}:role/{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{{}}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/{{}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{{}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{{}}:*",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{{}}",
}


class ProvisionError(Exception):
    """The stack asks for something that has no local meaning."""


@dataclass(slots=True)
class PhysicalIds:
    """Physical ids by logical id and attribute; what was not made has a plausible name."""

    stack: Stack
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, logical_id: str, ref: str, **attributes: str) -> None:
        """Record what a resource became."""
        self.known[logical_id, ""] = ref
        for name, value in attributes.items():
            self.known[logical_id, name] = value

    def __call__(self, logical_id: str, attribute: str) -> str:
        """Return the physical id of a reference."""
        if (logical_id, attribute) in self.known:
            return self.known[logical_id, attribute]
        resource = self.stack.get(logical_id)
        if resource is not None and attribute == "Arn" and resource.type in _ARNS:
            return _ARNS[resource.type].format(logical_id)
        return f"{logical_id}.{attribute}" if attribute else logical_id


def provision(stack: Stack, client: Client) -> PhysicalIds:
    """Make tables, queues, buckets, data stores and rules, and return their physical ids.

    Policies, encryption and lifecycle rules are not acted out: there is one account, one key and no time.
    """
    ids = PhysicalIds(stack)
    for resource in stack.of_type("AWS::DynamoDB::Table"):
        _make_table(resource, ids, client("dynamodb"))
    queues = list(stack.of_type("AWS::SQS::Queue"))
    for resource in queues:
        _make_queue(resource, ids, client("sqs"))
    for resource in queues:
        _set_redrive(resource, ids, client("sqs"))
    for resource in stack.of_type("AWS::HealthImaging::Datastore"):
        _make_datastore(resource, ids, client("medical-imaging"))
    buckets = list(stack.of_type("AWS::S3::Bucket"))
    for resource in buckets:
        _make_bucket(resource, ids, client("s3"))
    for resource in buckets:
        _set_notifications(resource, ids, client("s3"))
    for resource in stack.of_type("AWS::Events::Rule"):
        _make_rule(resource, ids, client("events"))
    return ids


def _make_table(resource: Resource, ids: PhysicalIds, dynamodb: Any) -> None:
    properties = resolve(resource.properties, ids)
    request = {name: properties[name] for name in _TABLE_PROPERTIES if name in properties}
    name = properties.get("TableName", resource.logical_id)
    made = dynamodb.create_table(TableName=name, **request)["TableDescription"]
    ids.add(resource.logical_id, name, Arn=made["TableArn"])


def _make_queue(resource: Resource, ids: PhysicalIds, sqs: Any) -> None:
    properties = resource.properties
    name = properties.get("QueueName", resource.logical_id)
    attributes = {n: str(properties[n]) for n in _QUEUE_ATTRIBUTES if n in properties}
    if properties.get("FifoQueue"):
        raise ProvisionError(
            f"{resource.logical_id} is a FIFO queue: the pump serves standard ones"
        )
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}"
    ids.add(resource.logical_id, url, Arn=arn, QueueName=name, QueueUrl=url)


def _set_redrive(resource: Resource, ids: PhysicalIds, sqs: Any) -> None:
    policy = resource.properties.get("RedrivePolicy")
    if policy:
        attributes = {"RedrivePolicy": json.dumps(resolve(policy, ids))}
        sqs.set_queue_attributes(QueueUrl=ids(resource.logical_id, ""), Attributes=attributes)


def _make_datastore(resource: Resource, ids: PhysicalIds, imaging: Any) -> None:
    name = resolve(resource.properties.get("DatastoreName", resource.logical_id), ids)
    store_id = imaging.create_datastore(datastoreName=name)["datastoreId"]
    got = imaging.get_datastore(datastoreId=store_id)["datastoreProperties"]
    ids.add(resource.logical_id, store_id, DatastoreId=store_id, DatastoreArn=got["datastoreArn"])


def _make_bucket(resource: Resource, ids: PhysicalIds, s3: Any) -> None:
    name = resolve(resource.properties.get("BucketName", ""), ids)
    name = name or f"storescp-{resource.logical_id.lower()}-{ACCOUNT_ID}"
    s3.create_bucket(Bucket=name)
    status = resource.properties.get("VersioningConfiguration", {}).get("Status")
    if status:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    domain = f"{name}.s3.amazonaws.com"
    ids.add(resource.logical_id, name, Arn=f"arn:aws:s3:::{name}", DomainName=domain)


def _set_notifications(resource: Resource, ids: PhysicalIds, s3: Any) -> None:
    wanted = resolve(resource.properties.get("NotificationConfiguration", {}), ids)
    if not wanted:
        return
    if wanted.get("LambdaConfigurations") or wanted.get("TopicConfigurations"):
        raise ProvisionError(f"{resource.logical_id} notifies something other than a queue")
    request: dict[str, Any] = {}
    queues = [_queue_notification(item) for item in wanted.get("QueueConfigurations", ())]
    if queues:
        request["QueueConfigurations"] = queues
    if "EventBridgeConfiguration" in wanted:
        request["EventBridgeConfiguration"] = {}
    s3.put_bucket_notification_configuration(
        Bucket=ids(resource.logical_id, ""), NotificationConfiguration=request
    )


def _queue_notification(item: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"QueueArn": item["Queue"], "Events": [item["Event"]]}
    rules = item.get("Filter", {}).get("S3Key", {}).get("Rules")
    if rules:
        made["Filter"] = {
            "Key": {"FilterRules": [{k: r[k] for k in ("Name", "Value")} for r in rules]}
        }
    return made


def _make_rule(resource: Resource, ids: PhysicalIds, events: Any) -> None:
    """Make a rule on events; one on a schedule calls a function, which the pump does itself."""
    pattern = resource.properties.get("EventPattern")
    if not pattern:
        return
    name = resource.properties.get("Name", resource.logical_id)
    events.put_rule(
        Name=name,
        EventPattern=json.dumps(resolve(pattern, ids)),
        State=resource.properties.get("State", "ENABLED"),
    )
    targets = [
        {"Id": item["Id"], "Arn": resolve(item["Arn"], ids)}
        for item in resource.properties.get("Targets", ())
        if _is_queue(ids.stack, item["Arn"])
    ]
    if targets:
        events.put_targets(Rule=name, Targets=targets)


def _is_queue(stack: Stack, arn: Any) -> bool:
    resource = stack.get(target(arn))
    return resource is not None and resource.type == "AWS::SQS::Queue"
