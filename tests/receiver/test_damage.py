"""Damaged sessions: whatever a peer sends, an association ends by the protocol and loses nothing."""

from __future__ import annotations

import socket
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.association import AssociationContext, serve
from receiver.deadlines import Watchdog
from receiver.settings import Settings
from tests.receiver import wire
from tests.receiver.scp import MemoryLanding, Record

WINDOW = wire.item(0x53, bytes(4))
SESSION = wire.associate() + wire.store(1) + wire.ECHO + wire.store(2, b"1.2.4") + wire.RELEASE
WINDOWED = wire.associate(user=(WINDOW,)) + wire.store(1) + wire.store(2, b"1.2.4") + wire.RELEASE


def run(session: bytes) -> tuple[MemoryLanding, Record]:
    """Serve `session`, which a peer sends at once and then closes."""
    landing, record = MemoryLanding(), Record()
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(session)
        theirs.shutdown(socket.SHUT_WR)
        context = AssociationContext(
            settings=Settings(landing_url="file:///unused"),
            landing=landing,
            limit=record,
            counters=record,
            log=record,
            watchdog=Watchdog(),
            draining=threading.Event(),
            cutting=threading.Event(),
            on_associated=lambda: None,
        )
        serve(ours, "192.0.2.1", context)
    return landing, record


def test_the_undamaged_sessions_store_both() -> None:
    """The sessions that are damaged below are whole."""
    for session in (SESSION, WINDOWED):
        landing, record = run(session)
        # A window's stores overlap, so their order is open.
        assert sorted(a.dataset for a in landing.committed) == sorted(
            (wire.dataset(), wire.dataset(b"1.2.4"))
        )
        assert record.counts["acked"] == 2
        assert record.events[-1][1]["outcome"] == "released"


@settings(max_examples=400, deadline=None)
@given(data=st.data(), session=st.sampled_from([SESSION, WINDOWED]))
def test_no_damage_is_a_bug(data: st.DataObject, session: bytes) -> None:
    """Bytes changed, cut out, repeated or added anywhere end in statuses, aborts or rejections only."""
    damaged = bytearray(session)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(damaged)))
        length = data.draw(st.integers(0, 12))
        new = data.draw(st.one_of(st.binary(max_size=12), st.just(bytes(damaged[at : at + 40]))))
        damaged[at : at + length] = new
    landing, record = run(bytes(damaged))
    assert not record.reasons("association_failed")
    assert "internal" not in record.reasons("store_failed")
    assert record.open == record.least_open == 0
    assert len(landing.committed) == record.counts.get("acked", 0)
    assert len(landing.refused) <= record.counts.get("refused_instances", 0)
