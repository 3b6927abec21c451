"""`make chaos SECONDS=n SEED=n`: the whole product under random faults, and whether anything was lost."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.chaos import report
from tests.chaos.plan import make_plan
from tests.chaos.run import SETTINGS, Result, Run
from tests.harness.site import running_site

ROOT = Path(__file__).resolve().parent.parent.parent
RESULT = ROOT / "build" / "chaos.json"


def main() -> int:
    """Run, print, write build/chaos.json; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the product is stopped too
    plan = make_plan(options.seed, options.seconds)
    _say(
        f"seed {options.seed}: {options.seconds:g} s, {len(plan.episodes)} episodes, "
        f"{len(plan.blows)} sudden faults"
    )
    folder = Path(tempfile.mkdtemp(prefix="storescp-chaos-"))
    with running_site(folder, **SETTINGS) as site:
        result = Run(site, plan, options.seed, _say).go()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(asdict(result), indent=2) + "\n")
    _conclude(result)
    if options.write:
        report.write(result)
    if result.violations:
        _say(f"logs and imported images are kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _conclude(result: Result) -> None:
    figures = result.figures
    _say(
        f"{result.acknowledged} contents acknowledged of {result.offered} offered; "
        f"{figures.get('landed')} objects landed, {figures.get('importJobs')} jobs; "
        f"{sum(result.struck.values())} requests hurt, {sum(result.blows.values())} sudden faults"
    )
    for line in result.violations:
        _say(f"VIOLATION: {line}")
    _say(f"{len(result.violations)} violations")


def _say(line: str) -> None:
    sys.stdout.write(f"chaos: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
