"""`python -m receiver`: settings from the environment, ports, supervisor, exit code."""

from __future__ import annotations

import functools
import importlib
import os
import resource
import sys

from contract.settings import SettingsError
from receiver.companion import Companion
from receiver.journal import make_journals
from receiver.listener import PortError, open_listener
from receiver.logs import JsonLog, describe_exception, install_exception_hooks
from receiver.malloc import keep_heap_small
from receiver.protection import AGENT_VARIABLE, FIRST_SLOT, EcsAgent, protect_in_background
from receiver.recent import RecentContents
from receiver.service import AssociationService
from receiver.settings import Settings
from receiver.shared import SharedCells, SlotCounters
from receiver.supervisor import EXIT_FAILED, Supervisor
from receiver.worker import Seat, run_worker

EXIT_USAGE = 2
_HEALTH_BACKLOG = 128


def main() -> int:
    """Run the receiver; return the process's exit code."""
    try:
        settings = Settings.from_env(os.environ)
        listener = open_listener("SCP_PORT", settings.scp_port)
        health_listener = open_listener("HEALTH_PORT", settings.health_port, _HEALTH_BACKLOG)
    except (SettingsError, PortError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    _raise_descriptor_limit()
    keep_heap_small()
    _import_before_fork(settings)
    cells = SharedCells(settings.worker_count)
    counters = SlotCounters(cells, cells.parent_slot)
    log = JsonLog(settings.log_level, on_drop=lambda: counters.add("log_lines_dropped"))
    install_exception_hooks(log)
    recent = RecentContents()
    agent_uri = os.environ.get(AGENT_VARIABLE, "")

    def build(seat: Seat) -> AssociationService:
        if agent_uri and seat.slot == FIRST_SLOT:
            protect_in_background(seat, cells, EcsAgent(agent_uri))
        return AssociationService(seat, recent=recent)

    companion = Companion(log) if settings.commitment_peers else None
    committer = companion.address if companion is not None else None
    supervisor = Supervisor(
        settings,
        listener=listener,
        health_listener=health_listener,
        cells=cells,
        journals=[make_journals() for _ in range(settings.worker_count)],
        run_worker=functools.partial(
            run_worker, settings=settings, build=build, committer=committer
        ),
        log=log,
        companion=companion,
    )
    try:
        return supervisor.run()
    except Exception as error:  # noqa: BLE001 - a bug; said here, since the hook would come after the log's end
        log.error("unhandled_exception", thread="main", **describe_exception(error))  # noqa: TRY400 - not the standard library's logger
        return EXIT_FAILED
    finally:
        log.close()


def _import_before_fork(settings: Settings) -> None:
    """Import what the workers will: a replacement then starts at once, and the pages are shared."""
    if settings.landing_url.startswith("s3:"):
        importlib.import_module("receiver.sinks.s3")


def _raise_descriptor_limit() -> None:
    """Take all descriptors that we may have: containers often start with 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
