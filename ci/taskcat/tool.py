"""Runs taskcat itself, in its own locked environment, on a folder of just what it has to upload."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ci.tools import ROOT, TASKCAT, installed

CONFIG = ROOT / "ci/.taskcat.yml"
TEMPLATE = ROOT / "dist/storescp.template.json"
HOOKS = ROOT / "ci/taskcat/hooks"
_STOP_S = 30


class ConfigError(Exception):
    """The tests cannot be run as asked; the message says why."""


def read_config() -> dict[str, Any]:
    """Return what .taskcat.yml says."""
    document: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return document


def chosen(asked: str, known: Sequence[str], what: str) -> list[str]:
    """Return the asked names, all of the known if none is asked.

    Raises:
        ConfigError: One is not known.
    """
    names = [name for name in asked.split(",") if name] or list(known)
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"{what} {', '.join(unknown)}: choose from {', '.join(known)}")
    return names


def stage(folder: Path, config: Mapping[str, Any], overrides: Mapping[str, str]) -> None:
    """Fill a folder with what taskcat reads and uploads: it would upload a whole tree.

    Args:
        folder: Emptied first.
        config: Of .taskcat.yml.
        overrides: Parameters of every test, for images and code that are not the release's.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(TEMPLATE, folder)
    project = dict(config["project"])
    project["parameters"] = {**project["parameters"], **overrides}
    document = {**config, "project": project}
    (folder / CONFIG.name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


@contextmanager
def running(
    folder: Path, *, tests: Sequence[str], regions: Sequence[str], environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start taskcat on a staged folder; it is stopped when the context is left.

    Args:
        folder: From `stage`; reports go into its parent.
        tests: Names of tests.
        regions: Names of Regions.
        environ: Credentials and the like.
    """
    tools = installed(TASKCAT, builds=True)
    reports = reports_of(folder)
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    command = [
        sys.executable, str(tools / "bin/taskcat"), "test", "run", "--minimal-output",
        # cfn-lint has its own test; here it would lint each template for each test again.
        "--lint-disable", "--project-root", str(folder), "--output-directory", str(folder.parent / "outputs"),
        "--test-names", ",".join(tests), "--regions", ",".join(regions),
    ]  # fmt: skip
    own = {
        "PYTHONPATH": os.pathsep.join((str(tools), str(HOOKS))),
        "PYTHONWARNINGS": "ignore",
        "STORESCP_PYTHON": sys.executable,
        "STORESCP_ROOT": str(ROOT),
        "STORESCP_REPORTS": str(reports),
    }
    with subprocess.Popen(command, env={**environ, **own}, cwd=folder) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def reports_of(folder: Path) -> Path:
    """Return where the checks of a staged folder report."""
    return folder.parent / "checked"


def unchecked(folder: Path, tests: Sequence[str], regions: Sequence[str]) -> list[str]:
    """Return the stacks that no check has proved: a hook that did not run has not failed either."""
    names = [f"{test}-{region}" for test in tests for region in regions]
    return [name for name in names if not (reports_of(folder) / name).is_file()]
