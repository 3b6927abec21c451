"""The committed template is the built one, and CloudFormation's own checks find nothing in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from template_gen.product import REGIONS, read_release
from template_gen.render import render
from template_gen.stack import build_template
from tests.template_gen.rendering import document, of_type

DIST = Path(__file__).parents[2] / "dist"
COMMITTED = DIST / "storescp.template.json"
FIXED_IDS = {
    "PacsNLB": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "DicomImportJobTable": "AWS::DynamoDB::Table",
    "PacsServerTaskDefPacsContainerLogGroup": "AWS::Logs::LogGroup",
}


def test_the_committed_template_is_the_built_one() -> None:
    """dist/ is the golden file."""
    built = render(build_template())

    assert built == COMMITTED.read_text(encoding="utf-8"), "run `make template`, review the diff"


def test_two_builds_are_the_same_bytes() -> None:
    """No time, no random name, no order of a set gets into the file."""
    assert render(build_template()) == render(build_template())


def _cfn_lint(*templates: Path) -> subprocess.CompletedProcess[str]:
    """Examine templates as for every Region of HealthImaging."""
    return subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "-t", *templates, "-r", *REGIONS],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_cfn_lint_finds_nothing_in_the_five_regions() -> None:
    """Schemas, references and types hold in each, of every template that is published."""
    lint = _cfn_lint(*sorted(DIST.glob("*.template.json")))

    assert (lint.returncode, lint.stdout) == (0, "")


@pytest.mark.slow
def test_cfn_lint_examines_each_of_the_five_regions(tmp_path: Path) -> None:
    """A type that only one of them lacks is found for that one."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - takes seconds

    kinds = {region: set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region)) for region in REGIONS}
    missing = {region: min(set().union(*kinds.values()) - here) for region, here in kinds.items()}
    spoiled = tmp_path / "spoiled.json"
    spoiled.write_text(
        json.dumps(
            {"Resources": {f"In{n}": {"Type": kind} for n, kind in enumerate(missing.values())}}
        )
    )

    lint = _cfn_lint(spoiled)

    for region, kind in missing.items():
        assert re.search(
            rf"E3006 .*{re.escape(kind)}.* does not exist in .*'{region}'", lint.stdout
        )


@pytest.mark.parametrize(("title", "kind"), FIXED_IDS.items())
def test_the_guides_logical_ids_stay(title: str, kind: str) -> None:
    """People look for these names in the console."""
    assert document()["Resources"][title]["Type"] == kind


def test_the_template_fits_cloudformation() -> None:
    """1 MB by URL, 500 resources, 200 parameters, 1,024 bytes of description."""
    built = document()

    assert COMMITTED.stat().st_size < 1_000_000
    assert len(built["Resources"]) < 500
    assert len(built["Parameters"]) < 200
    assert len(built["Description"].encode()) <= 1024


def test_the_version_is_setup_cfgs() -> None:
    """One place says which release this is."""
    version = read_release().version

    assert f" {version}:" in document()["Description"]
    assert document()["Mappings"]["Release"]["Assets"]["KeyPrefix"].endswith(f"/{version}/")


def test_nothing_has_a_name_of_ours() -> None:
    """Two stacks fit one account, and a name with capitals fails no bucket."""
    resources = document()["Resources"]
    names = {
        "AWS::S3::Bucket": "BucketName",
        "AWS::IAM::Role": "RoleName",
        "AWS::SQS::Queue": "QueueName",
        "AWS::DynamoDB::Table": "TableName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
        "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    }

    named = [
        title
        for kind, name in names.items()
        for title, properties in of_type(resources, kind).items()
        if name in properties
    ]

    assert named == []
