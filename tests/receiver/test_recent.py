"""What was stored a moment ago is known to every process of the task, and only for a while."""

from __future__ import annotations

import os
import threading

import pytest

from receiver.landing import BatchedLanding
from receiver.recent import RECENT_S, RecentContents
from tests.receiver.fake_storage import STUDY, Bench, failed
from tests.receiver.fake_storage import FakeClock as Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_the_same_bytes_of_the_same_instance_are_known(clock: Clock) -> None:
    """UID, size and checksum, all three."""
    recent = RecentContents(clock=clock)
    recent.add(recent.entry("1.2.3", 10, 77))

    assert recent.holds(recent.entry("1.2.3", 10, 77))
    assert not recent.holds(recent.entry("1.2.4", 10, 77))
    assert not recent.holds(recent.entry("1.2.3", 11, 77))
    assert not recent.holds(recent.entry("1.2.3", 10, 78))


def test_it_is_forgotten_in_time(clock: Clock) -> None:
    """Who sends again after ten minutes means it."""
    recent = RecentContents(clock=clock)
    recent.add(recent.entry("1.2.3", 10, 77))

    clock.now += RECENT_S - 1
    just = recent.holds(recent.entry("1.2.3", 10, 77))
    clock.now += 1

    assert just
    assert not recent.holds(recent.entry("1.2.3", 10, 77))


def test_a_full_set_forgets_its_oldest(clock: Clock) -> None:
    """The memory is bounded; what is pushed out is stored again."""
    recent = RecentContents(sets=1, clock=clock)
    for n in range(9):
        clock.now += 1
        recent.add(recent.entry("1.2.3", n, 0))

    assert [n for n in range(9) if recent.holds(recent.entry("1.2.3", n, 0))] == list(range(1, 9))


def test_another_process_knows_it() -> None:
    """Made before the fork, it is one memory: a retry may come to another worker."""
    recent = RecentContents()
    pid = os.fork()
    if pid == 0:
        recent.add(recent.entry("1.2.3", 10, 77))
        os._exit(0)
    os.waitpid(pid, 0)

    assert recent.holds(recent.entry("1.2.3", 10, 77))


def test_threads_at_once_never_invent_anything() -> None:
    """Whatever is torn or pushed out, what was never stored is never known."""
    recent = RecentContents(sets=2)

    def add(of: int) -> None:
        for n in range(2000):
            recent.add(recent.entry(f"1.{of}", n, n))

    threads = [threading.Thread(target=add, args=(of,)) for of in range(4)]
    for thread in threads:
        thread.start()
    invented = [n for n in range(5000) if recent.holds(recent.entry("2.1", n, n))]
    for thread in threads:
        thread.join()

    assert invented == []


@pytest.mark.parametrize("data", [b"small", bytes(20_000_000)], ids=["one PUT", "parts"])
def test_a_retry_is_answered_without_a_second_object(data: bytes, clock: Clock) -> None:
    """Success again, one object, one row; other bytes of the same instance are stored."""
    bench = Bench(recent=RecentContents(clock=clock))

    answers = [bench.store(data, STUDY), bench.store(data, STUDY), bench.store(b"other", STUDY)]
    assert bench.landing.close(10)

    assert answers == [True, False, True]
    assert len(bench.sink.under("incoming/")) == 2
    assert bench.memory.free_blocks == bench.memory.total_blocks
    assert len(bench.sink.aborted) == (len(data) > 1000)


def test_what_failed_is_not_known(clock: Clock) -> None:
    """A retry of what was answered with A700 is stored."""
    bench = Bench(recent=RecentContents(clock=clock))
    bench.sink.before = failed
    with pytest.raises(Exception, match="SlowDown"):
        bench.store(b"x")
    bench.sink.before = lambda _: None

    assert isinstance(bench.landing, BatchedLanding)
    assert bench.store(b"x") is True
