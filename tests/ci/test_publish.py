from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ci.checksums import SUMS, ChangedError, write_sums
from ci.emulated_aws import client, emulated_aws
from ci.publish import (
    OWN_PAGES,
    PublishError,
    Upload,
    described,
    launched_by,
    plan,
    publish,
    refuse_unfit,
)
from ci.version import Section
from ci.zips import write_zip
from template_gen.product import IMPORTER_ZIP, REGIONS, read_release

RELEASE = replace(read_release(), version="9.9.9", asset_key_prefix="storescp/9.9.9/", digest="")
PUBLISHED = replace(RELEASE, digest="sha256:" + "0" * 64)
DATED = Section("9.9.9", "2026-01-31", "- Everything.")
OWNER = "123456789012"


@pytest.fixture
def release_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("storescp.template.json", IMPORTER_ZIP, "storescp-image-context-9.9.9.tar"):
        (folder / name).write_text(f"content of {name}")
    write_sums(folder, list(folder.iterdir()))
    return folder


@pytest.fixture(scope="module")
def s3_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Each Region's S3 client."""
    with emulated_aws(tmp_path_factory.mktemp("aws")) as url:
        made = {region: client("s3", url, region) for region in REGIONS}
        yield made.__getitem__
        for each in made.values():
            each.close()


@pytest.fixture
def prefix(s3_of: Callable[[str], Any], tmp_path: Path) -> str:
    """Five empty buckets, one a Region."""
    name = f"assets-{tmp_path.name.replace('_', '-')}"[:40].strip("-")
    for region in REGIONS:
        where = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3_of(region).create_bucket(
            Bucket=f"{name}-{region}", **({"CreateBucketConfiguration": where} if where else {})
        )
    return name


def keys(s3_of: Callable[[str], Any], prefix: str, region: str) -> list[str]:
    found = s3_of(region).list_objects_v2(Bucket=f"{prefix}-{region}").get("Contents", [])
    return [item["Key"] for item in found]


def test_every_region_gets_every_file_under_the_versions_key(release_folder: Path) -> None:
    """As the template's mapping names them; the image goes elsewhere."""
    uploads = plan(RELEASE, release_folder, "assets")

    assert {(u.bucket, u.key) for u in uploads} == {
        (f"assets-{region}", f"storescp/9.9.9/{name}")
        for region in REGIONS
        for name in (IMPORTER_ZIP, "storescp.template.json", SUMS)
    }


def test_other_buckets_get_no_page_that_names_ours(release_folder: Path) -> None:
    """A hospital's own buckets: the link that launches from them is printed instead."""
    for name in OWN_PAGES:
        (release_folder / name).write_text("")
    write_sums(release_folder, [path for path in release_folder.iterdir() if path.name != SUMS])
    own = plan(RELEASE, release_folder, RELEASE.asset_bucket_prefix)
    other = plan(RELEASE, release_folder, "my-assets")
    (line, *_) = launched_by(RELEASE, "my-assets")

    assert set(OWN_PAGES) <= {upload.path.name for upload in own}
    assert not set(OWN_PAGES) & {upload.path.name for upload in other}
    assert "templateURL=https://my-assets-us-east-1." in line
    assert line.endswith("&param_AssetBucketPrefix=my-assets")


def test_templates_are_put_last_in_each_region(release_folder: Path) -> None:
    """Nobody can launch a template whose code is not there yet."""
    uploads = plan(RELEASE, release_folder, "assets")

    for region in REGIONS:
        names = [upload.path.name for upload in uploads if upload.region == region]
        assert names[-1] == "storescp.template.json"


def test_the_dry_run_names_each_object(release_folder: Path) -> None:
    """Bucket and key, one a line."""
    lines = list(described(plan(RELEASE, release_folder, "assets")))

    assert len(lines) == 3 * len(REGIONS)
    assert lines[0].endswith(f"s3://assets-us-east-1/storescp/9.9.9/{SUMS}")


def test_a_file_that_changed_since_the_release_was_made_is_refused(release_folder: Path) -> None:
    """What is published is what was checked."""
    (release_folder / IMPORTER_ZIP).write_text("something else")

    with pytest.raises(ChangedError, match=IMPORTER_ZIP):
        plan(RELEASE, release_folder, "assets")


