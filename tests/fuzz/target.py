"""A session's bytes into an association of the receiver, in this process, and what must be true afterwards.

Everything is the product's own but the socket (which has all bytes at once, and may hand them out a few at
a time) and the storage (which keeps objects in memory and never fails): so whatever is answered with
Success must be there, and nothing else may be.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from receiver.association import serve
from receiver.batch import Batches
from receiver.commitment.action import ActionError, decode_action
from receiver.deadlines import Watchdog
from receiver.filemeta import file_meta
from receiver.journal import make_journals, open_journals
from receiver.landing import BatchedLanding
from receiver.memory import BLOCK_BYTES, Memory
from receiver.peers import Peer
from receiver.recent import RecentContents
from receiver.settings import Settings
from tests.fuzz.mutate import pdus_of
from tests.fuzz.reading import C_CANCEL_RQ, C_STORE_RSP, N_ACTION_RQ, messages_of, statuses_of
from tests.part10 import parse
from tests.receiver.fake_storage import FakeSink
from tests.receiver.scp import Record, context_of

CORPUS = Path(__file__).parent / "corpus"
COMMITS = "COMMITS"
"""The one AE title that may ask for storage commitment."""
MOST_S = 20.0
"""A case takes a millisecond."""
_BUGS = ("association_failed", "store_failed", "refused_not_kept", "unhandled_exception")
_ANSWERS = {2: "A-ASSOCIATE-AC", 3: "A-ASSOCIATE-RJ", 4: "P-DATA-TF", 6: "A-RELEASE-RP", 7: "A-ABORT"}  # fmt: skip
_LAST = (3, 6, 7)


class ViolationError(Exception):
    """The receiver broke a promise."""


def seeds() -> list[bytes]:
    """Return the corpus in the repository: recorded sessions and what a longer run has found."""
    return [path.read_bytes() for path in sorted(CORPUS.iterdir())]


class Target:
    """One worker's association code; cases are run one after another."""

    def __init__(self) -> None:
        self._settings = Settings(
            landing_url="file:///unused",
            scp_port=0,
            commitment_peers=(Peer(COMMITS, "127.0.0.1", 104),),
        )
        self._memory = Memory(64 * BLOCK_BYTES)
        self._fds = make_journals(4)
        self._watchdog = Watchdog()
        self._threads = threading.active_count()

    def run(self, session: bytes) -> Counter[str]:
        """Play a session; return what happened, by the names of log events and reasons.

        Raises:
            ViolationError: A promise was broken.
        """
        sink, record = FakeSink(), Record()
        for journal in open_journals(self._fds):
            journal.reset()
        landing = BatchedLanding(
            sink=sink,
            memory=self._memory,
            batches=Batches(age_s=600, idle_s=600, lease_s=900, slots=len(self._fds)),
            journals=open_journals(self._fds),
            recent=RecentContents(sets=4),
            counters=record,
            log=record,
            store_deadline_s=25,
        )
        context = context_of(
            self._settings,
            landing,
            record,
            watchdog=self._watchdog,
            draining=threading.Event(),
            cutting=threading.Event(),
            committer=b"\0nobody listens here",
        )
        wire = _Wire(session)
        began = time.monotonic()
        serve(cast("socket.socket", wire), "192.0.2.1", context)
        self._hold(time.monotonic() - began < MOST_S, "it took too long")
        self._hold_rest(wire, record)
        self._hold_answers(bytes(wire.sent))
        self._hold_sum(session, bytes(wire.sent), sink, record)
        for message in messages_of(session):
            # The committer is another process: what it would be told is read here.
            if message.number(0x0100) == N_ACTION_RQ:
                with contextlib.suppress(ActionError):
                    decode_action(message.dataset, implicit=len(session) % 2 == 0)
        happened = Counter(name for name, _ in record.events)
        happened.update(str(fields["reason"]) for _, fields in record.events if "reason" in fields)
        return happened

    @staticmethod
    def _hold(condition: object, what: str) -> None:
        if not condition:
            raise ViolationError(what)

    def _hold_rest(self, wire: _Wire, record: Record) -> None:
        """Nothing is held any more and nothing went wrong inside."""
        self._hold(wire.closed, "the connection is open")
        self._hold(record.open == 0, "a place is taken")
        self._hold(self._memory.free_blocks == self._memory.total_blocks, "memory is held")
        self._hold(threading.active_count() <= self._threads, "a thread is left")
        bugs = [(name, fields) for name, fields in record.events if name in _BUGS]
        self._hold(not bugs, f"{bugs}")

    def _hold_answers(self, sent: bytes) -> None:
        """Whole PDUs that a receiver may send, and nothing after the last word."""
        answers = pdus_of(sent)
        kinds = [answer[0] for answer in answers]
        self._hold(set(kinds) <= _ANSWERS.keys(), f"PDUs {kinds}")
        self._hold(all(len(a) == 6 + int.from_bytes(a[2:6], "big") for a in answers), "a torn PDU")
        self._hold(not set(kinds[:-1]) & set(_LAST), f"something after the end: {kinds}")
        self._hold(2 not in kinds[1:], "a second A-ASSOCIATE-AC")

    def _hold_sum(self, session: bytes, sent: bytes, sink: FakeSink, record: Record) -> None:
        """What was answered with Success is exactly what landed and stands in a journal."""
        asked = [m for m in messages_of(session) if m.number(0x0100) != C_CANCEL_RQ]
        told = statuses_of(sent)
        self._hold(len(told) <= len(asked), f"{len(told)} responses to {len(asked)} requests")
        acked = {
            (message.sop_instance_uid, message.dataset)
            for message, (field, status) in zip(asked, told, strict=False)
            if (field, status) == (C_STORE_RSP, 0)
        }
        rows = [row for j in open_journals(self._fds) if (found := j.read()) for row in found.rows]
        landed = {_content(sink.objects[key]) for key in sink.under("incoming/")}
        unheard = landed - acked
        if _has_window(record):
            # What was stored while the association broke off could not be answered any more.
            unheard -= {(message.sop_instance_uid, message.dataset) for message in asked}
        self._hold(acked <= landed and not unheard, f"{_names(acked)} but {_names(landed)}")
        self._hold(len(rows) == len(sink.under("incoming/")), "rows and objects differ")
        self._hold(record.counts.get("acked", 0) == len(rows), "the count is wrong")


