"""An honest load beside 750 hostile peers: no error, and a p99 of at most twice what it is without them."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

from bench.row import Row
from tests.builders import make_instance
from tests.hostile_peers import hostile_peers
from tests.raw_scu import SUCCESS, RawAssociation
from tests.receiver_process import running_receiver, settle

SILENT, DRIPPING, STALLED = 500, 200, 50
ASSOCIATIONS = 4
INSTANCE_BYTES = 512 * 1024
STORES_PER_S = 10
"""Of each association: a load that leaves room, or the latency would be the sender's own queue."""
ROUNDS, ROUND_S = 3, 10.0


def run(*, rounds: int = ROUNDS, round_s: float = ROUND_S) -> list[Row]:
    """Measure in turns; `ratio` is the p99 beside hostile peers to that without them.

    Raises:
        RuntimeError: An honest sender met an error.
    """
    alone: list[float] = []
    beside: list[float] = []
    with tempfile.TemporaryDirectory() as landing, running_receiver(Path(landing)) as receiver:
        for _ in range(rounds):
            alone += _load(receiver.port, round_s)
            with hostile_peers(receiver.port, silent=SILENT, dripping=DRIPPING, stalled=STALLED):
                settle(1.0)  # the crowd has come
                beside += _load(receiver.port, round_s)
    p99_alone, p99_beside = (statistics.quantiles(found, n=100)[-1] for found in (alone, beside))
    return [
        Row(
            name=f"C-STORE beside {SILENT} silent, {DRIPPING} dripping, {STALLED} stalled peers, p99",
            value=round(p99_beside * 1000, 2),
            unit="ms",
            peer=f"without them {p99_alone * 1000:.2f} ms (limit 2)",
            ratio=round(p99_beside / p99_alone, 2),
        )
    ]


def _load(port: int, seconds: float) -> list[float]:
    """Store at a steady pace over some associations; return every latency in seconds."""
    latencies: list[float] = []
    errors: list[str] = []

    def send() -> None:
        end = time.monotonic() + seconds
        try:
            with RawAssociation(port) as association:
                while (began := time.monotonic()) < end:
                    status = association.store(make_instance(size=INSTANCE_BYTES))
                    if status != SUCCESS:
                        errors.append(f"status {status:04X}")
                    took_s = time.monotonic() - began
                    latencies.append(took_s)
                    time.sleep(max(0.0, 1 / STORES_PER_S - took_s))
        except OSError as error:
            errors.append(repr(error))

    threads = [threading.Thread(target=send) for _ in range(ASSOCIATIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(f"{len(errors)} honest errors: {errors[:3]}")
    return latencies
