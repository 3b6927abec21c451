"""Buckets with what their stack says of notifications and versions, which the emulator's CloudFormation drops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.s3.models import FakeBucket

from ci.taskcat.emulator.mending import mend


def install() -> None:
    """Mend the emulator."""
    mend(FakeBucket, "create_from_cloudformation_json", _whole)


def _whole(create: Callable[..., Any]) -> staticmethod[..., Any]:
    def made(name: str, json: dict[str, Any], *others: Any, **more: Any) -> Any:
        bucket = create(name, json, *others, **more)
        properties = json["Properties"]
        bucket.versioning_status = properties.get("VersioningConfiguration", {}).get("Status")
        wanted = properties.get("NotificationConfiguration", {})
        if wanted.keys() - {"QueueConfigurations"}:
            raise NotImplementedError(f"notifications of {name}: {sorted(wanted)}")
        queues = [_queue(item) for item in wanted.get("QueueConfigurations", ())]
        bucket.set_notification_configuration({"QueueConfiguration": queues} if queues else None)
        return bucket

    return staticmethod(made)


def _queue(item: dict[str, Any]) -> dict[str, Any]:
    made = {"Queue": item["Queue"], "Event": [item["Event"]]}
    rules = item.get("Filter", {}).get("S3Key", {}).get("Rules")
    return made | ({"Filter": {"S3Key": {"FilterRule": rules}}} if rules else {})