def test_publishing_puts_the_bytes_and_again_leaves_them(
    release_folder: Path, s3_of: Callable[[str], Any], prefix: str
) -> None:
    """An interrupted publication is simply started again."""
    uploads = plan(RELEASE, release_folder, prefix)
    said: list[str] = []
    publish(uploads[:4], s3_of, OWNER, said.append)
    publish(uploads, s3_of, OWNER, said.append)

    assert [line.split()[0] for line in said] == ["put"] * 4 + ["there"] * 4 + ["put"] * 11
    for upload in uploads:
        answer = s3_of(upload.region).get_object(Bucket=upload.bucket, Key=upload.key)
        assert answer["Body"].read() == upload.path.read_bytes()


def test_a_published_version_is_never_overwritten(
    release_folder: Path, s3_of: Callable[[str], Any], prefix: str
) -> None:
    """One other byte in the last Region, and nothing is put in the first."""
    uploads = plan(RELEASE, release_folder, prefix)
    last = uploads[-1]
    s3_of(last.region).put_object(Bucket=last.bucket, Key=last.key, Body=b"of another build")

    with pytest.raises(PublishError, match="raise the version"):
        publish(uploads, s3_of, OWNER, print)
    assert keys(s3_of, prefix, REGIONS[0]) == []


def test_two_publications_at_once_do_not_overwrite_each_other(
    release_folder: Path, s3_of: Callable[[str], Any], prefix: str
) -> None:
    """The put itself is create-only: what came between look and put stays."""
    (upload, *_) = plan(RELEASE, release_folder, prefix)
    s3 = s3_of(upload.region)

    with pytest.raises(PublishError, match="PreconditionFailed"):
        publish([upload], lambda _: _Racing(s3, upload), OWNER, print)
    found = s3.get_object(Bucket=upload.bucket, Key=upload.key)["Body"].read()
    assert found == b"of the other publication"


class _Racing:
    """An S3 client beside which another publication puts its bytes after the look."""

    def __init__(self, s3: Any, upload: Upload) -> None:
        self._s3 = s3
        self._upload = upload

    def get_object(self, **request: Any) -> Any:
        return self._s3.get_object(**request)

    def put_object(self, **request: Any) -> Any:
        self._s3.put_object(
            Bucket=self._upload.bucket, Key=self._upload.key, Body=b"of the other publication"
        )
        return self._s3.put_object(**request)


def test_a_bucket_that_is_missing_is_named(
    release_folder: Path, s3_of: Callable[[str], Any]
) -> None:
    """The seller makes the buckets; publishing does not."""
    with pytest.raises(PublishError, match="no-such-prefix-us-east-1"):
        publish(plan(RELEASE, release_folder, "no-such-prefix"), s3_of, OWNER, print)


def test_an_archive_without_bytecode_is_not_published(release_folder: Path, tmp_path: Path) -> None:
    """It would start slower for every customer."""
    _write_archive(release_folder, tmp_path, "handler.py")

    with pytest.raises(PublishError, match="bytecode"):
        refuse_unfit(RELEASE, release_folder, "my-own", newest=DATED)


def test_a_release_without_its_image_is_not_published(release_folder: Path, tmp_path: Path) -> None:
    """To the product's own buckets; a customer's own ones come with a customer's own image."""
    _write_archive(release_folder, tmp_path, "handler.cpython-313.pyc")

    with pytest.raises(PublishError, match="image digest"):
        refuse_unfit(RELEASE, release_folder, RELEASE.asset_bucket_prefix, newest=DATED)
    refuse_unfit(RELEASE, release_folder, "my-own", newest=DATED)
    refuse_unfit(PUBLISHED, release_folder, RELEASE.asset_bucket_prefix, newest=DATED)


@pytest.mark.parametrize(
    "newest",
    [None, Section("9.9.8", "2026-01-31", "- x"), Section("9.9.9", "Unreleased", "- x")],
    ids=["no section", "of the version before", "no date"],
)
def test_a_release_that_the_changelog_does_not_tell_of_is_not_published(
    newest: Section | None, release_folder: Path, tmp_path: Path
) -> None:
    """Customers read there what changes; their own builds are their own matter."""
    _write_archive(release_folder, tmp_path, "handler.cpython-313.pyc")

    with pytest.raises(PublishError, match=r"no date for 9\.9\.9"):
        refuse_unfit(PUBLISHED, release_folder, RELEASE.asset_bucket_prefix, newest=newest)
    refuse_unfit(PUBLISHED, release_folder, "my-own", newest=newest)


def _write_archive(folder: Path, tmp_path: Path, name: str) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / name).write_bytes(b"")
    write_zip(tree, folder / IMPORTER_ZIP)
