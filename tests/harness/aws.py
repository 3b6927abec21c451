"""`python -m tests.harness.aws`: in place of `local.aws`, with a gate before the emulated services."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path

from local.aws import build_gateway
from local.healthimaging.faults import Faults
from local.web import Server
from tests.harness import contents
from tests.harness.gate import Gate, GateHandler
from tests.harness.rules import Rules


def make_gate(imported: Path, faults: Faults, seed: int = 0) -> Gate:
    """Return the emulated services behind a gate.

    Args:
        imported: Folder for the imported instances.
        faults: HealthImaging's own switches.
        seed: Of what is left to chance.
    """
    gate = Gate(build_gateway(imported, faults), Rules(seed))
    gate.reports |= {"landed": contents.report, "count": contents.count}
    return gate


def main() -> int:
    """Serve until standard input ends."""
    logging.basicConfig(level=logging.WARNING)
    faults = Faults.from_document(json.loads(os.environ.get("HEALTHIMAGING_FAULTS") or "{}"))
    gate = make_gate(Path(os.environ["DATA_DIR"]) / "imported", faults)
    with Server(int(os.environ["AWS_PORT"]), gate, GateHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"listening {server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
