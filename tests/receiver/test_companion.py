"""The parent's side of the committer: started, replaced with patience, and never at the images' cost."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from receiver.companion import LONGEST_PAUSE_S, SOUND_S, Companion
from tests.receiver.fake_storage import FakeLog


class FakeProcess:
    """A process that ends when the test says so."""

    pid = 4711

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code."""
        return self.code

    def wait(self, timeout: float | None = None) -> int:
        """End, as the real one does when its control socket ends."""
        assert timeout
        self.code = 0
        return 0


class Starts:
    """What stands in for `subprocess.Popen`."""

    def __init__(self) -> None:
        self.made: list[FakeProcess] = []
        self.error: OSError | None = None

    def __call__(self, *_: Any, **__: Any) -> FakeProcess:
        """Start one."""
        if self.error is not None:
            raise self.error
        self.made.append(FakeProcess())
        return self.made[-1]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    """Put fake processes in the place of real ones."""
    made = Starts()
    monkeypatch.setattr(subprocess, "Popen", made)
    return made


@pytest.fixture
def log() -> FakeLog:
    """Lend a log."""
    return FakeLog()


@pytest.fixture
def made(log: FakeLog) -> Iterator[Companion]:
    """Lend a companion."""
    one = Companion(log)
    yield one
    one.stop()


def test_one_that_dies_at_once_is_tried_again_with_patience(
    made: Companion, starts: Starts
) -> None:
    """Twice as long each time, half a minute at most; one that lived is replaced at once."""
    now, pauses = 1000.0, []
    made.tick(now)
    for _ in range(9):
        starts.made[-1].code = 1
        made.tick(now)
        died = now
        count = len(starts.made)
        while len(starts.made) == count:
            now += 0.5
            made.tick(now)
        pauses.append(now - died)
    now += SOUND_S
    starts.made[-1].code = -9
    made.tick(now)

    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert len(starts.made) == len(pauses) + 2


def test_without_memory_for_it_the_receiver_goes_on(
    made: Companion, starts: Starts, log: FakeLog
) -> None:
    """Nothing is raised into the parent's loop; it is tried again."""
    starts.error = OSError(12, "out of memory")
    made.tick(1000.0)
    assert log.named("committer_not_started") == [{"errno": 12}]
    assert made.pid is None

    starts.error = None
    made.tick(1010.0)
    assert made.pid == FakeProcess.pid


def test_workers_can_connect_while_none_runs(made: Companion) -> None:
    """The address lives as long as the parent: requests wait for the next committer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as worker:
        worker.connect(made.address)


def test_it_is_stopped_by_the_end_of_its_control_socket(made: Companion, starts: Starts) -> None:
    """Politely, and none is started afterwards."""
    made.tick(1000.0)
    made.stop()
    made.tick(2000.0)

    assert [process.code for process in starts.made] == [0]
