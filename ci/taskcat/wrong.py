"""`python -m ci.taskcat.wrong`: prove that a wrong expectation makes `make taskcat-local` fail, and for no other reason."""

from __future__ import annotations

import subprocess
import sys

from ci.tools import ROOT
from contract.states import InstanceState

EXPECTED = InstanceState.QUARANTINED
SENTENCE = f"the ledger says {InstanceState.IMPORTED} of the instance, expected was {EXPECTED}"
FOLDER = ROOT / "build/taskcat-wrong"


def main() -> int:
    """Expect what does not come; return 0 if that fails as it must."""
    command = [
        sys.executable, "-m", "ci.taskcat.local", "--tests", "minimal", "--regions", "us-west-2",
        "--expect", EXPECTED.value, "--folder", str(FOLDER),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0 and SENTENCE in run.stdout:
        print(f"taskcat-local: with {EXPECTED} expected it fails ({run.returncode}), as it must")
        return 0
    print(f"{run.stdout}{run.stderr}taskcat-local: {run.returncode}, not for what was expected")
    return 1


if __name__ == "__main__":
    sys.exit(main())
