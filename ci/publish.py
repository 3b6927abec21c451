"""`python -m ci.publish [--bucket-prefix P] [--confirm]`: put a release into the asset bucket of each Region.

Says what it would do and does nothing; with --confirm it does it. Keys carry the version and are never
written twice: a file that is there already with the same bytes is left alone, one with other bytes stops
the publication before anything is put. The templates go last in each Region, so that no template can be
launched whose code is not there yet.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ci.checksums import SUMS, ChangedError, read_sums
from ci.listing.files import LAUNCH_PAGE, USAGE
from ci.listing.links import region_links
from ci.tools import ROOT
from ci.version import CHANGELOG, UNRELEASED, Section, sections
from ci.zips import has_bytecode
from template_gen.product import IMPORTER_ZIP, REGIONS, Release, read_release

DIST = Path("dist")
IMAGE_FILES = "storescp-image-"
"""The image goes to a registry, not into a bucket."""
OWN_PAGES = (LAUNCH_PAGE, USAGE)
"""They name the release's own buckets, so they are for these only."""
TEMPLATE_SUFFIX = ".template.json"
CONTENT_TYPES = {
    ".json": "application/json",
    ".zip": "application/zip",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".md": "text/markdown; charset=utf-8",
}


class PublishError(Exception):
    """The release must not be published like this; the message says why."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file for one bucket."""

    path: Path
    region: str
    bucket: str
    key: str
    sha256: str


def plan(release: Release, folder: Path, bucket_prefix: str) -> list[Upload]:
    """Return every upload in order, Region by Region.

    Raises:
        ChangedError: The folder does not hold what its checksums say.
    """
    sums = read_sums(folder)
    names = sorted(name for name in sums if not name.startswith(IMAGE_FILES))
    if bucket_prefix != release.asset_bucket_prefix:
        names = [name for name in names if name not in OWN_PAGES]
    names = [SUMS, *names]
    names.sort(key=lambda name: name.endswith(TEMPLATE_SUFFIX))
    sums[SUMS] = hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()
    return [
        Upload(
            folder / name,
            region,
            f"{bucket_prefix}-{region}",
            release.asset_key_prefix + name,
            sums[name],
        )
        for region in REGIONS
        for name in names
    ]


def refuse_unfit(
    release: Release, folder: Path, bucket_prefix: str, *, newest: Section | None
) -> None:
    """Raise PublishError if the release is not fit for customers.

    Args:
        release: What is to be published.
        folder: Where it lies.
        bucket_prefix: Where it would go.
        newest: The changelog's newest section.
    """
    if not has_bytecode(folder / IMPORTER_ZIP):
        raise PublishError(
            f"{IMPORTER_ZIP} has no bytecode, so every cold start would compile it: "
            "run `make dist` where there is a CPython 3.13 (PYTHON313=...)"
        )
    if not release.digest and bucket_prefix == release.asset_bucket_prefix:
        raise PublishError(
            "template_gen/release.json has no image digest: push the image, write its digest there, run `make dist`"
        )
    if bucket_prefix == release.asset_bucket_prefix and (
        newest is None or newest.version != release.version or newest.date == UNRELEASED
    ):
        raise PublishError(f"{CHANGELOG} has no date for {release.version}: write today's there")


def publish(
    uploads: list[Upload], client: Callable[[str], Any], owner: str, say: Callable[[str], None]
) -> None:
    """Put what is not there yet; nothing at all if something else is there.

    Args:
        uploads: In the order of putting.
        client: Takes a Region, returns its S3 client.
        owner: The account that the buckets must belong to: a bucket's name may be someone else's.
        say: Prints a line.

    Raises:
        PublishError: A key holds other bytes, or a bucket cannot be used.
    """
    missing = [upload for upload in uploads if not _is_there(upload, client(upload.region), owner)]
    for upload in uploads:
        if upload not in missing:
            say(f"there already  s3://{upload.bucket}/{upload.key}")
            continue
        _put(upload, client(upload.region), owner)
        say(f"put            s3://{upload.bucket}/{upload.key}")


def _is_there(upload: Upload, s3: Any, owner: str) -> bool:
    try:
        answer = s3.get_object(Bucket=upload.bucket, Key=upload.key, ExpectedBucketOwner=owner)
        found = hashlib.sha256(answer["Body"].read()).hexdigest()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return False
        raise PublishError(f"s3://{upload.bucket}: {error}") from error
    if found != upload.sha256:
        raise PublishError(
            f"s3://{upload.bucket}/{upload.key} holds other bytes. A published version never changes: "
            "raise the version in setup.cfg"
        )
    return True


def _put(upload: Upload, s3: Any, owner: str) -> None:
    try:
        s3.put_object(
            Bucket=upload.bucket,
            Key=upload.key,
            Body=upload.path.read_bytes(),
            ContentType=CONTENT_TYPES.get(upload.path.suffix, "text/plain; charset=utf-8"),
            CacheControl="public, max-age=31536000, immutable",
            ExpectedBucketOwner=owner,
            # Another publication may have come first since we looked.
            IfNoneMatch="*",
        )
    except ClientError as error:
        raise PublishError(f"s3://{upload.bucket}/{upload.key}: {error}") from error


def described(uploads: list[Upload]) -> Iterator[str]:
    """Yield a line for each upload."""
    for upload in uploads:
        size_kib = upload.path.stat().st_size / 1024
        yield f"would put {size_kib:7.0f} KiB  s3://{upload.bucket}/{upload.key}"


def launched_by(release: Release, bucket_prefix: str) -> Iterator[str]:
    """Yield the line of each Region with the link that launches what lies in these buckets."""
    other = "" if bucket_prefix == release.asset_bucket_prefix else bucket_prefix
    for links in region_links(release, other):
        yield f"launch in {links.region:14}  {links.product}"


def main(arguments: list[str]) -> int:
    """Show the plan, or carry it out."""
    release = read_release()
    parser = argparse.ArgumentParser(prog="publish", description=__doc__)
    parser.add_argument("--bucket-prefix", default=release.asset_bucket_prefix)
    parser.add_argument("--confirm", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        uploads = plan(release, DIST, chosen.bucket_prefix)
        if not chosen.confirm:
            print(*described(uploads), sep="\n")
            print(*launched_by(release, chosen.bucket_prefix), sep="\n")
            print("publish: nothing was put. To put it: make publish CONFIRM=yes")
            return 0
        newest = next(iter(sections((ROOT / CHANGELOG).read_text(encoding="utf-8"))), None)
        refuse_unfit(release, DIST, chosen.bucket_prefix, newest=newest)
        account = boto3.client("sts", region_name=REGIONS[0]).get_caller_identity()["Account"]
        clients = {region: boto3.client("s3", region_name=region) for region in REGIONS}
        publish(uploads, clients.__getitem__, account, print)
        print(*launched_by(release, chosen.bucket_prefix), sep="\n")
    except (ChangedError, PublishError, BotoCoreError, ClientError) as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
