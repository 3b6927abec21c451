"""Quick-create links: one click from a page to the filled-in form of CloudFormation, in a given Region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from template_gen.__main__ import DEPLOY_TEMPLATE, TEMPLATE
from template_gen.deploy.role import DEFAULT_STACK_NAME
from template_gen.product import REGIONS, Release

REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-west-2": "US West (Oregon)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "eu-west-1": "Europe (Ireland)",
    "eu-west-2": "Europe (London)",
}
"""As AWS writes them."""
DEPLOY_STACK_NAME = f"{DEFAULT_STACK_NAME}-deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionLinks:
    """The links of one Region.

    Attributes:
        region: Its code.
        name: Its name.
        template_url: Of the product's template in S3.
        product: Opens the form of the product's stack.
        deploy_role: Opens the form of the deploy role's stack.
    """

    region: str
    name: str
    template_url: str
    product: str
    deploy_role: str


def region_links(release: Release, bucket_prefix: str = "") -> Iterator[RegionLinks]:
    """Yield the links of each Region.

    Args:
        release: Whose templates the links open.
        bucket_prefix: Of other buckets than the release's own; the form is then filled in so that the
            functions' code comes from there too.
    """
    parameters = {"AssetBucketPrefix": bucket_prefix} if bucket_prefix else {}
    for region in REGIONS:
        product = _template_url(release, region, bucket_prefix, TEMPLATE)
        deploy = _template_url(release, region, bucket_prefix, DEPLOY_TEMPLATE)
        yield RegionLinks(
            region=region,
            name=REGION_NAMES[region],
            template_url=product,
            product=_quick_create(region, product, DEFAULT_STACK_NAME, parameters),
            deploy_role=_quick_create(region, deploy, DEPLOY_STACK_NAME, {}),
        )


def _template_url(release: Release, region: str, bucket_prefix: str, name: str) -> str:
    bucket = f"{bucket_prefix or release.asset_bucket_prefix}-{region}"
    return f"https://{bucket}.s3.{region}.amazonaws.com/{release.asset_key_prefix}{name}"


def _quick_create(
    region: str, template_url: str, stack_name: str, parameters: Mapping[str, str]
) -> str:
    # AWS CloudFormation user guide, "Create quick-create links for stacks"; the names are case-sensitive.
    query = urlencode(
        {
            "templateURL": template_url,
            "stackName": stack_name,
            **{f"param_{name}": value for name, value in parameters.items()},
        },
        safe=":/",
    )
    return (
        f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}"
        f"#/stacks/create/review?{query}"
    )
