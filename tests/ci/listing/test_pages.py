from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ci.checksums import write_sums
from ci.listing.launch import DIAGRAM_PNG, launch_page
from ci.listing.links import DEPLOY_STACK_NAME, REGION_NAMES, region_links
from ci.listing.usage import TEXT, ListingError, usage_instructions
from ci.publish import plan
from template_gen.__main__ import DEPLOY_TEMPLATE, TEMPLATE
from template_gen.product import IMPORTER_ZIP, REGIONS, read_release
from template_gen.stack import build_template

RELEASE = replace(read_release(), version="9.9.9", asset_key_prefix="storescp/9.9.9/", digest="")
DOCUMENT = build_template(RELEASE).to_dict()
USAGE = usage_instructions(RELEASE, DOCUMENT)
NAMED = re.compile(r"`([A-Z][A-Za-z]+\d?)`|\*\*([A-Z][A-Za-z]+[A-Z]\w*)\*\*")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.sources += [value or "" for name, value in attrs if name == "src"]


def _page() -> _Page:
    page = _Page()
    page.feed(launch_page(RELEASE))
    return page


def test_there_is_a_link_for_each_region_of_healthimaging() -> None:
    """To the product and to the deploy role, and the Region's name is known."""
    assert [links.region for links in region_links(RELEASE)] == list(REGIONS) == list(REGION_NAMES)


def test_a_link_opens_the_form_of_its_own_region() -> None:
    """Console, Region and bucket are one Region's; the query stands behind the hash, as the console reads it."""
    for links in region_links(RELEASE):
        for link, template, stack in (
            (links.product, TEMPLATE, "storescp"),
            (links.deploy_role, DEPLOY_TEMPLATE, DEPLOY_STACK_NAME),
        ):
            parts = urlsplit(link)
            path, _, query = parts.fragment.partition("?")
            asked = parse_qs(query)

            assert parts.hostname == f"{links.region}.console.aws.amazon.com"
            assert parse_qs(parts.query) == {"region": [links.region]}
            assert path == "/stacks/create/review"
            assert asked["stackName"] == [stack]
            assert asked["templateURL"] == [
                f"https://storescp-assets-{links.region}.s3.{links.region}.amazonaws.com/storescp/9.9.9/{template}"
            ]


def test_what_a_link_opens_is_what_is_published(tmp_path: Path) -> None:
    """Bucket and key, as the publication puts them."""
    for name in (TEMPLATE, DEPLOY_TEMPLATE, IMPORTER_ZIP):
        (tmp_path / name).write_text("")
    write_sums(tmp_path, list(tmp_path.iterdir()))
    published = {
        f"https://{one.bucket}.s3.{one.region}.amazonaws.com/{one.key}"
        for one in plan(RELEASE, tmp_path, RELEASE.asset_bucket_prefix)
    }
    opened = {
        parse_qs(urlsplit(link).fragment.partition("?")[2])["templateURL"][0]
        for links in region_links(RELEASE)
        for link in (links.product, links.deploy_role)
    }

    assert opened <= published


def test_the_launch_page_links_every_region_and_loads_nothing_else() -> None:
    """It lies in a bucket beside the diagram: no script, no other host."""
    page = _page()
    expected = [link for one in region_links(RELEASE) for link in (one.product, one.deploy_role)]

    assert page.links == expected
    assert page.sources == [DIAGRAM_PNG]
    assert "script" not in page.tags


def test_the_launch_page_speaks_both_languages() -> None:
    """Each sentence to know beforehand stands in Japanese too."""
    text = launch_page(RELEASE)

    assert text.count("<p lang=ja>") == text.count("<li>") >= 4


def test_the_instructions_name_nothing_that_does_not_exist() -> None:
    """Every parameter, output and logical ID in the text is the template's."""
    known = {*DOCUMENT["Parameters"], *DOCUMENT["Outputs"], *DOCUMENT["Resources"]}
    named = {one or other for one, other in NAMED.findall(TEXT.read_text(encoding="utf-8"))}

    assert len(named) > 20
    assert named - known == set()


def test_the_instructions_give_every_role_and_policy_a_purpose() -> None:
    """As AWS Marketplace asks of a CloudFormation delivery."""
    made = {
        title
        for title, body in DOCUMENT["Resources"].items()
        if body["Type"] in ("AWS::IAM::Role", "AWS::IAM::Policy")
    }
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+)$", USAGE, re.MULTILINE))

    assert made <= set(rows)
    assert all(len(rows[title].split(" | ")) == 3 for title in made)


def test_a_role_without_a_purpose_stops_the_release() -> None:
    """Rather than a listing that leaves it out."""
    role = DOCUMENT["Resources"]["DataAccessRole"]
    document = {**DOCUMENT, "Resources": {**DOCUMENT["Resources"], "NewRole": role}}

    with pytest.raises(ListingError, match="NewRole"):
        usage_instructions(RELEASE, document)


def test_the_instructions_disclose_what_comes_from_outside() -> None:
    """Registry and bucket, as the template uses them (seller guide, "Product usage requirements")."""
    assert f"`{RELEASE.repository}`" in USAGE
    assert f"`s3://storescp-assets-REGION/storescp/9.9.9/{IMPORTER_ZIP}`" in USAGE


def test_the_instructions_name_every_service_that_costs() -> None:
    """Each kind of resource that AWS charges for has its row."""
    costs = USAGE.partition("## 10.")[2].partition("## 11.")[0]
    charged = {
        "ECS": "Fargate", "ElasticLoadBalancingV2": "Elastic Load Balancing", "HealthImaging": "HealthImaging",
        "S3": "S3", "Lambda": "Lambda", "SQS": "SQS", "DynamoDB": "DynamoDB", "Events": "EventBridge",
        "SNS": "SNS", "CloudWatch": "CloudWatch", "Logs": "CloudWatch", "KMS": "KMS", "EC2": "addresses",
    }  # fmt: skip
    free = {"IAM", "ApplicationAutoScaling"}
    services = {
        body["Type"].split("::")[1]
        for body in DOCUMENT["Resources"].values()
        if body["Type"].startswith("AWS::")
    }

    assert services == set(charged) | free
    assert [name for name in charged.values() if name not in costs] == []
