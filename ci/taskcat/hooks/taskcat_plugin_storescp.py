"""taskcat posthook: runs the check of each stack, in all Regions at once, and fails the test if one fails.

It runs in taskcat's environment, which cannot hold the product's: the check is a process of the product's
interpreter, which STORESCP_PYTHON names. taskcat runs its hooks before the stacks are there and hands no outputs
on, so the check waits and reads them itself.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from taskcat.exceptions import TaskCatException
from taskcat.testing._hooks import BaseTaskcatHook


class Hook(BaseTaskcatHook):  # type: ignore[misc]  # no types of taskcat's are read
    """Checks the stacks of one test."""

    def __init__(self, config: dict[str, Any], _whole: Any, test: Any, *_others: Any) -> None:
        """Check.

        Raises:
            TaskCatException: A stack does not do what it must.
        """
        checks = {region.name: _start(config, test, region.name) for region in test.regions}
        failed = [region for region, check in checks.items() if check.wait() != 0]
        if failed or not checks:
            raise TaskCatException(f"{test.name}: failed in {', '.join(failed) or 'no Region'}")


def _start(config: dict[str, Any], test: Any, region: str) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    report = Path(os.environ["STORESCP_REPORTS"]) / f"{test.name}-{region}"
    command = [
        os.environ["STORESCP_PYTHON"], "-m", "ci.taskcat.check", "--region", region,
        "--stack", test.stack_name, "--expect", config["expect"], "--timeout-s", str(config["timeout_s"]),
        "--report", str(report),
    ]  # fmt: skip
    return subprocess.Popen(command, env=environ, cwd=os.environ["STORESCP_ROOT"])
