"""CloudFormation Guard with the rules of AWS Control Tower's proactive controls.

Both come in one npm package of AWS's, binary and rules together; npm checks it against the hash here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from ci.scan.findings import Finding, ScanError
from ci.tools import TOOLS, alone

PACKAGE = "@cdklabs/cdk-validator-cfnguard@0.0.62"
SHA512 = "Sg2k8067B0AIJ82QFSLhHTUIqxOYTKABvVrTHiyc6j0rE2NHli2diIYqf+w+DkuDKCYYgMIOga3OrYMOHUw0mQ=="
_FOLDER = TOOLS / f"cfn-guard-{SHA512[:8]}"
_SYSTEMS = {"Linux": "ubuntu", "Darwin": "macos"}
_PROCESSORS = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_FOUND_SOMETHING = 19
_RESOURCE = re.compile(r"/Resources/(\w+)")


def guard(templates: Sequence[Path]) -> list[Finding]:
    """Return what the rules find in templates.

    Raises:
        ScanError: The package cannot be had, or Guard did not work.
    """
    folder = _installed()
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


def _installed() -> Path:
    with alone("cfn-guard"):
        if not _FOLDER.exists():
            _install()
    return _FOLDER


def _install() -> None:
    partial = _FOLDER.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    npm = shutil.which("npm")
    if npm is None:
        raise ScanError("npm is not there, which brings cfn-guard: install npm")
    packed = subprocess.run(
        [npm, "pack", PACKAGE, "--silent"], cwd=partial, capture_output=True, text=True, check=False
    )
    if packed.returncode != 0:
        raise ScanError(f"cfn-guard: {packed.stderr.strip()[-500:]}")
    (archive,) = partial.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise ScanError(f"cfn-guard: {PACKAGE} has another hash than the one in ci/scan/guard.py")
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    (partial / "package").rename(_FOLDER)
    shutil.rmtree(partial)
