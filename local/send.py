"""`python -m local.send FILES...` (`make send`): sends DICOM files and watches them arrive."""

from __future__ import annotations

import argparse
import collections
import os
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.scu import ConnectionFailedError, Outcome, Receiver, Result, find, send
from local.settings import LocalSettings
from local.status import FRESH_S, TERMINAL, get_json

EXIT_REFUSED = 1
EXIT_USAGE = 2
WAIT_S = 600.0
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_WORDS = {
    "imported": "imported",
    "importedWithWarning": "imported with a warning",
    "importedNonPrimary": "imported, kept apart (conflicting metadata)",
    "quarantined": "quarantined",
}


def main(arguments: list[str] | None = None) -> int:
    """Send, wait, report; return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=False, highlight=False)
    paths = [Path(text) for text in options.files if text]
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        names = ", ".join(missing) or "FILES=DIR (make send FILES=DIR)"
        console.print(f"Nothing to send: {names} {'does not exist' if missing else 'is missing'}.")
        return EXIT_USAGE
    candidates = list(find(paths))
    if not candidates:
        console.print("Nothing to send: no DICOM file (Part 10) was found there.")
        return EXIT_USAGE
    receiver = Receiver(options.host, options.port, options.called_ae_title)
    before = _status(options.host)
    results: list[Result] = []
    with _progress(console) as progress:
        task = progress.add_task("sending", total=len(candidates))

        def note(result: Result) -> None:
            results.append(result)
            progress.advance(task)

        try:
            send(candidates, receiver, note)
        except ConnectionFailedError as error:
            console.print(str(error))
            return EXIT_REFUSED
    stored = sum(result.outcome is Outcome.STORED for result in results)
    arrived = _await_import(console, options.host, before) if before and stored else None
    _report(console, results, before, arrived)
    complete = arrived is None or before is None or _is_imported(before, arrived)
    return 0 if stored == len(results) and complete else EXIT_REFUSED


def _is_imported(before: dict[str, int], after: dict[str, int]) -> bool:
    return after["inFlight"] == 0 and after["quarantined"] <= before["quarantined"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make send", description=__doc__)
    parser.add_argument("files", nargs="*", help="files or folders (searched by content)")
    parser.add_argument("--host", default="localhost", help="receiver (HOST=)")
    port = int(os.environ.get("SCP_PORT") or LocalSettings.defaults()["scp_port"])
    parser.add_argument("--port", type=int, default=port, help="its port (PORT=)")
    title = os.environ.get("AE_TITLE") or "STORESCP"
    parser.add_argument("--called-ae-title", default=title, help="its AE title (AET=)")
    return parser


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console)


def _status(host: str) -> dict[str, int] | None:
    """Return the local product's figures; None when it is another host's or not running."""
    if host not in _LOCAL_HOSTS:
        return None
    port = os.environ.get("CONSOLE_PORT") or LocalSettings.defaults()["console_port"]
    try:
        return get_json(f"http://127.0.0.1:{port}/api/status", timeout_s=10)
    except (OSError, ValueError):
        return None


def _await_import(console: Console, host: str, before: dict[str, int]) -> dict[str, int] | None:
    deadline = time.monotonic() + WAIT_S
    figures = before
    with _progress(console) as progress:
        task = progress.add_task("importing", total=None)
        # Until the figures are younger than the last answer.
        time.sleep(FRESH_S)
        while time.monotonic() < deadline:
            now = _status(host)
            if now is None:
                return None
            figures = now
            total = now["landed"] - before["landed"] + before["inFlight"]
            progress.update(task, total=total, completed=total - now["inFlight"])
            # What the receiver had stored a moment before is acknowledged and does not land again.
            new = now["acked"] - before["acked"]
            if now["inFlight"] == 0 and now["landed"] - before["landed"] >= new:
                break
            time.sleep(1.0)
    return figures


def _report(
    console: Console,
    results: list[Result],
    before: dict[str, int] | None,
    after: dict[str, int] | None,
) -> None:
    table = Table("what", "files", title="Summary")
    stored = sum(result.outcome is Outcome.STORED for result in results)
    table.add_row("sent and acknowledged", str(stored))
    table.add_row("refused", str(len(results) - stored))
    if before and after:
        for name in TERMINAL:
            table.add_row(_WORDS[name], str(after[name] - before[name]))
        if known := stored - (after["acked"] - before["acked"]):
            table.add_row("the same as a moment ago, not stored again", str(known))
        table.add_row("still in flight", str(after["inFlight"]))
    console.print(table)
    if not after and stored:
        console.print("The import cannot be watched from here: see the receiver's own console.")
    if before and after and after["quarantined"] > before["quarantined"]:
        console.print("Why files are quarantined is on the console page.")
    reasons = collections.Counter(r.reason for r in results if r.outcome is Outcome.REFUSED)
    for reason, count in reasons.most_common():
        example = next(result.path for result in results if result.reason == reason)
        # A path that is broken into lines cannot be copied.
        text = f"{count} refused: {reason} (for example {example})"
        console.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
