"""CloudFormation Guard with the rules of AWS Control Tower's proactive controls.

Both come in one npm package of AWS's, binary and rules together; its hash stands here.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ci.npm import NpmPackage, fetched
from ci.scan.findings import Finding, ScanError
from ci.tools import ToolsError

PACKAGE = NpmPackage(
    "@cdklabs/cdk-validator-cfnguard",
    "0.0.62",
    "Sg2k8067B0AIJ82QFSLhHTUIqxOYTKABvVrTHiyc6j0rE2NHli2diIYqf+w+DkuDKCYYgMIOga3OrYMOHUw0mQ==",
)
_SYSTEMS = {"Linux": "ubuntu", "Darwin": "macos"}
_PROCESSORS = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_FOUND_SOMETHING = 19
_RESOURCE = re.compile(r"/Resources/(\w+)")


def guard(templates: Sequence[Path]) -> list[Finding]:
    """Return what the rules find in templates.

    Raises:
        ScanError: The package cannot be had, or Guard did not work.
    """
    try:
        folder = fetched(PACKAGE)
    except ToolsError as error:
        raise ScanError(str(error)) from error
    try:
        system = f"{_SYSTEMS[platform.system()]}/{_PROCESSORS[platform.machine()]}"
    except KeyError as error:
        raise ScanError(f"cfn-guard: there is none for {error}") from error
    command = [
        str(folder / "bin" / system / "cfn-guard"), "validate", "--rules", str(folder / "rules"),
        "--output-format", "json", "--structured", "--show-summary", "none",
        *(part for path in templates for part in ("--data", str(path))),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode not in (0, _FOUND_SOMETHING):
        raise ScanError(f"cfn-guard: {result.stderr.strip()[-500:]}")
    return findings_of(result.stdout, len(templates))


def findings_of(text: str, templates: int) -> list[Finding]:
    """Read Guard's report.

    Raises:
        ScanError: It is none, or misses a template.
    """
    try:
        reports = json.loads(text)
        if len(reports) != templates:
            raise ScanError(f"cfn-guard: {len(reports)} reports for {templates} templates")
        broken = [rule for report in reports for rule in report["not_compliant"]]
        return sorted(
            {
                Finding(rule["Rule"]["name"], resource)
                for rule in broken
                for resource in _RESOURCE.findall(json.dumps(rule))
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ScanError(f"cfn-guard: no report ({error!r})") from error
