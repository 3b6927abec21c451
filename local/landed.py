"""Counts what has landed, by listing the bucket: nothing that anybody claims, just what is there."""

from __future__ import annotations

from typing import Any

from contract.keys import INCOMING_PREFIX, BatchId, InvalidKeyError

_SETTLED_AFTER_S = 60.0
"""How long after a batch's lease a late PUT may still arrive."""


class LandedCount:
    """Number of objects under incoming/; a batch whose lease is long over is listed once."""

    def __init__(self, s3: Any, bucket: str) -> None:
        """Count in `bucket`."""
        self._paginator = s3.get_paginator("list_objects_v2")
        self._bucket = bucket
        self._settled: dict[str, int] = {}

    def count(self, now: float) -> int:
        """Return the number at Unix time `now`."""
        total = 0
        for hour in self._folders(INCOMING_PREFIX):
            for batch in self._folders(hour):
                total += self._count_batch(batch, now)
        return total

    def _count_batch(self, prefix: str, now: float) -> int:
        if prefix in self._settled:
            return self._settled[prefix]
        pages = self._paginator.paginate(Bucket=self._bucket, Prefix=prefix)
        number = sum(int(page["KeyCount"]) for page in pages)
        try:
            deadline = BatchId.parse(prefix.rstrip("/").rpartition("/")[2]).deadline
        except InvalidKeyError:
            return number
        if now > deadline + _SETTLED_AFTER_S:
            self._settled[prefix] = number
        return number

    def _folders(self, prefix: str) -> list[str]:
        pages = self._paginator.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        return [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]
