"""`python -m ci.taskcat.local` (`make taskcat-local`): taskcat itself against emulated AWS, end to end, offline.

Same configuration, templates and check as in an account. The emulator makes the stacks; what they describe runs
as processes of this machine, and each load balancer has an address of the loopback interface in place of its DNS
name. docs/deployment-tests.md says what this proves and what not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import secrets
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3

from ci.taskcat import tool
from ci.taskcat.certificate import Certificate, self_signed
from ci.taskcat.emulator.plane import Plane, PlaneError
from ci.taskcat.prerequisites import Client, PrerequisitesError, prepare, remove
from ci.tools import ROOT, ToolsError
from contract.states import TERMINAL_STATES
from local.environment import base_environment
from local.ports import free_port
from local.processes import Part, PartError
from template_gen.product import IMPORTER_ZIP, read_release

FOLDER = ROOT / "build/taskcat-local"
REGIONS = "us-east-1,eu-west-1"
LOOPBACK_CIDR = "127.0.0.0/8"
BUCKET = "taskcat-local"
CHECK_S = 240
"""A batch is sealed after ten seconds, and this machine may be busy."""
_STOP_S = 10.0
_TURN_S = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run; return taskcat's exit code, 1 if anything else is wrong."""
    config = tool.read_config()
    options = _parser(config).parse_args(arguments)
    began = time.monotonic()
    try:
        tests = tool.chosen(options.tests, list(config["tests"]), "tests")
        regions = tool.chosen(options.regions, config["project"]["regions"], "regions")
        for hook in config["project"]["posthooks"]:
            hook["config"] |= {"expect": options.expect, "timeout_s": CHECK_S}
        code = _run(options.folder, config, tests, regions)
    except (
        tool.ConfigError, ToolsError, PrerequisitesError, PlaneError, PartError, LeftBehindError,
    ) as error:  # fmt: skip
        print(f"taskcat-local: FAILED {error}", file=sys.stderr)
        code = 1
    said = "green" if code == 0 else f"failed ({code})"
    print(f"taskcat-local: {said} after {time.monotonic() - began:.0f} s; logs in {options.folder}")
    return code


class LeftBehindError(Exception):
    """Something is there that should be gone, or was not looked at; the message says what."""


def _run(
    folder: Path, config: Mapping[str, Any], tests: Sequence[str], regions: Sequence[str]
) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    logs = folder / "logs"
    logs.mkdir(parents=True)
    project = folder / "project"
    tool.stage(project, config, {})
    certificate = self_signed()
    port = free_port()
    # No account of the person's, no settings of theirs; taskcat cannot make a bucket here.
    environ = base_environment(os.environ, port) | {
        "HOME": str(folder),
        "TASKCAT_PROJECT_S3_BUCKET": BUCKET,
    }
    with emulator(regions, environ, port, logs):
        client = clients(environ)
        publish(client, regions)
        prepare(regions, client, certificate, LOOPBACK_CIDR)
        plane = Plane(client, environ, _write(certificate, folder), logs)
        try:
            with tool.running(project, tests=tests, regions=regions, environ=environ) as process:
                while process.poll() is None:
                    plane.turn(list(regions))
                    time.sleep(_TURN_S)
        finally:
            plane.stop()
        remove(regions, client)
        _require_clean(client, regions)
    if process.returncode == 0 and (silent := tool.unchecked(project, tests, regions)):
        raise LeftBehindError(f"no check has looked at {', '.join(silent)}")
    return process.returncode


@contextlib.contextmanager
def emulator(
    regions: Sequence[str], environ: Mapping[str, str], port: int, logs: Path
) -> Iterator[None]:
    """Run the emulator until the context is left.

    Args:
        regions: Where stacks may be made.
        environ: What every part needs.
        port: Of every API.
        logs: Folder for its log, those of custom resources, and the imported instances.

    Raises:
        PartError: It did not start.
    """
    # A network of its own for each run: two of them never share a load balancer's address.
    variables = {
        "AWS_PORT": str(port),
        "DATA_DIR": str(logs),
        "BALANCER_NETWORK": f"127.{secrets.choice(range(16, 240))}.{secrets.choice(range(256))}.0/24",
    }
    arguments = ["-m", "ci.taskcat.emulator", *regions]
    part = Part("emulator", arguments, {**environ, **variables}, logs)
    part.start(announces=True)
    try:
        part.announcement()
        yield
    finally:
        part.end_input()
        part.wait(_STOP_S)


def clients(environ: Mapping[str, str]) -> Client:
    """Return what makes clients of the emulator that `environ` names, each once."""
    session = boto3.Session(
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
    made: dict[tuple[str, str], Any] = {}

    def client(service: str, region: str) -> Any:
        if (service, region) not in made:
            made[service, region] = session.client(
                service, region_name=region, endpoint_url=environ["AWS_ENDPOINT_URL"]
            )
        return made[service, region]

    return client


def publish(client: Client, regions: Sequence[str]) -> None:
    """Put what the stack fetches where it looks: a bucket for taskcat, and the functions' code.

    The code that runs is this tree's; the archive's own test runs it as Lambda does.
    """
    client("s3", "us-east-1").create_bucket(Bucket=BUCKET)
    release = read_release()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("README", "Runs from the source tree.\n")
    for region in regions:
        s3 = client("s3", region)
        bucket = f"{release.asset_bucket_prefix}-{region}"
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else place))
        key = release.asset_key_prefix + IMPORTER_ZIP
        s3.put_object(Bucket=bucket, Key=key, Body=archive.getvalue())


def _write(certificate: Certificate, folder: Path) -> Path:
    path = folder / "certificate.pem"
    path.touch(mode=0o600)
    path.write_bytes(certificate.certificate + certificate.key)
    return path


def _require_clean(client: Client, regions: Sequence[str]) -> None:
    left = [
        f"{stack['StackName']} in {region} ({stack['StackStatus']})"
        for region in regions
        for stack in client("cloudformation", region).describe_stacks()["Stacks"]
    ]
    left += [
        f"{vpc['VpcId']} in {region}"
        for region in regions
        for vpc in client("ec2", region).describe_vpcs()["Vpcs"]
        if not vpc["IsDefault"]
    ]
    if left:
        raise LeftBehindError(f"still there: {', '.join(left)}")


def _parser(config: Mapping[str, Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("taskcat-local", description=__doc__)
    parser.add_argument("--tests", default="", help=f"of {', '.join(config['tests'])} (TESTS=)")
    parser.add_argument("--regions", default=REGIONS, help="separated by commas (REGIONS=)")
    parser.add_argument(
        "--expect",
        default=TERMINAL_STATES[-1].value,
        choices=[state.value for state in TERMINAL_STATES],
        help="what the ledger must say; another than the default must fail (EXPECT=)",
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for logs; emptied first")
    return parser


if __name__ == "__main__":
    sys.exit(main())
