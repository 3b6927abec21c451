"""`python -m ci.taskcat.emulator.invoke HANDLER TIMEOUT`: call a handler once, with the event of standard input."""

from __future__ import annotations

import json
import sys

from local.function import Invoker, load_handler
from local.functions import Function


def main(arguments: list[str]) -> int:
    """Call the handler that `arguments` name."""
    handler, timeout_s = arguments
    function = Function(
        logical_id="function",
        handler=handler,
        environment={},
        timeout_s=int(timeout_s),
        memory_mib=128,
        sources=(),
        schedules=(),
    )
    Invoker(function, load_handler(handler)).invoke(json.load(sys.stdin))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
