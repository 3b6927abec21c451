"""`python -m bench`: measure everything, print the table, write bench/results.json.

`python -m bench NAME...` measures only those; `--quick` uses few instances, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import hostile, parked, receive_file, record_outcome, report, s3_put

QUICK: dict[str, Callable[[], Sequence[Mapping[str, Any]]]] = {
    "receive_file": lambda: receive_file.run(instances=20, pairs=1),
    "parked": lambda: parked.run(idle_s=2.0),
    "hostile": lambda: hostile.run(rounds=1, round_s=3.0),
    "s3_put": s3_put.run,
    "record_outcome": lambda: record_outcome.run(instances=400, rounds=1),
}
FULL: dict[str, Callable[[], Sequence[Mapping[str, Any]]]] = {
    "receive_file": receive_file.run,
    "parked": parked.run,
    "hostile": hostile.run,
    "s3_put": s3_put.run,
    "record_outcome": record_outcome.run,
}
PEERS = ("storescu", "storescp")


def main() -> int:
    """Run the benchmarks that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FULL)}")
    parser.add_argument("--quick", action="store_true", help="few instances, nothing is written")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - FULL.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if missing := [name for name in PEERS if shutil.which(name) is None]:
        print(
            f"bench: {', '.join(missing)} not found: install DCMTK (Debian: apt-get install dcmtk).",
            file=sys.stderr,
        )
        return 1
    chosen = arguments.names or list(FULL)
    rows: list[Mapping[str, Any]] = []
    for name in chosen:
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        rows += (QUICK if arguments.quick else FULL)[name]()
    document = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": _machine(), "rows": rows}
    if not arguments.quick and not arguments.names:
        report.RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(report.table(document))
    return 0


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
