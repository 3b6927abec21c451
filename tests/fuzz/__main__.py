"""`python -m tests.fuzz` (`make fuzz`): led by coverage in this process, then over TCP to a whole receiver."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ci.tools import ROOT, ToolsError, environment, installed
from tests.fuzz.live import play_mutated, running_live
from tests.fuzz.target import CORPUS, ViolationError

WORK = ROOT / "build" / "fuzz"
LOCK = ROOT / "ci" / "fuzz.txt"
GUIDED = 0.8
"""Of the time; the rest is for the whole receiver."""
_PORTION = 200


def main() -> int:
    """Fuzz for as long as is asked; return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        tools = installed(LOCK)
    except ToolsError as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 1
    found = WORK / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    for path in CORPUS.iterdir():
        shutil.copy(path, found)
    seconds = max(1, round(arguments.seconds * GUIDED))
    command = [
        sys.executable, "-m", "tests.fuzz.guided", str(found), f"-max_total_time={seconds}",
        f"-seed={arguments.seed}", f"-artifact_prefix={WORK}/", "-timeout=30", "-rss_limit_mb=2048",
        "-print_final_stats=1", "-verbosity=1",
    ]  # fmt: skip
    if subprocess.run(command, cwd=ROOT, env=environment(tools), check=False).returncode:
        print(
            f"fuzz: a promise was broken: mend it, and put the session ({WORK}/crash-* or the like) into "
            f"{CORPUS.relative_to(ROOT)}",
            file=sys.stderr,
        )
        return 1
    return _live(found, arguments.seconds * (1 - GUIDED), arguments.seed)


def _live(found: Path, seconds: float, seed: int) -> int:
    sessions = [path.read_bytes() for path in sorted(found.iterdir())]
    end = time.monotonic() + seconds
    played = 0
    try:
        with tempfile.TemporaryDirectory() as name, running_live(Path(name)) as live:
            while time.monotonic() < end:
                play_mutated(live, sessions, cases=_PORTION, seed=seed + played)
                played += _PORTION
    except ViolationError as error:
        print(f"fuzz: over TCP, within the {_PORTION} cases after {played}: {error}")
        return 1
    print(f"fuzz: {len(sessions)} sessions in {found}; {played} cases over TCP, nothing broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
