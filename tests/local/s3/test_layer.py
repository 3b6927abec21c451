from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from awscrt.checksums import crc64nvme
from botocore.exceptions import ClientError

from local.s3.tagging import TaggingError, read_tagging
from tests.local.conftest import client

MIB = 1 << 20
CONDITIONAL = {"IfNoneMatch": "*"}


def checksum(content: bytes) -> str:
    return base64.b64encode(crc64nvme(content).to_bytes(8, "big")).decode()


@pytest.fixture
def s3(aws_url: str) -> Iterator[Any]:
    made = client("s3", aws_url)
    yield made
    made.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def upload(s3: Any, bucket: str, parts: list[bytes]) -> tuple[str, dict[str, Any]]:
    answer = s3.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
    )
    done = []
    for number, part in enumerate(parts, start=1):
        sent = s3.upload_part(
            Bucket=bucket,
            Key="k",
            UploadId=answer["UploadId"],
            PartNumber=number,
            Body=part,
            ChecksumCRC64NVME=checksum(part),
        )
        assert sent["ChecksumCRC64NVME"] == checksum(part)
        done.append({"PartNumber": number, "ETag": sent["ETag"]})
    return answer["UploadId"], {"Parts": done}


def test_a_right_checksum_is_confirmed_and_kept(s3: Any, bucket: str) -> None:
    """PutObject returns the checksum that was sent, and so does HeadObject."""
    content = b"x" * 1000
    put = s3.put_object(
        Bucket=bucket,
        Key="a/b c.dcm",
        Body=content,
        ChecksumCRC64NVME=checksum(content),
        Metadata={"sop": "1.2"},
        ContentType="application/dicom",
        **CONDITIONAL,
    )
    head = s3.head_object(Bucket=bucket, Key="a/b c.dcm", ChecksumMode="ENABLED")

    assert put["ChecksumCRC64NVME"] == head["ChecksumCRC64NVME"] == checksum(content)
    assert put["ChecksumType"] == "FULL_OBJECT"
    assert put["VersionId"] == head["VersionId"]
    assert head["Metadata"] == {"sop": "1.2"}
    assert head["ContentType"] == "application/dicom"
    assert s3.get_object(Bucket=bucket, Key="a/b c.dcm")["Body"].read() == content


