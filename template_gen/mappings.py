"""Facts of the release and of Fargate that the template looks up."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import AWSHelperFn, FindInMap, If, Join, Ref, Region, Select, Split, Template

from template_gen import fargate
from template_gen.conditions import Conditions
from template_gen.parameters import Parameters
from template_gen.product import IMPORTER_ZIP, Release

_RELEASE = "Release"
_FARGATE = "Fargate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """Where the running stack's image and code come from, and the size of its tasks.

    Attributes:
        image: Reference of the image.
        image_repository_arn: The image's repository, in its own account and Region.
        code_bucket: Bucket of this Region with the functions' code.
        code_key: Key of the archive.
        workers: The receiver's processes for the chosen CPU units.
    """

    image: AWSHelperFn
    image_repository_arn: AWSHelperFn
    code_bucket: AWSHelperFn
    code_key: AWSHelperFn
    workers: AWSHelperFn


def add_mappings(template: Template, p: Parameters, c: Conditions, release: Release) -> Assets:
    """Add the mappings; parameters that are not empty stand above them."""
    template.add_mapping(
        _RELEASE,
        {
            "Image": {"Reference": release.image},
            "Assets": {
                "BucketPrefix": release.asset_bucket_prefix,
                "KeyPrefix": release.asset_key_prefix,
            },
        },
    )
    template.add_mapping(
        _FARGATE,
        {str(cpu): {"Workers": str(fargate.workers_of(cpu))} for cpu in fargate.MEMORY_MIB},
    )
    image = If(c.has_image_uri, Ref(p.image_uri), FindInMap(_RELEASE, "Image", "Reference"))
    bucket_prefix = If(
        c.has_asset_bucket_prefix,
        Ref(p.asset_bucket_prefix),
        FindInMap(_RELEASE, "Assets", "BucketPrefix"),
    )
    key_prefix = If(
        c.has_asset_key_prefix,
        Ref(p.asset_key_prefix),
        FindInMap(_RELEASE, "Assets", "KeyPrefix"),
    )
    return Assets(
        image=image,
        image_repository_arn=_repository_arn(image),
        code_bucket=Join("-", [bucket_prefix, Region]),
        code_key=Join("", [key_prefix, IMPORTER_ZIP]),
        workers=FindInMap(_FARGATE, Ref(p.task_cpu), "Workers"),
    )


def _repository_arn(image: AWSHelperFn) -> AWSHelperFn:
    """Take `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>` (or `@<digest>`) apart.

    A Marketplace image lies in the Marketplace's account in us-east-1, whatever Region the stack is in.
    """
    host = Split(".", image)
    path = Select(1, Split(".amazonaws.com/", image))
    name = Select(0, Split("@", Select(0, Split(":", path))))
    return Join(
        ":", ["arn:aws:ecr", Select(3, host), Select(0, host), Join("/", ["repository", name])]
    )
