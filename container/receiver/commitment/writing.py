"""Writing an object once, by the landing's own sink: create-only, its checksum confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable

from awscrt.checksums import crc64nvme

from receiver.commitment.ports import UnavailableError
from receiver.ports import ObjectExistsError, Sink, StoreError

WRITE_S = 20.0
"""Time for all attempts of one write, unless somebody waits for less."""


def write_once(
    sink: Sink,
    key: str,
    body: bytes,
    within_s: float = WRITE_S,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Write an object by a landing's sink; False if there is one already.

    Raises:
        UnavailableError: It is not there, or not surely.
    """
    try:
        sink.put(
            key,
            [memoryview(body)],
            size=len(body),
            crc64nvme=crc64nvme(body),
            metadata={},
            deadline=clock() + within_s,
        )
    except ObjectExistsError:
        return False
    except StoreError as error:
        raise UnavailableError(error.detail) from error
    return True