def test_a_wrong_checksum_is_refused_and_nothing_kept(s3: Any, bucket: str) -> None:
    """A checksum of other bytes gives BadDigest with status 400."""
    with pytest.raises(ClientError, match="BadDigest") as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"a", ChecksumCRC64NVME=checksum(b"b"))

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_existing_key_is_not_written_again(s3: Any, bucket: str) -> None:
    """If-None-Match on a key that exists gives 412 and leaves the object."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"first", **CONDITIONAL)
    with pytest.raises(ClientError, match="PreconditionFailed") as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"second", **CONDITIONAL)

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"


def test_of_racing_writers_one_wins(s3: Any, bucket: str) -> None:
    """Eight conditional writers of one key: one 200, seven 412."""

    def write(n: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n, **CONDITIONAL)
        except s3.exceptions.ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(8))) == [False] * 7 + [True]


def test_a_multipart_upload_has_the_whole_objects_checksum(s3: Any, bucket: str) -> None:
    """Complete confirms the CRC64NVME of all parts together."""
    parts = [b"a" * 5 * MIB, b"b" * 5 * MIB, b"c" * 7]
    upload_id, done = upload(s3, bucket, parts)
    whole = checksum(b"".join(parts))
    answer = s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload_id,
        MultipartUpload=done,
        ChecksumCRC64NVME=whole,
        ChecksumType="FULL_OBJECT",
        **CONDITIONAL,
    )
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")

    assert answer["ChecksumCRC64NVME"] == head["ChecksumCRC64NVME"] == whole
    assert head["ContentLength"] == 10 * MIB + 7


def test_a_multipart_upload_with_a_wrong_checksum_is_refused(s3: Any, bucket: str) -> None:
    """Complete with another checksum gives BadDigest and makes no object."""
    upload_id, done = upload(s3, bucket, [b"a"])
    with pytest.raises(ClientError, match="BadDigest"):
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="k",
            UploadId=upload_id,
            MultipartUpload=done,
            ChecksumCRC64NVME=checksum(b"b"),
        )

    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_completing_onto_an_existing_key_is_refused(s3: Any, bucket: str) -> None:
    """If-None-Match is honoured by Complete too."""
    upload_id, done = upload(s3, bucket, [b"a"])
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(
            Bucket=bucket, Key="k", UploadId=upload_id, MultipartUpload=done, **CONDITIONAL
        )


def test_a_part_with_a_wrong_checksum_is_refused(s3: Any, bucket: str) -> None:
    """UploadPart verifies as PutObject does."""
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    with pytest.raises(ClientError, match="BadDigest"):
        s3.upload_part(
            Bucket=bucket,
            Key="k",
            UploadId=upload_id,
            PartNumber=1,
            Body=b"a",
            ChecksumCRC64NVME=checksum(b"b"),
        )


def test_keys_are_listed_in_order_by_pages(s3: Any, bucket: str) -> None:
    """Pages hold every key under the prefix once, in order, and none beside it."""
    keys = [f"incoming/{n:02d}/ä b.dcm" for n in range(25)]
    for key in [*reversed(keys), "incoming2/x"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="incoming/", PaginationConfig={"PageSize": 10}
    )

    assert [item["Key"] for page in pages for item in page["Contents"]] == keys


def test_folders_are_listed_by_delimiter(s3: Any, bucket: str) -> None:
    """A delimiter gives each folder once, after StartAfter."""
    for key in ("in/a/1", "in/a/2", "in/b/1", "in/c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, Prefix="in/", Delimiter="/")
    rest = s3.list_objects_v2(Bucket=bucket, Prefix="in/", StartAfter="in/b/1")

    assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["in/a/", "in/b/"]
    assert [item["Key"] for item in page["Contents"]] == ["in/c"]
    assert [item["Key"] for item in rest["Contents"]] == ["in/c"]


def test_a_deleted_key_is_not_listed(s3: Any, bucket: str) -> None:
    """A delete marker hides the key from the listing and frees it for a conditional write."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3.delete_object(Bucket=bucket, Key="k")

    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.put_object(Bucket=bucket, Key="k", Body=b"", **CONDITIONAL)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_missing_bucket_is_not_found(s3: Any) -> None:
    """Writing to a bucket that does not exist gives 404 NoSuchBucket."""
    with pytest.raises(ClientError, match="NoSuchBucket") as caught:
        s3.put_object(Bucket="no-such-bucket", Key="k", Body=b"")

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_tags_are_kept_and_wrong_ones_refused(s3: Any, bucket: str) -> None:
    """PutObjectTagging replaces an object's tags; S3's limits, an unknown key and a wrong digest are errors."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")

    def put(key: str, tags: dict[str, str]) -> None:
        pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": pairs})

    put("k", {"imported": "true", "b": "c + d"})
    kept = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    put("k", {})
    none = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]

    assert {tag["Key"]: tag["Value"] for tag in kept} == {"imported": "true", "b": "c + d"}
    assert none == []
    for key, tags, code in (
        ("missing", {"a": "b"}, "NoSuchKey"),
        ("k", {"a" * 129: "b"}, "InvalidTag"),
        ("k", {str(n): "" for n in range(11)}, "BadRequest"),
    ):
        with pytest.raises(ClientError, match=code):
            put(key, tags)
    with pytest.raises(TaggingError, match="MD5"):
        read_tagging(b"<Tagging><TagSet></TagSet></Tagging>", checksum(b"other"))
    with pytest.raises(TaggingError, match="well-formed"):
        read_tagging(b"<Tagging>", "")
