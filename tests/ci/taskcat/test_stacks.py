"""Stacks in the emulator: the network comes and goes whole, and Preflight really refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ci.taskcat import tool
from ci.taskcat.__main__ import main
from ci.taskcat.certificate import self_signed
from ci.taskcat.deployed import DeployedError, await_stack
from ci.taskcat.network import STORE
from ci.taskcat.prerequisites import STACK, TEMPLATE, Client, prepare, remove
from template_gen.product import REGIONS as ALL_REGIONS
from tests.ci.taskcat.conftest import REGIONS

REGION = REGIONS[0]


def test_the_network_is_clean_to_cfn_lint_in_every_region() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "-t", TEMPLATE, "-r", *ALL_REGIONS],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout


def test_network_and_certificate_come_and_go_in_each_region(client: Client) -> None:
    """A second `prepare`, after a run that was killed, begins anew."""
    for regions in ([REGION], REGIONS):
        prepare(regions, client, self_signed(), "127.0.0.0/8")
    for region in REGIONS:
        stored = client("ssm", region).get_parameters_by_path(Path=STORE)["Parameters"]
        assert stored
        assert len(client("acm", region).list_certificates()["CertificateSummaryList"]) == 1

    remove(REGIONS, client)

    for region in REGIONS:
        assert client("cloudformation", region).describe_stacks()["Stacks"] == []
        vpcs = client("ec2", region).describe_vpcs()["Vpcs"]
        assert [vpc["IsDefault"] for vpc in vpcs] == [True]
        assert client("acm", region).list_certificates()["CertificateSummaryList"] == []
        assert client("ssm", region).get_parameters_by_path(Path=STORE)["Parameters"] == []


def test_a_stack_that_preflight_refuses_fails_with_its_sentence(client: Client) -> None:
    """The function runs as the stack describes it: public and private subnets are confused here."""
    prepare([REGION], client, self_signed(), "127.0.0.0/8")
    try:
        stored = _stored(client)
        public, private = stored["PublicSubnetIDs"], stored["PrivateSubnetIDs"]
        confused = stored | {"PublicSubnetIDs": private, "PrivateSubnetIDs": public}
        _create(client, "refused", tool.TEMPLATE.read_text(), _of_minimal(confused))

        with pytest.raises(DeployedError, match="are swapped"):
            await_stack(client("cloudformation", REGION), "refused")
    finally:
        client("cloudformation", REGION).delete_stack(StackName="refused")
        remove([REGION], client)


def test_a_type_without_a_meaning_fails_the_stack(client: Client) -> None:
    """The emulator alone would pass over it without a word."""
    template = {"Resources": {"Volume": {"Type": "AWS::FSx::Volume", "Properties": {}}}}
    _create(client, "unknown", json.dumps(template), {})

    with pytest.raises(DeployedError, match="AWS::FSx::Volume has no meaning here"):
        await_stack(client("cloudformation", REGION), "unknown")
    client("cloudformation", REGION).delete_stack(StackName="unknown")


def _stored(client: Client) -> dict[str, str]:
    (stack,) = client("cloudformation", REGION).describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _of_minimal(stored: dict[str, str]) -> dict[str, str]:
    return {name: stored[name] for name in tool.read_config()["project"]["parameters"]}


def _create(client: Client, name: str, template: str, parameters: dict[str, Any]) -> None:
    client("cloudformation", REGION).create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )


def test_in_an_account_nothing_is_made_without_a_yes(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it would make, where, and in whose account."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", client("sts", REGION).meta.endpoint_url)

    code = main(["--cidr", "203.0.113.7/32", "--regions", REGION, "--tests", "minimal,tls"])

    said = capsys.readouterr().out
    assert code == 0
    assert "account 123456789012" in said
    assert f"2 stacks (minimal, tls) in each of {REGION}, reached from 203.0.113.7/32" in said
    assert client("cloudformation", REGION).describe_stacks()["Stacks"] == []


@pytest.mark.parametrize("cidr", ["", "203.0.113.7/24", "my-office"])
def test_in_an_account_an_address_range_must_be_given(
    cidr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--cidr", cidr])

    assert "give your own public address" in capsys.readouterr().err
