"""`python -m ci.scan`: examine the committed templates by Checkov and CloudFormation Guard."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ci.scan.checkov import checkov
from ci.scan.findings import ScanError, idle, unwaived
from ci.scan.guard import guard
from ci.scan.waivers import CHECKOV, GUARD
from ci.tools import ROOT

TEMPLATES = "*.template.json"
TOOLS = {"checkov": (checkov, CHECKOV), "cfn-guard": (guard, GUARD)}


def main(folder: Path = ROOT / "dist") -> int:
    """Print what is not waived, and what is waived in vain; return 1 if there is any."""
    began = time.monotonic()
    templates = sorted(folder.glob(TEMPLATES))
    problems = []
    with ThreadPoolExecutor() as pool:
        runs = {name: pool.submit(tool, templates) for name, (tool, _) in TOOLS.items()}
        for name, run in runs.items():
            waivers = TOOLS[name][1]
            try:
                found = run.result()
            except ScanError as error:
                problems.append(f"error: {error}")
                continue
            problems += [
                f"{name}: {f.check} {f.resource} {f.says}" for f in unwaived(found, waivers)
            ]
            problems += [f"{name}: waived, but not found: {one}" for one in idle(found, waivers)]
    for problem in problems:
        print(f"scan: {problem}")
    print(
        f"scan: {len(templates)} templates, {len(problems)} problems, {time.monotonic() - began:.0f} s"
    )
    return 1 if problems or not templates else 0


if __name__ == "__main__":
    sys.exit(main())
