"""The landing and results buckets against an emulated S3."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config

from contract import metadata
from contract.manifest import InvalidManifestError
from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.adapters.results import ResultsBucket
from importer.adapters.s3 import LandingBucket
from importer.domain.errors import AnswerCutError, ManifestMissingError
from importer.domain.jobs import Job, JobStatus, output_prefix
from importer.domain.records import Quarantined
from tests.importer.builders import make_batch_id, make_manifest, make_row
from tests.importer.conftest import Aws

BATCH = make_batch_id()
DATASTORE = "d" * 32


@pytest.fixture
def landing(aws: Aws) -> LandingBucket:
    return LandingBucket(aws.client("s3"), aws.landing)


def test_a_manifest_is_create_only(landing: LandingBucket) -> None:
    """The first seal wins and reads back; a second writer is told."""
    manifest = make_manifest(BATCH, 2)

    assert landing.seal(manifest)
    assert not landing.seal(replace(manifest, rows=()))
    assert landing.manifest(BATCH) == manifest
    assert [batch for batch, _ in landing.sealed_batches(BATCH.hour)] == [BATCH]


def test_a_missing_and_an_unreadable_manifest_differ(aws: Aws, landing: LandingBucket) -> None:
    """Missing may still come; unreadable stays so."""
    with pytest.raises(ManifestMissingError):
        landing.manifest(BATCH)
    aws.client("s3").put_object(Bucket=aws.landing, Key=BATCH.manifest_key, Body=b"{")
    with pytest.raises(InvalidManifestError):
        landing.manifest(BATCH)


def test_an_answer_that_was_cut_is_no_unreadable_manifest() -> None:
    """A connection that ends within the answer's head: boto3 gives an empty body and no length."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-le")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}",
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(AnswerCutError):
            LandingBucket(client, "landing").manifest(BATCH)
        client.close()
        thread.join()


def test_listings(aws: Aws, landing: LandingBucket) -> None:
    """Objects are listed by prefix, hours and batches by folder."""
    rows = [make_row(BATCH, n) for n in (0, 70)]
    for row in rows:
        aws.client("s3").put_object(Bucket=aws.landing, Key=row.key, Body=b"x")

    assert _listed(landing, BATCH.prefix) == [(row.key, 1) for row in rows]
    assert _listed(landing, BATCH.prefix + "01/") == [(rows[1].key, 1)]
    assert landing.first_hour() == BATCH.hour
    assert list(landing.landed_batches(BATCH.hour)) == [str(BATCH)]
    assert list(landing.landed_batches("20200101T00")) == []


def _listed(landing: LandingBucket, prefix: str) -> list[tuple[str, int]]:
    return [(found.key, found.size) for found in landing.objects(prefix)]


def test_metadata_becomes_a_row(aws: Aws, landing: LandingBucket) -> None:
    """An object that no manifest names is described by its metadata; a missing one is left out."""
    row = make_row(BATCH, 0)
    said = {
        metadata.SOP_INSTANCE_UID: "1.2.3",
        metadata.SOP_CLASS_UID: "1.2.4",
        metadata.TRANSFER_SYNTAX_UID: "1.2.5",
        metadata.CALLING_AE_TITLE: "CT1",
        metadata.RECEIVED_AT: "1795000000.5",
    }
    aws.client("s3").put_object(Bucket=aws.landing, Key=row.key, Body=b"xyz", Metadata=said)

    described = landing.describe([row.key, make_row(BATCH, 1).key])

    assert described.keys() == {row.key}
    assert described[row.key].sop_instance_uid == "1.2.3"
    assert described[row.key].size == 3
    assert described[row.key].received_at == 1795000000.5
    assert described[row.key].study_instance_uid == ""


def test_the_one_tag(aws: Aws, landing: LandingBucket) -> None:
    """Imported objects carry the tag; tagging again or after expiry is no error."""
    row = make_row(BATCH, 0)
    aws.client("s3").put_object(Bucket=aws.landing, Key=row.key, Body=b"x")

    for _ in range(2):
        landing.mark_imported([row.key, make_row(BATCH, 1).key])

    tags = aws.client("s3").get_object_tagging(Bucket=aws.landing, Key=row.key)["TagSet"]
    assert tags == [{"Key": "imported", "Value": "true"}]


