"""`python -m importer.redrive` (`make redrive`): an operator's command for a stack or for `make run`.

Without `--stack` it speaks to the local product and runs the function here; with it, it invokes the
stack's function Redrive: all it takes is the right to do so.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from importer.adapters.clients import client
from importer.resources import REDRIVE, NotFoundError, environment_of, function_of, target_of

Ask = Callable[[dict[str, Any]], dict[str, Any]]
_MOST_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class _Unhurried:
    """Lambda's context where no time runs out."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask until everything is asked for; print the sum of the answers; return the exit code."""
    options = _options(arguments)
    event: dict[str, Any] = {"action": options.action, "operator": options.operator}
    for name in ("key", "batch", "all"):
        if getattr(options, name):
            event[name] = getattr(options, name)
    try:
        # Said before anything is done: whatever listens at the emulator's port would be acted on.
        sys.stderr.write(f"{options.action}: {target_of(options.stack)}\n")
        answer = _ask_all(_remote(options.stack) if options.stack else _local(), event)
    except NotFoundError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m importer.redrive", description=__doc__)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--key", help="landing key of one object")
    target.add_argument("--batch", help="batch id")
    target.add_argument("--all", action="store_true", help="everything that is quarantined")
    parser.add_argument("--action", choices=("redrive", "release"), default="redrive")
    parser.add_argument("--operator", default=_user(), help="who asks; you by default")
    parser.add_argument("--stack", default="", help="name of the stack; the local product if empty")
    return parser.parse_args(arguments)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _ask_all(ask: Ask, event: dict[str, Any]) -> dict[str, Any]:
    """Go on where each answer stopped; return the sums."""
    total: dict[str, Any] = {}
    for _ in range(_MOST_ROUNDS):
        answer = ask(event)
        if "error" in answer:
            return answer
        for name, value in answer.items():
            is_number = type(value) is int
            total[name] = total.get(name, 0) + value if is_number else value
        if answer["complete"]:
            break
        event = {**event, "after": answer["next"]}
    return total


def _remote(stack: str) -> Ask:
    name = function_of(stack, REDRIVE)

    def ask(event: dict[str, Any]) -> dict[str, Any]:
        response = client("lambda", attempts=1).invoke(
            FunctionName=name, Payload=json.dumps(event).encode()
        )
        answer: dict[str, Any] = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            return {"error": f"the function failed: {answer.get('errorType', '')}; see its log"}
        return answer

    return ask


def _local() -> Ask:
    os.environ.update(environment_of(""))
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    from importer.handlers import redrive  # noqa: PLC0415 - after its environment is made

    def ask(event: dict[str, Any]) -> dict[str, Any]:
        answer = redrive.handler(event, _Unhurried())
        return answer if isinstance(answer, dict) else {"error": answer}

    return ask


if __name__ == "__main__":
    sys.exit(main())
