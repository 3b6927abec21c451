"""S3 and the event bus of the emulator, for the HealthImaging double in the same process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from moto.events.models import events_backends
from moto.s3.models import FakeDeleteMarker, s3_backends

from local.healthimaging.operations import ACCOUNT_ID, REGION
from local.healthimaging.ports import StoredObject
from local.s3.layer import PARTITION
from local.s3.listing import KeyIndex


class EmulatedBuckets:
    """BucketAccess over the emulator's own state: no copy of a gigabyte through a socket."""

    def __init__(self, index: KeyIndex) -> None:
        """Share the S3 layer's index of keys."""
        self._index = index

    def list(self, bucket: str, prefix: str) -> Sequence[StoredObject]:
        """Return every object under `prefix`, in order."""
        held = _bucket(bucket)
        keys = (held.keys.get(name) for name in self._index.under(held, prefix))
        return [
            StoredObject(key.name, key.size)
            for key in keys
            if key is not None and not isinstance(key, FakeDeleteMarker)
        ]

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's content."""
        held = _bucket(bucket).keys.get(key)
        if held is None or isinstance(held, FakeDeleteMarker):
            raise LookupError(key)
        return bytes(held.value)

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object."""
        s3_backends[ACCOUNT_ID][PARTITION].put_object(bucket, key, content)


class EmulatedEvents:
    """EventBus over the emulator's default bus."""

    def __init__(self, region: str = REGION) -> None:
        """Publish in `region`."""
        self._region = region

    def put(self, detail_type: str, resource: str, detail: Mapping[str, Any]) -> None:
        """Publish an event."""
        event: Any = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": "aws.medical-imaging",
            "account": ACCOUNT_ID,
            "time": time.time(),  # the emulator makes the ISO text of it
            "region": self._region,
            "resources": [resource],
            "detail": dict(detail),
        }
        # Not by PutEvents: in AWS it refuses this source.
        bus = events_backends[ACCOUNT_ID][self._region].describe_event_bus("default")
        for rule in list(bus.rules.values()):
            rule.send_to_targets(event, transform_input=False)


def _bucket(name: str) -> Any:
    buckets = s3_backends[ACCOUNT_ID][PARTITION].buckets
    if name not in buckets:
        raise LookupError(name)
    return buckets[name]
