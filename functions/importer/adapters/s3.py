"""The landing bucket: manifests, listings, metadata, the one tag, quarantine records, seals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from contract import metadata
from contract.keys import (
    BATCHES_PREFIX,
    INCOMING_PREFIX,
    INSTANCE_SUFFIX,
    QUARANTINE_PREFIX,
    BatchId,
    InvalidKeyError,
    batch_of_manifest_key,
)
from contract.manifest import Manifest, Row
from importer.adapters import tags
from importer.adapters.clients import error_code, in_parallel
from importer.adapters.tags import MISSING, Tags
from importer.domain.errors import AnswerCutError, ManifestMissingError
from importer.domain.ports import LandedObject
from importer.domain.records import Quarantined, Released

IMPORTED_TAG = tags.IMPORTED_TAG
"""The lifecycle rule expires what carries it, nothing else."""
RELEASE_INFIX = "-release-"


class LandingBucket:
    """One landing bucket; the methods are those of `ports.Manifests`, `Instances` and `Adoption`."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._tags: Tags | None = None

    def manifest(self, batch_id: BatchId) -> Manifest:
        """Read a batch's manifest."""
        try:
            response = self._client.get_object(Bucket=self._bucket, Key=batch_id.manifest_key)
        except ClientError as error:
            if error_code(error) in MISSING:
                raise ManifestMissingError(str(batch_id)) from error
            raise
        body = response["Body"].read()
        # A connection that ends within the head looks to http.client like an answer without a length and
        # without a body; a manifest that cannot be read quarantines its batch, so this must not be one.
        if response.get("ContentLength") != len(body):
            raise AnswerCutError(str(batch_id))
        return Manifest.decode(body)

    def objects(self, prefix: str) -> Iterator[LandedObject]:
        """List every object under `prefix`, in key order."""
        for page in self._pages(prefix):
            for found in page.get("Contents", ()):
                yield LandedObject(found["Key"], found["Size"], found["LastModified"].timestamp())

    def describe(self, keys: Sequence[str]) -> dict[str, Row]:
        """Return rows made of each object's metadata and checksum."""
        rows = in_parallel(self._describe, keys)
        return {row.key: row for row in rows if row is not None}

    def mark_imported(self, keys: Sequence[str]) -> None:
        """Tag objects for expiry: one request each ($0.005 per 1,000)."""
        if keys:
            self._tags = self._tags or Tags(self._client, self._bucket)
            in_parallel(self._tags.mark_imported, keys)

    def keep_records(self, records: Sequence[Quarantined]) -> None:
        """Write quarantine records, each under a key made of the instance's own ids."""
        in_parallel(self._keep_record, records)

    def keep_release(self, released: Released) -> None:
        """Write the record of a release beside the quarantine records of its hour."""
        batch = BatchId.parse(released.batch)
        name = f"{batch}{RELEASE_INFIX}{released.attempt}"
        self._put_document(f"{QUARANTINE_PREFIX}{batch.hour}/{name}.json", asdict(released))

    def first_hour(self) -> str | None:
        """Return the oldest hour in which anything landed."""
        return next(self._folders(INCOMING_PREFIX), None)

    def landed_batches(self, hour: str) -> Iterator[str]:
        """Return the names of the batch folders of an hour."""
        return self._folders(f"{INCOMING_PREFIX}{hour}/")

    def sealed_batches(self, hour: str) -> Iterator[tuple[BatchId, float]]:
        """Return the batches of an hour that have a manifest, and when it was written."""
        for found in self.objects(f"{BATCHES_PREFIX}{hour}-"):
            try:
                yield batch_of_manifest_key(found.key), found.landed_at
            except InvalidKeyError:
                continue

    def seal(self, manifest: Manifest) -> bool:
        """Write a manifest, create-only; False if there is one already."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=manifest.batch.manifest_key,
                Body=manifest.encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error_code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                return False
            raise
        return True

    def _keep_record(self, record: Quarantined) -> None:
        relative = record.key.removeprefix(INCOMING_PREFIX)
        hour, _, rest = relative.partition("/")
        name = rest.removesuffix(INSTANCE_SUFFIX).replace("/", "-")
        self._put_document(f"{QUARANTINE_PREFIX}{hour}/{name}.json", asdict(record))

    def _put_document(self, key: str, document: dict[str, Any]) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=json.dumps(document, separators=(",", ":")).encode(),
            ContentType="application/json",
        )

    def _describe(self, key: str) -> Row | None:
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        said = head.get("Metadata", {})
        return Row(
            key=key,
            sop_instance_uid=said.get(metadata.SOP_INSTANCE_UID, ""),
            sop_class_uid=said.get(metadata.SOP_CLASS_UID, ""),
            transfer_syntax_uid=said.get(metadata.TRANSFER_SYNTAX_UID, ""),
            study_instance_uid=said.get(metadata.STUDY_INSTANCE_UID, ""),
            series_instance_uid=said.get(metadata.SERIES_INSTANCE_UID, ""),
            size=head["ContentLength"],
            crc64nvme=head.get("ChecksumCRC64NVME", ""),
            calling_ae_title=said.get(metadata.CALLING_AE_TITLE, ""),
            called_ae_title=said.get(metadata.CALLED_AE_TITLE, ""),
            peer=said.get(metadata.PEER, ""),
            received_at=_number(said.get(metadata.RECEIVED_AT)) or head["LastModified"].timestamp(),
        )

    def _folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(prefix, Delimiter="/"):
            for folder in page.get("CommonPrefixes", ()):
                yield folder["Prefix"][len(prefix) :].rstrip("/")

    def _pages(self, prefix: str, **more: str) -> Iterator[Any]:
        pages: Iterator[Any] = iter(
            self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, **more
            )
        )
        return pages


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
