"""300 parked associations, each having stored one image: time to accept, CPU while idle, memory."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from bench.row import Row
from tests.builders import make_instance
from tests.processes import MIB, cpu_seconds, pss_bytes
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError
from tests.receiver_process import running_receiver, settle

PARKED = 300
IDLE_S = 10.0
ACCEPT_LIMIT_S, CPU_LIMIT, MEMORY_LIMIT_MIB = 2.0, 5.0, 300.0


def run(*, parked: int = PARKED, idle_s: float = IDLE_S) -> list[Row]:
    """Measure; `ratio` is the figure to its limit, below 1 holds it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with (
        tempfile.TemporaryDirectory() as landing,
        running_receiver(
            Path(landing), MAXIMUM_ASSOCIATIONS=parked, NETWORK_TIMEOUT=300
        ) as receiver,
    ):
        began = time.monotonic()
        associations = [RawAssociation(receiver.port) for _ in range(parked)]
        accepted_s = time.monotonic() - began
        statuses = {
            association.store(make_instance(size=512 * 1024)) for association in associations
        }
        if statuses != {SUCCESS}:
            raise RuntimeError(f"statuses {statuses}")
        pids = receiver.pids
        before, began = cpu_seconds(pids), time.monotonic()
        settle(idle_s)
        cpu_percent = (cpu_seconds(pids) - before) / (time.monotonic() - began) * 100
        memory_mib = pss_bytes(pids) / MIB
        reason = _reason_of_one_more(receiver.port)
        for association in associations:
            association.close()
    if reason != (2, 3, 2):
        raise RuntimeError(f"one association too many was answered with {reason}")
    return [
        _row(f"{parked} associations accepted", accepted_s, "s", ACCEPT_LIMIT_S),
        _row(f"{parked} associations idle, CPU", cpu_percent, "% of a core", CPU_LIMIT),
        _row(f"{parked} associations idle, memory (PSS)", memory_mib, "MiB", MEMORY_LIMIT_MIB),
    ]


def _reason_of_one_more(port: int) -> tuple[int, int, int] | None:
    try:
        RawAssociation(port).close()
    except RejectedError as error:
        return error.reason
    return None


def _row(name: str, value: float, unit: str, limit: float) -> Row:
    return Row(
        name=name,
        value=round(value, 2),
        unit=unit,
        peer=f"limit {limit:g} {unit}",
        ratio=round(value / limit, 3),
    )
