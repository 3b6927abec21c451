"""What the double needs of the world around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket."""

    key: str
    size: int


class BucketAccess(Protocol):
    """S3, as the data access role sees it."""

    def list(self, bucket: str, prefix: str) -> Sequence[StoredObject]:
        """Return every object whose key starts with `prefix`, in order.

        Raises:
            LookupError: No such bucket.
        """

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's content.

        Raises:
            LookupError: No such object.
        """

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object."""


class EventBus(Protocol):
    """The account's default event bus."""

    def put(self, detail_type: str, resource: str, detail: Mapping[str, Any]) -> None:
        """Publish an event of source aws.medical-imaging about the resource with that ARN."""
