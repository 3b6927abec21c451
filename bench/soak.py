"""`python -m bench.soak`: a receiver under mixed load and health checks for long; what it holds stays flat.

Every half minute the load rests for some seconds and the receiver is measured: memory that its processes
have written, threads, descriptors. A leak of any kind is a slope; the exit code is 1 if there is one, if an
honest sender met an error, or if something that was acknowledged is not in the storage.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from bench.mixed_load import MixedLoad
from tests.deadline import wait_until
from tests.processes import MIB, descriptor_count, own_bytes, thread_count
from tests.receiver.sinks import fake_s3
from tests.receiver.sinks.fake_s3 import FakeS3
from tests.receiver_process import ReceiverProcess, running_receiver, settle

RESULT = Path(__file__).resolve().parent.parent / "build" / "soak.json"
PARKED = 20
CYCLE_S, REST_S = 30.0, 6.0
"""The receiver returns memory that nothing used for 2 s."""
ACTS_PER_S = 4.0
CHECK_EVERY_S = 2.0
WARM_UP = 1 / 6
"""Of the time: pools, allocators and tables are filled once."""
MOST_MIB_PER_H = 1.0
HOUR_S = 3600.0
SHORTEST_S = 120.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the receiver's processes held at rest, `at_s` seconds after the start."""

    at_s: float
    memory_mib: float
    threads: int
    descriptors: int


def slope_per_hour(samples: Sequence[Sample]) -> float:
    """Return the memory's slope in MiB/h: the median of all pairs' slopes, which no single outlier moves.

    Raises:
        ValueError: Fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError("a slope needs two samples")
    return statistics.median(
        (b.memory_mib - a.memory_mib) / (b.at_s - a.at_s) * HOUR_S
        for a, b in combinations(samples, 2)
    )


class HealthChecks:
    """A load balancer's checks, every 2 s, until `stop`; `failed` counts answers other than 200."""

    def __init__(self, receiver: ReceiverProcess) -> None:
        self.made = self.failed = 0
        self._receiver = receiver
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._check, name="health-checks")
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def _check(self) -> None:
        while not self._stopping.wait(CHECK_EVERY_S):
            self.made += 1
            try:
                self.failed += self._receiver.get("/healthz")[0] != 200
            except OSError:
                self.failed += 1


def soak(
    seconds: float,
    *,
    seed: int = 1,
    cycle_s: float = CYCLE_S,
    rest_s: float = REST_S,
    acts_per_s: float = ACTS_PER_S,
) -> dict[str, Any]:
    """Run for `seconds`; return the samples and the figures."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    samples: list[Sample] = []
    with (
        fake_s3.running() as s3,
        tempfile.TemporaryDirectory() as unused,
        running_receiver(Path(unused), WORKERS=2, **s3.settings) as receiver,
    ):
        s3.keep = fake_s3.dataset_digest
        began = time.monotonic()
        load = MixedLoad(receiver.port, seed=seed, parked=PARKED)
        checks = HealthChecks(receiver)
        try:
            while time.monotonic() - began < seconds:
                load.work(cycle_s - rest_s, acts_per_s=acts_per_s)
                _forget(s3)
                settle(rest_s)
                _wait_for_rest(receiver)
                # A process that is gone in this moment is told by the receiver's log.
                with contextlib.suppress(OSError):
                    samples.append(_measure(receiver, time.monotonic() - began))
                    print(f"soak: {samples[-1]}", file=sys.stderr, flush=True)
        finally:
            checks.stop()
            load.close()
        took_s = time.monotonic() - began
        failed = [event for event in receiver.all_events() if event.get("level") == "ERROR"]
    tally = load.tally
    stored = {digest.hex() for digest in s3.objects.values()}
    return {
        "seconds": round(took_s),
        "seed": seed,
        "samples": [asdict(sample) for sample in samples],
        "acts": dict(tally.acts.most_common()),
        "acked": len(tally.acks.digests),
        "ackedNotStored": sum(digest not in stored for _, digest in tally.acks.digests),
        "errors": tally.errors,
        "p99Ms": round(statistics.quantiles(tally.latencies_s, n=100)[-1] * 1000, 1),
        "healthChecks": checks.made,
        "healthChecksFailed": checks.failed,
        "receiverErrors": failed,
    }


def judge(result: dict[str, Any]) -> dict[str, tuple[float, bool]]:
    """Return each claim's figure and whether it holds."""
    every = [Sample(**sample) for sample in result["samples"]]
    warm = every[int(len(every) * WARM_UP) :]
    # In a short run a page more is a slope: what may be gained in an hour may be gained at once.
    most = MOST_MIB_PER_H * max(1.0, HOUR_S / result["seconds"])
    slope = slope_per_hour(warm)
    threads = [sample.threads for sample in warm]
    descriptors = [sample.descriptors for sample in warm]
    return {
        "memory slope, MiB/h": (round(slope, 3), slope < most),
        "threads, most minus least": (max(threads) - min(threads), max(threads) == min(threads)),
        "descriptors, last minus first": (
            descriptors[-1] - descriptors[0],
            descriptors[-1] <= descriptors[0],
        ),
        "acknowledged and not stored": (result["ackedNotStored"], not result["ackedNotStored"]),
        "honest errors": (len(result["errors"]), not result["errors"]),
        "health checks failed": (result["healthChecksFailed"], not result["healthChecksFailed"]),
        "errors in the receiver's log": (
            len(result["receiverErrors"]),
            not result["receiverErrors"],
        ),
    }


def _forget(s3: FakeS3) -> None:
    """Drop what the storage's double remembers besides digests."""
    with s3.lock:
        s3.requests.clear()
        s3.uploads.clear()


def _wait_for_rest(receiver: ReceiverProcess) -> None:
    """Wait until only parked associations are open; a sample that was taken before would tell it."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: receiver.get("/status")[1]["associations"] <= PARKED, "rest")


def _measure(receiver: ReceiverProcess, at_s: float) -> Sample:
    pids = receiver.pids
    return Sample(
        round(at_s, 1),
        round(own_bytes(pids) / MIB, 3),
        thread_count(pids),
        descriptor_count(pids, outside=Path("/nonexistent")),
    )


def main() -> int:
    """Soak, print the figures, write build/soak.json; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=HOUR_S, help="at least 120")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    # Ended from outside it stops its receiver too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if arguments.seconds < SHORTEST_S:
        parser.error(f"--seconds is at least {SHORTEST_S:g}: a slope needs some samples")
    result = soak(arguments.seconds, seed=arguments.seed)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"soak: {result['seconds']} s, {result['acked']} acknowledged, p99 {result['p99Ms']} ms")
    print(f"soak: {result['acts']}")
    for error in [*result["receiverErrors"][:20], *result["errors"][:20]]:
        print(f"soak: {error}")
    claims = judge(result)
    for name, (figure, holds) in claims.items():
        print(f"soak: {name}: {figure} {'ok' if holds else 'FAILED'}")
    return 0 if all(holds for _, holds in claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
