"""One association over a socket pair, into files: by the part in C and without it."""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import re
import socket
import struct
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from receiver import _native, native
from receiver.association import serve
from receiver.deadlines import Watchdog
from receiver.journal import Journal, make_journals
from receiver.landing import BatchedLanding, make_landing
from receiver.native import Files
from receiver.recent import RecentContents
from receiver.series import Series
from receiver.settings import Settings
from tests.receiver import wire
from tests.receiver.scp import Record, context_of
from tests.receiver.wire import COMMAND, IMPLICIT, LAST, context, data, pdv, store_rq

TAKEN_S = 20.0
NEVER_COMPARED = re.compile(rb'"(key|received_at|association_id|refused_at)":("[^"]*"|[0-9.]+),?')


CONTEXTS = (
    context(1),
    context(3, wire.VERIFICATION, IMPLICIT),
    context(5, wire.CT, IMPLICIT),
    context(7, b"1.2.840.10008.5.1.4.1.1.4"),
    context(9, wire.CT, b"1.2.840.10008.1.2.2"),
)
ASSOCIATE = wire.associate(*CONTEXTS, maximum=131_072)


def uid_of(number: int) -> bytes:
    """Return the SOP Instance UID of an instance."""
    return b"1.2.826.%d" % number


def fragments(number: int, content: bytes, size: int, *, together: bool = False) -> list[bytes]:
    """Return a data set as PDUs: one for each fragment, or with two fragments in each."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    pdvs = [
        pdv(number, LAST if n == len(pieces) - 1 else 0, piece) for n, piece in enumerate(pieces)
    ]
    if not together:
        return [data(one) for one in pdvs]
    return [data(*pdvs[n : n + 2]) for n in range(0, len(pdvs), 2)]


def instance(
    message_id: int, content: bytes | None = None, size: int = 60_000, pixels: int = 150_000
) -> list[bytes]:
    """Return a plain instance on context 1, a PDU each."""
    uid = uid_of(message_id)
    content = wire.dataset(uid, pixels=pixels) if content is None else content
    command = data(pdv(1, COMMAND | LAST, store_rq(message_id, sop_instance=uid)))
    return [command, *fragments(1, content, size)]


def statuses(answers: bytes) -> list[int]:
    """Return the status of each response after the A-ASSOCIATE-AC."""
    found = []
    at = 0
    while at < len(answers):
        kind, length = struct.unpack_from(">BxL", answers, at)
        if kind == 4:
            elements = wire.elements_of(answers[at + 12 : at + 6 + length])
            found.append(int.from_bytes(elements[0x0900], "little"))
        at += 6 + length
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a session left behind, but for what is random or a time."""

    answers: bytes
    files: list[bytes]
    rows: list[bytes]
    refused: list[bytes]
    counts: dict[str, int]
    closed: dict[str, Any]


