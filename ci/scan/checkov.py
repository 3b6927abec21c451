"""Checkov, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ci.scan.findings import Finding, ScanError
from ci.tools import ROOT, ToolsError, environment, installed

LOCK = ROOT / "ci/scan.txt"
_FOUND_SOMETHING = 1


def checkov(templates: Sequence[Path]) -> list[Finding]:
    """Return what Checkov finds in templates.

    Raises:
        ScanError: It cannot be had or did not work.
    """
    try:
        folder = installed(LOCK)
    except ToolsError as error:
        raise ScanError(str(error)) from error
    command = [
        sys.executable, "-m", "checkov.main", "--framework", "cloudformation", "--compact", "--quiet",
        "--skip-download", "--output", "json", *(part for path in templates for part in ("--file", str(path))),
    ]  # fmt: skip
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(folder)
    )
    if result.returncode not in (0, _FOUND_SOMETHING):
        raise ScanError(f"checkov: {result.stderr.strip()[-500:]}")
    return findings_of(result.stdout, len(templates))


def findings_of(text: str, templates: int) -> list[Finding]:
    """Read Checkov's report.

    Raises:
        ScanError: It is none, or a template could not be read.
    """
    try:
        summary = json.loads(text)
        results = summary["results"]["failed_checks"]
        resources, broken = (
            summary["summary"]["resource_count"],
            summary["summary"]["parsing_errors"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ScanError(f"checkov: no report ({error!r})") from error
    if broken or resources < templates:
        raise ScanError(f"checkov: {broken} templates could not be read")
    return [
        Finding(
            check["check_id"], check["resource"].rpartition(".")[2], check.get("check_name", "")
        )
        for check in results
    ]
