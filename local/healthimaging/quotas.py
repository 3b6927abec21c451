"""HealthImaging's quotas and API rates.

https://docs.aws.amazon.com/general/latest/gr/healthimaging.html and
https://docs.aws.amazon.com/healthimaging/latest/devguide/throttling-limits.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A token bucket: sustained calls a second and how many may come at once."""

    per_second: float
    burst: int


API_RATES: Mapping[str, Rate] = {
    "StartDICOMImportJob": Rate(per_second=1, burst=2),
    "GetDICOMImportJob": Rate(per_second=25, burst=50),
    "ListDICOMImportJobs": Rate(per_second=10, burst=20),
    "GetDatastore": Rate(per_second=10, burst=20),
    "CreateDatastore": Rate(per_second=0.085, burst=1),
    "SearchImageSets": Rate(per_second=25, burst=50),
    "GetImageSet": Rate(per_second=25, burst=50),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What one data store and one job may hold.

    Attributes:
        concurrent_jobs: Import jobs not yet ended, per data store.
        job_files: Files under a job's input prefix.
        job_bytes: Bytes under a job's input prefix.
        job_folders: Nested folders under a job's input prefix.
        file_bytes: Bytes of one Part 10 file.
        rates: API rates by operation; an operation not named is not limited.
    """

    concurrent_jobs: int = 100
    job_files: int = 5_000
    job_bytes: int = 10_000_000_000
    job_folders: int = 10_000
    file_bytes: int = 10_000_000_000
    rates: Mapping[str, Rate] = field(default_factory=lambda: API_RATES)


class Throttle:
    """Token buckets of all operations; thread-safe."""

    def __init__(self, rates: Mapping[str, Rate], clock: Callable[[], float]) -> None:
        """Start with full buckets.

        Args:
            rates: By operation.
            clock: Monotonic seconds.
        """
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def admit(self, operation: str) -> bool:
        """Take a token; False when there is none."""
        rate = self._rates.get(operation)
        if rate is None:
            return True
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.get(operation, (float(rate.burst), now))
            tokens = min(rate.burst, tokens + (now - since) * rate.per_second)
            admitted = tokens >= 1
            self._buckets[operation] = (tokens - 1 if admitted else tokens, now)
            return admitted
