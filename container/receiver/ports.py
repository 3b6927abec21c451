"""The seams of the receiver: what its parts promise each other.

    supervisor (parent) --sockets--> worker --> association --> Landing --> Sink
                                                     |             |
                                                  Watchdog      batches, journal, memory budget

Everything below a worker runs in that worker's process; only `Counters` and `AssociationLimit` are
shared between processes.
"""

# long: all seams in one place; most of it is what they promise.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

from contract.reasons import WireReason
from receiver.native import Files


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Who sends on an association; all of it is safe to log.

    Attributes:
        association_id: Our own random id, also in every log line of the association.
        calling_ae_title: Spaces stripped; control characters cannot occur (they are rejected).
        called_ae_title: Likewise.
        peer: Address of the sender, from the PROXY header where there is one.
    """

    association_id: str
    calling_ae_title: str
    called_ae_title: str
    peer: str

    @cached_property
    def senders(self) -> tuple[str, str]:
        """The two that limits count by, told apart: a device has one title, a room of them one address."""
        return f"title {self.calling_ae_title}", f"address {self.peer}"


class Identity(NamedTuple):
    """What is known of an instance before it is stored.

    The first three come from the C-STORE-RQ and its presentation context and are checked; the study and
    series from the header walk, empty when it ended before them.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str = ""
    series_instance_uid: str = ""


