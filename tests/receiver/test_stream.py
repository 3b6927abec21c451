"""The stream over a socket pair: bytes in any pieces, and the credit's arithmetic."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.deadlines import FOREVER, Watch
from receiver.fragments import HEADERS_BYTES
from receiver.stream import CREDIT_S, LOOKAHEAD_BYTES, End, Stream, StreamEndedError


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Clock:
    """A clock that each look moves by `step`."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        """Return the time and move it."""
        self.now += self.step
        return self.now


@given(
    content=st.binary(min_size=1, max_size=3 * LOOKAHEAD_BYTES),
    cuts=st.lists(st.integers(1, 20_000), max_size=6),
    modes=st.lists(st.sampled_from(["take", "need", "into", "part", "skip"]), min_size=1),
)
def test_every_byte_comes_once_and_in_order(
    content: bytes, cuts: list[int], modes: list[str]
) -> None:
    """Whatever the calls and sizes, the bytes read are the bytes sent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(content)
        stream = Stream(ours, Watch(ours))
        out = b""
        step = 0
        while len(out) < len(content):
            left = len(content) - len(out)
            count = min(cuts[step % len(cuts)] if cuts else left, left)
            mode = modes[step % len(modes)]
            step += 1
            if mode == "take":
                out += stream.take(count)
            elif mode == "need":
                stream.need(min(count, LOOKAHEAD_BYTES))
                out += stream.take(stream.buffered)
            elif mode == "skip":
                stream.skip(count)
                out += content[len(out) : len(out) + count]
            else:
                memory = bytearray(count)
                ahead = (HEADERS_BYTES, LOOKAHEAD_BYTES)[count % 2] if mode == "into" else 0
                got = stream.receive_into(memoryview(memory), ahead)
                out += memory[:got]
        assert out == content
        assert stream.received == len(content)


@pytest.mark.parametrize(
    ("received", "elapsed_s", "credit_s"),
    [(4096, 0.0, 30.0), (4096, 10.0, 21.0), (1, 10.0, 20.000244140625), (122_880, 29.0, 30.0)],
)
def test_bytes_earn_what_waiting_costs(
    pair: tuple[socket.socket, socket.socket], received: int, elapsed_s: float, credit_s: float
) -> None:
    """A message's credit falls by the time blocked, rises 1 s per 4 KiB, and never above 30 s."""
    ours, theirs = pair
    watch = Watch(ours)
    stream = Stream(ours, watch, Clock(elapsed_s))
    stream.set_time(CREDIT_S, earning=True)
    theirs.sendall(bytes(received))
    assert stream.receive_into(memoryview(bytearray(received)), 0) == received
    assert stream._credit_s == pytest.approx(credit_s)
    assert watch.deadline == FOREVER


def test_an_absolute_time_earns_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    """While an association is asked for, bytes do not buy time: a slow drip ends after 30 s."""
    ours, theirs = pair
    stream = Stream(ours, Watch(ours), Clock(10.0))
    stream.set_time(30.0, earning=False)
    theirs.sendall(bytes(4096))
    stream.need(4096)
    assert stream._credit_s == pytest.approx(20.0)


def test_the_end_is_told_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    """EOF, an expired deadline and an interruption end a stream differently."""
    ours, theirs = pair
    watch = Watch(ours)
    stream = Stream(ours, watch)
    theirs.close()
    with pytest.raises(StreamEndedError) as ended:
        stream.need(1)
    assert ended.value.end is End.EOF
    watch.expired = True
    with pytest.raises(StreamEndedError) as ended:
        stream.skip(1)
    assert ended.value.end is End.EXPIRED
    watch.interrupted = True
    with pytest.raises(StreamEndedError) as ended:
        stream.take(1)
    assert ended.value.end is End.INTERRUPTED


def test_cutting_is_seen_before_an_idle_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    """An association that becomes idle after the cut does not block."""
    ours, _theirs = pair
    watch = Watch(ours)
    with pytest.raises(StreamEndedError) as ended:
        Stream(ours, watch).wait_idle(lambda: True)
    assert ended.value.end is End.INTERRUPTED
    assert not watch.idle
