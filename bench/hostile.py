"""An honest load beside 750 hostile peers: no error, and a p99 of at most twice what it is without them.

Once plain, and once with TLS in the receiver, where a handshake that stalls could hold up others'.
"""

from __future__ import annotations

import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from bench.row import Row
from tests.builders import make_instance
from tests.certificates import client_context, make_hospital
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
    hospital = make_hospital()
    device = client_context(hospital.authority, hospital.device)
    return [
        _compare("C-STORE", rounds, round_s, {}, None),
        _compare("C-STORE over TLS", rounds, round_s, hospital.settings, device),
    ]


def _compare(
    what: str,
    rounds: int,
    round_s: float,
    settings: Mapping[str, object],
    tls: ssl.SSLContext | None,
) -> Row:
    alone: list[float] = []
    beside: list[float] = []
    with (
        tempfile.TemporaryDirectory() as landing,
        running_receiver(Path(landing), **settings) as receiver,
    ):
        for _ in range(rounds):
            alone += _load(receiver.port, round_s, tls)
            with hostile_peers(
                receiver.port,
                silent=SILENT,
                dripping=DRIPPING,
                stalled=STALLED,
                tls=tls is not None,
            ):
                settle(1.0)  # the crowd has come
                beside += _load(receiver.port, round_s, tls)
    p99_alone, p99_beside = (statistics.quantiles(found, n=100)[-1] for found in (alone, beside))
    return Row(
        name=f"{what} beside {SILENT} silent, {DRIPPING} dripping, {STALLED} stalled peers, p99",
        value=round(p99_beside * 1000, 2),
        unit="ms",
        peer=f"without them {p99_alone * 1000:.2f} ms (limit 2)",
        ratio=round(p99_beside / p99_alone, 2),
    )


def _load(port: int, seconds: float, tls: ssl.SSLContext | None) -> list[float]:
    """Store at a steady pace over some associations; return every latency in seconds."""
    latencies: list[float] = []
    errors: list[str] = []

    def send() -> None:
        end = time.monotonic() + seconds
        try:
            with RawAssociation(port, tls=tls) as association:
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
