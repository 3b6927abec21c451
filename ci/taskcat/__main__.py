"""`python -m ci.taskcat --cidr RANGE [--confirm]` (`make taskcat`): the deployment tests in a real account.

Makes network and certificate in each Region, lets taskcat make, check and delete the stacks, removes network and
certificate. It costs money and takes about half an hour, so without --confirm it only says what it would do.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ci.taskcat import tool
from ci.taskcat.certificate import self_signed
from ci.taskcat.prerequisites import STACK, Client, PrerequisitesError, prepare, remove
from ci.tools import ROOT, ToolsError

FOLDER = ROOT / "build/taskcat"
ATTEMPTS = 10
EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run; return taskcat's exit code, 1 if anything else is wrong."""
    config = tool.read_config()
    options = _parser(config).parse_args(arguments)
    try:
        tests = tool.chosen(options.tests, list(config["tests"]), "tests")
        regions = tool.chosen(options.regions, config["project"]["regions"], "regions")
        client = _clients()
        account = client("sts", regions[0]).get_caller_identity()["Account"]
        print(
            f"taskcat: account {account}: {STACK} and {len(tests)} stacks ({', '.join(tests)}) in each of "
            f"{', '.join(regions)}, reached from {options.cidr}"
        )
        if not options.confirm:
            print("taskcat: nothing was made; CONFIRM=yes makes it, which costs money")
            return 0
        return _run(options, config, client, tests, regions)
    except (
        tool.ConfigError, ToolsError, PrerequisitesError, ClientError, BotoCoreError,
    ) as error:  # fmt: skip
        print(f"taskcat: FAILED {error}", file=sys.stderr)
        return 1


def _run(
    options: argparse.Namespace,
    config: Mapping[str, Any],
    client: Client,
    tests: Sequence[str],
    regions: Sequence[str],
) -> int:
    project = FOLDER / "project"
    overrides = {"ImageURI": options.image_uri, "AssetBucketPrefix": options.asset_bucket_prefix}
    tool.stage(project, config, {name: value for name, value in overrides.items() if value})
    try:
        prepare(regions, client, self_signed(), str(options.cidr))
        with tool.running(project, tests=tests, regions=regions, environ=os.environ) as process:
            code = process.wait()
    finally:
        if options.keep_network:
            print(f"taskcat: {STACK} stays, and costs: KEEP_NETWORK= removes it after the next run")
        else:
            remove(regions, client)
    if code == 0 and (silent := tool.unchecked(project, tests, regions)):
        raise tool.ConfigError(f"no check has looked at {', '.join(silent)}")
    print(
        "taskcat: what the stacks keep is still there: docs/deployment-tests.md says how to remove it"
    )
    return code


def _clients() -> Client:
    session = boto3.Session()
    config = Config(retries={"total_max_attempts": ATTEMPTS, "mode": "standard"})

    def client(service: str, region: str) -> Any:
        return session.client(service, region_name=region, config=config)

    return client


def _range(text: str) -> ipaddress.IPv4Network:
    """Read an address range as the template takes it."""
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no IPv4 range: give your own public address, for example 203.0.113.7/32 "
            "(https://checkip.amazonaws.com shows it)"
        ) from None


def _parser(config: Mapping[str, Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("taskcat", description=__doc__)
    parser.add_argument("--cidr", type=_range, required=True, help="whence the check sends (CIDR=)")
    parser.add_argument("--tests", default="", help=f"of {', '.join(config['tests'])} (TESTS=)")
    parser.add_argument("--regions", default="", help="separated by commas (REGIONS=)")
    parser.add_argument("--image-uri", default="", help="instead of the release's (IMAGE=)")
    parser.add_argument("--asset-bucket-prefix", default="", help="likewise (PREFIX=)")
    parser.add_argument(
        "--keep-network", action="store_true", help="for another run soon (KEEP_NETWORK=1)"
    )
    parser.add_argument("--confirm", action="store_true", help="do it (CONFIRM=yes)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