@dataclass
class Session:
    """An association served by a thread, its peer's socket, and what is around it."""

    root: Path
    settings: Settings
    landing: BatchedLanding
    journals: list[int]
    peer: socket.socket
    watchdog: Watchdog = field(default_factory=Watchdog)
    record: Record = field(default_factory=Record)
    draining: threading.Event = field(default_factory=threading.Event)
    cutting: threading.Event = field(default_factory=threading.Event)
    windows: int = native.WINDOWS
    left: int = 0
    """Whole instances that the part in C has received, and left to the landing."""
    recorded: int = 0
    """Those that it has recorded as well."""

    @property
    def by_c(self) -> int:
        """Whole instances that the part in C has received."""
        return self.left + self.recorded

    def start(self, ours: socket.socket, committer: bytes | None) -> Self:
        """Serve `ours` on a thread."""
        self._ours = os.dup(ours.fileno())
        context = context_of(
            self.settings,
            self.landing,
            self.record,
            watchdog=self.watchdog,
            draining=self.draining,
            cutting=self.cutting,
            committer=committer,
        )
        self._thread = threading.Thread(target=serve, args=(ours, "127.0.0.1", context))
        self._thread.start()
        return self

    @property
    def watch(self) -> Any:
        """The association's deadlines."""
        (watch,) = self.watchdog._watches
        return watch

    def send(self, *pieces: bytes) -> None:
        """Send each piece once the one before was received: every cut is one."""
        for piece in pieces:
            self.peer.sendall(piece)
            self.wait_taken()

    def wait_taken(self) -> None:
        """Wait until everything that was sent is received."""
        waiting = array.array("i", [1])
        until = time.monotonic() + TAKEN_S
        while self._thread.is_alive():
            fcntl.ioctl(self._ours, termios.FIONREAD, waiting)
            if not waiting[0]:
                return
            assert time.monotonic() < until, "was not received in time"
            time.sleep(0)

    def cut(self) -> None:
        """Do what a worker does to cut."""
        self.cutting.set()
        self.watchdog.interrupt_idle()

    def later(self, seconds: float) -> None:
        """Let the watchdog believe that it is so much later."""
        self.watchdog.scan(time.monotonic() + seconds)

    def end(self) -> Outcome:
        """Close the peer's side, read what it was answered, and look at what is left."""
        with contextlib.suppress(OSError):
            self.peer.shutdown(socket.SHUT_WR)
        self._thread.join(TAKEN_S)
        assert not self._thread.is_alive()
        os.close(self._ours)
        answers = b""
        with contextlib.suppress(ConnectionResetError):
            answers = b"".join(iter(lambda: self.peer.recv(65_536), b""))
        self.peer.close()
        files = self.landing.files
        assert files is None or files.windows.free == self.windows
        assert self.landing._memory.free_blocks == self.landing._memory.total_blocks
        closed = next(
            (fields for name, fields in self.record.events if name == "association_closed"), {}
        )
        return Outcome(
            answers=answers,
            files=sorted(path.read_bytes() for path in self.root.glob("incoming/**/*.dcm")),
            rows=sorted(self._rows()),
            refused=sorted(
                NEVER_COMPARED.sub(b"", path.read_bytes())
                for path in self.root.glob("refused/**/*")
                if path.is_file()
            ),
            counts=self.record.counts,
            closed={k: v for k, v in closed.items() if k not in {"association_id", "duration_s"}},
        )

    def _rows(self) -> Iterator[bytes]:
        for fd in self.journals:
            found = Journal(fd).read()
            for row in found.rows if found else ():
                assert (self.root / json.loads(row)["key"]).exists()
                yield NEVER_COMPARED.sub(b"", row)


@contextmanager
def session(
    *,
    by_c: bool,
    records: bool = False,
    windows: int = native.WINDOWS,
    committer: bytes | None = None,
    **settings: Any,
) -> Iterator[Session]:
    """Serve one association.

    Args:
        by_c: Whether the part in C may receive.
        records: Whether it may record them too.
        windows: How many it has.
        committer: See `AssociationContext`.
        settings: Of the receiver.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        root = Path(name)
        given = Settings(landing_url=root.as_uri(), scp_port=0, **settings)
        journals = make_journals(4)
        record = Record()
        record.is_debug = not records  # one line for each instance is Python's
        landing = make_landing(given, journals, RecentContents(sets=64), record, record)
        assert isinstance(landing, BatchedLanding)
        files = landing.files
        assert files is not None
        landing._files = None
        if by_c:
            landing._files = Files(files.root, _native.Windows(windows), files.recorder)
        ours, theirs = socket.socketpair()
        theirs.settimeout(TAKEN_S)
        served = Session(root, given, landing, journals, theirs, record=record, windows=windows)
        with counting(served):
            try:
                yield served.start(ours, committer)
            finally:
                theirs.close()
                served._thread.join(TAKEN_S)
                landing._sink.close()  # type: ignore[union-attr]
                for fd in journals:
                    os.close(fd)


@contextmanager
def counting(served: Session) -> Iterator[None]:
    """Count what the part in C has received."""
    store, note = Series._store, Series._note_recorded

    def counted_store(series: Series, found: Any) -> bool:
        served.left += 1
        return store(series, found)

    def counted_note(series: Series) -> None:
        served.recorded += series._native.stored
        note(series)

    Series._store = counted_store  # type: ignore[method-assign, assignment]
    Series._note_recorded = counted_note  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Series._store = store  # type: ignore[method-assign]
        Series._note_recorded = note  # type: ignore[method-assign]


def outcomes(pieces: Sequence[bytes], **settings: Any) -> tuple[Outcome, Outcome, int]:
    """Return what the same bytes lead to with and without the part in C, and how often it received.

    With it twice: with and without its recorder.
    """
    with session(by_c=True, records=True, **settings) as with_c:
        with_c.send(*pieces)
        first = with_c.end()
    with session(by_c=True, **settings) as without_recorder:
        without_recorder.send(*pieces)
        assert without_recorder.end() == first
    with session(by_c=False, **settings) as without:
        without.send(*pieces)
        second = without.end()
    assert without.by_c == without_recorder.recorded == 0
    assert with_c.by_c == without_recorder.by_c
    return first, second, with_c.by_c