class StoreError(Exception):
    """An instance could not be made durable: the sender must be told so (A700).

    Attributes:
        reason: Stable code for log and metric.
        detail: What the storage said (an S3 error code, an errno); never a value of the dataset.
    """

    def __init__(self, reason: WireReason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class ObjectExistsError(StoreError):
    """Something lies under the key already, and it is surely not of this call's attempts."""


class Received(NamedTuple):
    """A whole instance in a file without a name.

    Attributes:
        identity: What it is.
        origin: Who sent it.
        size: Its bytes, file meta included.
        crc64nvme: Checksum of them.
    """

    identity: Identity
    origin: Origin
    size: int
    crc64nvme: int


class Part(NamedTuple):
    """What has come of an instance into a file without a name.

    Attributes:
        fd: Descriptor of the file; its owner goes with it.
        size: Bytes in the file.
        crc64nvme: Checksum of them.
        meta_bytes: Of the file meta, with which they start.
        held: Bytes that follow, not in the file yet.
        study_instance_uid: From the header, which was judged if it is not empty.
        series_instance_uid: Likewise.
        failure: Why nothing more can be written.
    """

    fd: int
    size: int
    crc64nvme: int
    meta_bytes: int
    held: bytes
    study_instance_uid: str
    series_instance_uid: str
    failure: StoreError | None


class Assembly(Protocol):
    """One instance while it is received: file meta, then dataset bytes as they came.

    Used by one thread at a time. It ends in exactly one of `commit`, `refuse` or `discard`.
    """

    def space(self, wanted: int) -> memoryview:
        """Return writable memory for the next bytes, at least one byte, at most `wanted`.

        Waits while the memory budget is used up (no deadline of the sender runs meanwhile) and, for an
        instance above the single-PUT size, until a part upload has returned its memory.

        An instance may reach 16 MiB (`assembly.SINGLE_PUT_BYTES`, file meta included) before `identify`
        was called, and no byte more: a header walk has to end before.

        Raises:
            StoreError: The sink has failed for good, or the instance is above a size limit (TOO_BIG):
                the one of every instance, or 16 MiB while it is not identified.
        """

    def advance(self, count: int) -> None:
        """Take the first `count` bytes of the last `space` as received."""

    @property
    def size(self) -> int:
        """Bytes taken so far, file meta included."""

    def identify(self, identity: Identity) -> None:
        """Say that the header checks passed; only after it may an upload start."""

    def commit(self) -> bool:
        """Make the instance durable and record it in its batch; on return it may be acknowledged.

        Safe to call on another thread than the one that received. Gives the memory back in any case.

        Returns:
            False if the task has stored and recorded the same bytes of it a moment ago, and nothing anew.

        Raises:
            StoreError: It is not durable, or not surely (an ambiguous answer, the lease ended).
        """

    def refuse(self, reason: WireReason, detail: str) -> None:
        """Keep the bytes under refused/ with a record of why, then return the memory; never raises.

        An instance whose upload had already started is aborted instead, the record says so.
        """

    def discard(self) -> None:
        """Forget the instance (the sender went away before its end) and return the memory."""


class Landing(Protocol):
    """Where a worker's instances land."""

    def begin(self, identity: Identity, origin: Origin) -> Assembly:
        """Start an instance: writes the file meta for `identity` into its first bytes.

        Waits while the memory budget is used up, as `Assembly.space` does.

        Raises:
            StoreError: The worker is going away.
        """

    @property
    def files(self) -> Files | None:
        """What the part in C needs to receive instances here; None if it cannot."""

    def store_file(self, instance: Received, fd: int) -> bool:
        """Do what `Assembly.commit` does with a file without a name, whose owner closes it."""

    def resume(self, identity: Identity, origin: Origin, part: Part) -> Assembly:
        """Take over the part of an instance that has come; waits as `begin` does.

        Raises:
            StoreError: As `begin`; the part is gone.
        """

    def tick(self) -> None:
        """Seal what is due; called a few times a second by the worker, never blocks."""

    def recover(self) -> None:
        """Seal the batches that this slot's dead predecessor left in its journals; may block."""

    def close(self, timeout_s: float) -> bool:
        """Seal everything; True if all manifests were written in time."""


class Upload(Protocol):
    """A multipart upload to one key; parts may be added by several threads at once."""

    def add_part(
        self,
        number: int,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        deadline: float,
    ) -> None:
        """Upload part `number` (from 1); every part but the last is `memory.PART_BYTES` long.

        Raises:
            StoreError: It failed for good within its deadline.
        """

    def complete(self, size: int, crc64nvme: int, deadline: float) -> None:
        """Complete, create-only, with the whole object's checksum confirmed by the storage.

        Raises:
            StoreError: Not complete, or not surely.
        """

    def abort(self) -> None:
        """Abort, best effort; never raises."""


class Sink(Protocol):
    """Durable storage. Every method is thread-safe; made after fork, never shared between processes."""

    def put(
        self,
        key: str,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        metadata: Mapping[str, str],
        deadline: float,
    ) -> None:
        """Store one object, create-only, its checksum confirmed by the storage.

        Args:
            key: Never used before.
            body: The bytes, in pieces.
            size: Their number.
            crc64nvme: Of all of them.
            metadata: Stored with it (ASCII values).
            deadline: `time.monotonic()` until which attempts may run.

        Raises:
            ObjectExistsError: There is an object already, and no attempt of this call made it. (When an
                earlier attempt of this call had no clear answer, the object is taken for its own: keys
                are random, and the storage checked the bytes against `crc64nvme`.)
            StoreError: Not stored, or not surely.
        """


class PartsSink(Sink, Protocol):
    """Storage that takes an object whole, or above a size in parts."""

    def start_upload(self, key: str, metadata: Mapping[str, str], deadline: float) -> Upload:
        """Start a multipart upload.

        Raises:
            StoreError: It could not be started.
        """


class Draft(Protocol):
    """An object without a name, which grows as its bytes come; used by one thread at a time."""

    def append(self, data: memoryview) -> None:
        """Take the next bytes; their memory is free on return.

        Raises:
            StoreError: They could not be written.
        """

    def publish(self, key: str, *, size: int) -> None:
        """Give it its never-used name; on return it is durable.

        Raises:
            StoreError: It is not, or it does not hold `size` bytes.
        """

    def discard(self) -> None:
        """Let go of it: without a name it is gone. May be repeated; never raises."""


class Directory(Protocol):
    """An open directory; closed when nobody has it any more."""

    @property
    def fd(self) -> int:
        """Its descriptor."""


@runtime_checkable
class DraftSink(Sink, Protocol):
    """Storage that takes an object piece by piece, before anything is known of it."""

    @property
    def root(self) -> int:
        """Descriptor of a directory on whose file system drafts are."""

    def draft(self) -> Draft:
        """Start an object.

        Raises:
            StoreError: It could not be started.
        """

    def adopt(self, fd: int, size: int) -> Draft:
        """Take over a file without a name that was made in `root` and has `size` bytes."""

    def publish(self, fd: int, key: str) -> Directory:
        """Do what `Draft.publish` does with a whole file without a name; return what is above its own folder."""


class Counters(Protocol):
    """Counts shared by all processes of the task; they survive a worker's death."""

    def add(self, name: str, value: int = 1) -> None:
        """Add to this worker slot's count of `name` (a name of `shared.COUNTERS`)."""

    def add_reason(self, reason: WireReason) -> None:
        """Count that `reason` was given to a peer, whatever the answer was."""

    def add_stored(self, size: int, latency_s: float) -> None:
        """Count an instance that may be acknowledged: `acked`, `bytes_stored` and its latency.

        Args:
            size: Its bytes.
            latency_s: From its last PDV read to the storage's confirmation.
        """


class AssociationLimit(Protocol):
    """MaximumAssociations and each sender's part of it, exact for the whole task."""

    def try_enter(self, origin: Origin) -> WireReason | None:
        """Reserve a place; return why there is none."""

    def leave(self, origin: Origin) -> None:
        """Give the place back."""


class Log(Protocol):
    """JSON log events: a name, our ids, UIDs and numbers; never a value of a dataset."""

    @property
    def is_debug(self) -> bool:
        """Whether DEBUG is written: a line for each instance is not even put together if not."""

    def debug(self, event: str, **fields: object) -> None:
        """Log at DEBUG."""

    def info(self, event: str, **fields: object) -> None:
        """Log at INFO."""

    def warning(self, event: str, **fields: object) -> None:
        """Log at WARNING."""

    def error(self, event: str, **fields: object) -> None:
        """Log at ERROR."""
