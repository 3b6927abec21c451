"""What the landing bucket keeps for ever besides the images: seals, and records under quarantine/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from contract.keys import (
    BATCHES_PREFIX,
    QUARANTINE_PREFIX,
    BatchId,
    InvalidKeyError,
    batch_of_manifest_key,
)
from importer.adapters.clients import in_parallel
from importer.adapters.s3 import RELEASE_INFIX
from importer.domain.records import Quarantined, Released


class Archive:
    """Reads it back; `ports.Archive`."""

    def __init__(self, client: Any, bucket: str) -> None:
        """Read one landing bucket."""
        self._client = client
        self._bucket = bucket

    def sealed(self) -> Iterator[BatchId]:
        """Return every sealed batch, oldest first."""
        for key in self._keys(BATCHES_PREFIX):
            try:
                yield batch_of_manifest_key(key)
            except InvalidKeyError:
                continue

    def quarantined(self, batch_id: BatchId) -> list[Quarantined]:
        """Return the quarantine records of a batch's objects."""
        keys = [key for key in self._records(batch_id) if RELEASE_INFIX not in key]
        return [Quarantined.from_document(found) for found in in_parallel(self._read, keys)]

    def released(self, batch_id: BatchId) -> list[Released]:
        """Return the records of a batch's releases."""
        keys = [key for key in self._records(batch_id) if RELEASE_INFIX in key]
        return [
            Released(**{**found, "numbers": tuple(found["numbers"])})
            for found in in_parallel(self._read, keys)
        ]

    def _records(self, batch_id: BatchId) -> Iterator[str]:
        return self._keys(f"{QUARANTINE_PREFIX}{batch_id.hour}/{batch_id}-")

    def _read(self, key: str) -> dict[str, Any]:
        body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        document: dict[str, Any] = json.loads(body)
        return document

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            for found in page.get("Contents", ()):
                yield found["Key"]
