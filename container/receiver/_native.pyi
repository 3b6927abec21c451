"""What the part in C has; see series.py for what it is for, and container/native/ for how it does it."""

from _thread import LockType
from collections.abc import Callable
from mmap import mmap
from typing import final

HAS_CRC64NVME: bool
"""Whether `crc64nvme` works on this processor."""
WINDOW_BYTES: int
"""Of a window: what an instance holds while it comes."""

@final
class Windows:
    """The memory through which a worker's plain instances go; thread-safe."""

    def __new__(cls, count: int, /) -> Windows: ...
    @property
    def free(self) -> int:
        """Windows that nobody holds."""

class Account:
    """What a batch counts, see `batch.Batch`."""

    admitted: int
    pending: int
    charged_bytes: int
    acked: int
    acked_bytes: int
    touched_at: float
    closing: bool
    sealing: bool

@final
class Recorder:
    """Records a worker's plain instances, see series.py: names, rows, counts. Has the system's clocks alone.

    It takes an instance into the batch and folder that `expect` named last, if it is new and the batch would
    admit it. The others are the landing's.
    """

    def __new__(
        cls,
        lock: LockType,
        recent: mmap,
        secret: str,
        recent_s: float,
        add_stored: Callable[[int, float], None],
        idle_s: float,
        most_instances: int,
        most_bytes: int,
        folder_instances: int,
        suffix: str,
        /,
    ) -> Recorder: ...
    def expect(
        self,
        batch: Account,
        journal: int,
        closes_at: float,
        lease_ends_at: float,
        directory: object,
        fd: int,
        folder: int,
        path: str,
        /,
    ) -> None:
        """Say where an instance was stored: its batch, and `fd` of the `path` above its own folder.

        `directory` is kept as long as `fd` may be used; `folder` is the number of the path's in the batch.
        Until `closes_at` the batch admits by its age and lease (Unix time, s).
        """

@final
class StoredCounts:
    """Counts of instances that may be acknowledged, in words of 64 bits."""

    def __new__(
        cls, words: memoryview, acked: int, stored: int, buckets: int, bounds: tuple[float, ...], /
    ) -> StoredCounts: ...
    def add(self, size: int, latency_s: float, /) -> None:
        """Add 1 to the word `acked`, `size` to `stored`, and 1 to the bucket whose upper bound is the first not below `latency_s`."""

@final
class Series:
    """One association's instances that come as the one before did; used by one thread at a time.

    The first six may be read by any thread, or where the last call stopped.
    """

    idle: bool
    """Whether it waits for a message's first byte: to be set before `next`, which clears it."""
    stopping: bool
    """Set by any thread: `next` returns before the next message."""
    deadline: float
    """Until when it waits for bytes: `time.monotonic()`."""

    def __new__(
        cls,
        socket: int,
        root: int,
        windows: Windows,
        recorder: Recorder | None,
        crc64nvme: Callable[[memoryview, int], int] | None,
        lookahead: bytearray,
        maximum_length: int,
        most_bytes: int,
        credit_s: float,
        earned_s: float,
        send_s: float,
        /,
    ) -> Series: ...
    @property
    def send_deadline(self) -> float:
        """Until when it waits for the peer to take a response."""
    @property
    def is_unheard(self) -> bool:
        """Whether the peer is gone or did not take the response in time."""
    @property
    def has_part(self) -> bool:
        """Whether a part of an instance was consumed: `take` it."""
    @property
    def start(self) -> int:
        """Where the unread bytes of the lookahead start, as `Stream.start`."""
    @property
    def end(self) -> int:
        """Where they end."""
    @property
    def received(self) -> int:
        """Bytes received on the connection so far."""
    @property
    def credit(self) -> float:
        """What the peer's credit is now (s), see `Stream.set_time`."""
    @property
    def left(self) -> int:
        """Bytes of the current PDU beyond the current fragment."""
    @property
    def length(self) -> int:
        """Bytes of the current fragment that are not read."""
    @property
    def control(self) -> int:
        """Message control header of the current fragment; 0 between two."""
    @property
    def message_id(self) -> int:
        """Of the command."""
    @property
    def error(self) -> int:
        """The errno with which the file could not be written; 0 if it could."""
    def expect(self, context_id: int, implicit: bool, texts: tuple[bytes, ...], /) -> None:
        """Say what the next instance will be like.

        `texts`: what its command set has before the Message ID (from Command Group Length on), after it,
        and after the SOP Instance UID; its SOP class; the file meta before and after the SOP Instance
        UID; the response before and after the Message ID. Lengths in them are as for an empty UID.
        """
    @property
    def stored(self) -> int:
        """Instances that were recorded since `go_on`."""
    @property
    def stored_bytes(self) -> int:
        """Their size."""
    @property
    def failed_at(self) -> str | None:
        """Where the instance that was returned last has failed, and may not be acknowledged: "name", "lease" or "journal"."""
    @property
    def failure(self) -> int:
        """The errno of that; 0 for a lease that has ended."""
    def expect_row(self, template: bytes, study: str, series: str, /) -> None:
        """Say what the rows of this study's and series' instances are like (`manifest.row_template`), until `expect`."""
    def go_on(self, start: int, end: int, received: int, left: int, /) -> None:
        """Go on where a `Stream` and its `Fragments` are, between two messages."""
    def next(
        self, idle_s: float, is_answered: bool, /
    ) -> tuple[int, str, str, str, int, int, float] | None:
        """Say Success to the last instance unless `is_answered`; wait for a message, at most `idle_s`, and receive it if it is such an instance.

        Goes on so while the recorder takes the instances.

        Returns:
            (descriptor, SOP Instance UID, Study and Series Instance UID, size, CRC64NVME, when its
            last fragment had come: `time.monotonic()`) of a whole one that the recorder left, whose file
            is open until the next call or `close`, unless `failed_at` says that it may not be stored. None
            if it stopped before or in one: `has_part` says which; the ones before it are answered.
        """
    def take(self) -> tuple[int, int, int, int, bytes, bytes, str, str]:
        """Return what came of an instance, which is then the caller's.

        Descriptor, bytes in the file and their CRC64NVME, size of the file meta, bytes that are to follow
        in the file, SOP Instance UID as sent, Study and Series Instance UID (empty if the header was not
        judged).
        """
    def close(self) -> None:
        """Close the last instance's file."""
    def response(self) -> bytes:
        """Return the PDU that says Success to the last instance."""

def fill_row(template: str, key: str, uid: str, size: int, crc64nvme: int, now: float, /) -> bytes:
    """Do what records.py does: fill the places of `manifest.row_template`."""

def crc64nvme(data: bytes, before: int, /) -> int:
    """Do what awscrt's function of this name does; only where HAS_CRC64NVME."""

def name_file(fd: int, parent: int, folder: str, name: str, /) -> None:
    """Sync a file without a name, name it create-only in `folder` of `parent`, sync both.

    Raises:
        FileExistsError: There is such a name.
        OSError: It may not be durable.
    """