def test_a_quarantine_record_has_one_key(aws: Aws, landing: LandingBucket) -> None:
    """The record's key is made of the instance's own ids, so writing it again replaces it."""
    row = make_row(BATCH, 0)
    record = Quarantined(batch=str(BATCH), key=row.key, reason=QuarantineReason.JOB_FAILED)

    for _ in range(2):
        landing.keep_records([record])

    found = aws.client("s3").list_objects_v2(Bucket=aws.landing, Prefix="quarantine/")["Contents"]
    assert [item["Key"] for item in found] == [
        f"quarantine/{BATCH.hour}/{BATCH}-00-0000-{0:016x}.json"
    ]


def make_job(aws: Aws, *, with_folder: bool) -> Job:
    folder = f"{DATASTORE}-DicomImport-j1/" if with_folder else ""
    return Job(
        job_id="j1",
        name=str(BATCH),
        status=JobStatus.COMPLETED,
        input_uri=f"s3://{aws.landing}/{BATCH.prefix}",
        output_uri=f"s3://{aws.results}/{output_prefix(BATCH, 0)}{folder}",
    )


@pytest.mark.parametrize("with_folder", [True, False])
def test_output_is_read_wherever_the_uri_points(aws: Aws, *, with_folder: bool) -> None:
    """The URI may name our prefix or the job's own folder below it; the lists are put together."""
    s3 = aws.client("s3")
    base = f"{output_prefix(BATCH, 0)}{DATASTORE}-DicomImport-j1/"
    s3.put_object(
        Bucket=aws.results,
        Key=base + "job-output-manifest.json",
        Body=json.dumps({"jobSummary": {"numberOfScannedFiles": 3}}),
    )
    success = (
        b'{"inputFile":"a","importResponse":{"imageSetId":"s1","isPrimary": True}}\n'
        b'{"inputFile":"b","importResponse":{"imageSetId":"s2","isPrimary": true}}\n'
    )
    warning = (
        b'{"inputFile":"b","importResponse":{"imageSetId":"s2","isPrimary":true,'
        b'"warnings":[{"warning_reason_code":45330}]}}\n'
    )
    failure = b'{"inputFile":"c","exception":{"exceptionType":"ValidationException"}}\n'
    for name, body in (("SUCCESS", success), ("WARNING", warning), ("FAILURE", failure)):
        key = f"{base}{name}/{name.lower()}.ndjson"
        s3.put_object(Bucket=aws.results, Key=key, Body=body)

    output = ResultsBucket(s3, datastore_id=DATASTORE).output(
        make_job(aws, with_folder=with_folder)
    )

    assert output.is_complete
    assert {name: answer.state for name, answer in output.answers.items()} == {
        "a": InstanceState.IMPORTED,
        "b": InstanceState.IMPORTED_WITH_WARNING,
        "c": InstanceState.QUARANTINED,
    }


def test_missing_and_cut_output_is_not_complete(aws: Aws) -> None:
    """Nothing there, lines without a summary, and a cut line are all incomplete."""
    s3 = aws.client("s3")
    results, job = ResultsBucket(s3, datastore_id=DATASTORE), make_job(aws, with_folder=True)
    base = job.output_uri.removeprefix(f"s3://{aws.results}/")

    nothing = results.output(job)
    s3.put_object(Bucket=aws.results, Key=base + "SUCCESS/success.ndjson", Body=b'{"inputFile":"a"')
    lines_only = results.output(job)
    s3.put_object(
        Bucket=aws.results,
        Key=base + "job-output-manifest.json",
        Body=b'{"jobSummary":{"numberOfScannedFiles":0}}',
    )
    cut = results.output(job)

    assert not nothing.is_complete
    assert not lines_only.is_complete
    assert cut.is_cut
    assert not cut.is_complete