class _Wire:
    """What the association takes for its socket: all bytes of the peer, then its end."""

    family = socket.AF_UNIX

    def __init__(self, data: bytes) -> None:
        self.sent = bytearray()
        self.closed = False
        self._data = data
        self._position = 0
        # The same bytes are always cut the same way.
        self._most = (1 << 20, 1 << 20, 1000, 13)[zlib.crc32(data) & 3]

    def recvmsg_into(self, buffers: Sequence[memoryview]) -> tuple[int, list[object], int, None]:
        """Fill the buffers with what is left, or with as much as comes at a time."""
        taken = 0
        for buffer in buffers:
            piece = self._take(min(len(buffer), self._most - taken))
            buffer[: len(piece)] = piece
            taken += len(piece)
        return taken, [], 0, None

    def recv(self, count: int) -> bytes:
        """Return some bytes."""
        return self._take(count)

    def sendall(self, data: bytes) -> None:
        """Take an answer."""
        self.sent += data

    def shutdown(self, how: int) -> None:
        """Read no more, if that is meant."""
        if how != socket.SHUT_WR:
            self._position = len(self._data)

    def settimeout(self, _: float | None) -> None:
        """Nothing here ever waits."""

    setblocking = settimeout

    def setsockopt(self, *_: object) -> None:
        """Nothing to set."""

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def _take(self, count: int) -> bytes:
        piece = self._data[self._position : self._position + count]
        self._position += len(piece)
        return piece


def _content(stored: bytes) -> tuple[str, bytes]:
    """Return UID and data set of a stored object, whose file meta must be the frozen function of it."""
    file = parse(stored)
    meta = file_meta(
        sop_class_uid=file.uid(0x0002),
        sop_instance_uid=file.uid(0x0003),
        transfer_syntax_uid=file.uid(0x0010),
    )
    if not stored.startswith(meta):
        raise ViolationError("another file meta")
    return file.uid(0x0003), stored[len(meta) :]


def _has_window(record: Record) -> bool:
    windows = [fields["window"] for name, fields in record.events if name == "association_accepted"]
    return windows not in ([], [1])


def _names(contents: set[tuple[str, bytes]]) -> list[tuple[str, int]]:
    return sorted((uid, len(dataset)) for uid, dataset in contents)
