"""What the tests need in each Region: a network and a certificate, made before and removed after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from ci.taskcat import network
from ci.taskcat.certificate import Certificate
from ci.tools import ROOT

STACK = "storescp-taskcat-network"
TEMPLATE = ROOT / network.FILE
ZONES = 2
_TAG = {"Key": "storescp", "Value": "taskcat"}
_WAIT = {"Delay": 2, "MaxAttempts": 600}
"""A NAT gateway takes three minutes."""
_IS_THERE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

Client = Callable[[str, str], Any]
"""Takes a service and a Region, returns its boto3 client."""


class PrerequisitesError(Exception):
    """Network or certificate cannot be made or removed; the message says where and why."""


def prepare(
    regions: Iterable[str], client: Client, certificate: Certificate, tester_cidr: str
) -> None:
    """Make what is not there yet, in all Regions at once.

    Args:
        regions: Where.
        client: Makes clients.
        certificate: For the tests by TLS.
        tester_cidr: Address range that the check sends from.

    Raises:
        PrerequisitesError: It cannot be made.
    """
    _everywhere(regions, lambda region: _prepare(region, client, certificate, tester_cidr))


def remove(regions: Iterable[str], client: Client) -> None:
    """Remove what `prepare` made, in all Regions at once.

    Raises:
        PrerequisitesError: It cannot be removed.
    """
    _everywhere(regions, lambda region: _remove(region, client))


def _everywhere(regions: Iterable[str], work: Callable[[str], None]) -> None:
    named = tuple(regions)
    with ThreadPoolExecutor(len(named)) as pool:
        runs = {region: pool.submit(work, region) for region in named}
    problems = [f"{region}: {error}" for region, run in runs.items() if (error := run.exception())]
    if problems:
        raise PrerequisitesError("; ".join(problems))


def _prepare(region: str, client: Client, certificate: Certificate, tester_cidr: str) -> None:
    cloudformation = client("cloudformation", region)
    if _status(cloudformation) in _IS_THERE:
        # Of a run that was killed: the network is as good, its certificate's key is lost.
        _remove(region, client)
    zones = client("ec2", region).describe_availability_zones(
        Filters=[
            {"Name": "state", "Values": ["available"]},
            {"Name": "zone-type", "Values": ["availability-zone"]},
        ]
    )["AvailabilityZones"]
    arn = client("acm", region).import_certificate(
        Certificate=certificate.certificate, PrivateKey=certificate.key, Tags=[_TAG]
    )["CertificateArn"]
    values = {
        network.ZONES: ",".join(zone["ZoneName"] for zone in zones[:ZONES]),
        network.TESTER_CIDR: tester_cidr,
        network.CERTIFICATE: arn,
    }
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
        Tags=[_TAG],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig=_WAIT)


def _remove(region: str, client: Client) -> None:
    cloudformation = client("cloudformation", region)
    if _status(cloudformation):
        cloudformation.delete_stack(StackName=STACK)
        try:
            cloudformation.get_waiter("stack_delete_complete").wait(
                StackName=STACK, WaiterConfig=_WAIT
            )
        except WaiterError as error:
            raise PrerequisitesError(f"{STACK} stays, delete it by hand ({error})") from None
    acm = client("acm", region)
    for page in acm.get_paginator("list_certificates").paginate():
        for found in page["CertificateSummaryList"]:
            arn = found["CertificateArn"]
            if _TAG in acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]:
                acm.delete_certificate(CertificateArn=arn)


def _status(cloudformation: Any) -> str:
    try:
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return ""
        raise
    return str(stack["StackStatus"])
