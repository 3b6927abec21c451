from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from receiver.admission import SharedAssociationLimit
from receiver.handoff import Kind, Message, make_channel, receive, send
from receiver.settings import Settings
from receiver.shared import SharedCells
from receiver.worker import EXIT_FAILED, EXIT_NOT_SEALED, EXIT_SEALED, Seat, Worker
from tests.deadline import wait_until
from tests.receiver.recorder import Recorder
from tests.receiver.test_proxy import header


class LineService:
    """Serves lines: `associate` becomes an association, `fail` is a bug, the end of stream ends it."""

    def __init__(self) -> None:
        self.peers: list[str] = []
        self.ticks = 0
        self.tick_fails = False
        self.recovery = threading.Event()
        self.sealed = True
        self.left_s = 0.0
        self.cuts = 0

    def serve(
        self, connection: socket.socket, peer: str, on_associated: Callable[[], None]
    ) -> None:
        """Serve one connection."""
        self.peers.append(peer)
        with connection, connection.makefile("rb") as stream:
            for line in stream:
                if line == b"associate\n":
                    on_associated()
                if line == b"fail\n":
                    raise ValueError("DOE^JOHN")

    def cut(self) -> None:
        """Count."""
        self.cuts += 1

    def tick(self) -> None:
        """Count."""
        self.ticks += 1
        if self.tick_fails:
            raise RuntimeError

    def recover(self) -> None:
        """Wait until the test lets it go on."""
        self.recovery.wait(10)

    def close(self, timeout_s: float) -> bool:
        """Seal."""
        self.left_s = timeout_s
        return self.sealed


class Desk:
    """A worker on a thread of this process, and the parent's end of its channel."""

    def __init__(self, *, recovered: bool = True, **settings: object) -> None:
        self.recorder = Recorder()
        self.service = LineService()
        if recovered:
            self.service.recovery.set()
        self.cells = SharedCells(1)
        self.parent, self._end = make_channel()
        self.draining, self.cutting = threading.Event(), threading.Event()
        environ = {"LANDING_URL": "file:///tmp"} | {k: str(v) for k, v in settings.items()}
        self.seat = Seat(
            slot=0,
            settings=Settings.from_env(environ),
            journals=[],
            counters=self.recorder,
            limit=SharedAssociationLimit(self.cells, 0, 10),
            log=self.recorder,
            draining=self.draining,
            cutting=self.cutting,
        )
        self.code: int | None = None
        self.heard: list[Message] = []
        self.clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.wait_for(Kind.HELLO)

    def hand_over(self, number: int) -> socket.socket:
        """Hand a connection over; return the client's end."""
        ours, theirs = socket.socketpair()
        theirs.settimeout(10)
        send(self.parent, Message(Kind.CONNECTION, number, "10.0.0.1"), ours)
        ours.close()
        self.clients.append(theirs)
        return theirs

    def tell(self, kind: Kind, number: int = 0) -> None:
        """Say something to the worker."""
        send(self.parent, Message(kind, number))

    def said(self, kind: Kind) -> list[int]:
        """Return the numbers of the messages of a kind that the worker has sent."""
        try:
            while (received := receive(self.parent)) is not None:
                self.heard.append(received[0])
        except OSError:
            pass  # nothing more now, or the channel was closed by the test
        return [message.number for message in self.heard if message.kind is kind]

    def wait_for(self, kind: Kind) -> list[int]:
        """Wait for a message of a kind."""
        return wait_until(lambda: self.said(kind), f"message {kind.name}")

    def end(self) -> int:
        """Wait for the worker's end; return its exit code."""
        self._thread.join(20)
        assert self.code is not None
        return self.code

    def close(self) -> None:
        """End whatever is left."""
        self.service.recovery.set()
        if self.code is None:
            with suppress(OSError):  # it ended in this moment
                self.tell(Kind.FINISH, 1000)
        self.end()
        for end in (self.parent, self._end, *self.clients):
            end.close()
        self.cells.close()

    def _run(self) -> None:
        self.code = Worker(self.seat, self._end, self.service).run()


@pytest.fixture(autouse=True)
def process_settings() -> Iterator[None]:
    """Give back what a worker changes in its process."""
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    threading.stack_size(0)


@pytest.fixture
def start() -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(*, recovered: bool = True, **settings: object) -> Desk:
        desks.append(Desk(recovered=recovered, **settings))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def test_connection_is_taken_associated_and_closed(start: Callable[..., Desk]) -> None:
    """The parent learns of each step, by the connection's number."""
    desk = start()
    client = desk.hand_over(7)
    assert desk.wait_for(Kind.TAKEN) == [7]
    assert desk.said(Kind.ASSOCIATED) == []

    client.sendall(b"associate\n")
    assert desk.wait_for(Kind.ASSOCIATED) == [7]
    client.shutdown(socket.SHUT_WR)

    assert desk.wait_for(Kind.CLOSED) == [7]
    assert desk.service.peers == ["10.0.0.1"]


def test_fault_of_one_connection_stays_its_own(start: Callable[..., Desk]) -> None:
    """It is logged without its text, the connection is closed, the next one is served."""
    desk = start()
    desk.hand_over(1).sendall(b"fail\n")

    assert desk.wait_for(Kind.CLOSED) == [1]
    assert desk.recorder.names() == ["connection_failed"]
    assert "DOE" not in str(desk.recorder.events)
    desk.hand_over(2).sendall(b"associate\n")
    assert desk.wait_for(Kind.ASSOCIATED) == [2]


def test_peer_is_the_proxy_headers_source(start: Callable[..., Desk]) -> None:
    """With PROXY_PROTOCOL the service sees the sender, and its first byte."""
    desk = start(PROXY_PROTOCOL="true")
    desk.hand_over(1).sendall(header("2001:db8::7") + b"associate\n")

    assert desk.wait_for(Kind.ASSOCIATED) == [1]
    assert desk.service.peers == ["2001:db8::7"]


def test_connection_without_its_proxy_header_is_cut(start: Callable[..., Desk]) -> None:
    """Nobody gets past the balancer, and the log says who tried."""
    desk = start(PROXY_PROTOCOL="true")
    client = desk.hand_over(1)
    client.sendall(b"\x01\x00\x00\x00\x00\xcd" + bytes(205))

    assert desk.wait_for(Kind.CLOSED) == [1]
    assert desk.recorder.reasons() == ["proxy_header"]
    assert desk.recorder.counts == {"proxy_header": 1}
    assert desk.service.peers == []


def test_heartbeats_and_ticks_go_on_though_a_tick_fails(start: Callable[..., Desk]) -> None:
    """A fault in one tick is logged; the next tick tries again."""
    desk = start()
    desk.service.tick_fails = True

    desk.wait_for(Kind.HEARTBEAT)

    assert desk.service.ticks >= 3
    assert set(desk.recorder.names()) == {"tick_failed"}


def test_hello_does_not_wait_for_recovery(start: Callable[..., Desk]) -> None:
    """A replacement serves while it seals what its predecessor left."""
    desk = start(recovered=False)

    desk.hand_over(1).sendall(b"associate\n")

    assert desk.wait_for(Kind.ASSOCIATED) == [1]


def test_drain_and_cut_reach_the_service(start: Callable[..., Desk]) -> None:
    """DRAIN leaves associations alone; CUT wakes those that are idle."""
    desk = start()
    desk.tell(Kind.DRAIN)
    assert desk.draining.wait(10)
    assert (desk.cutting.is_set(), desk.service.cuts) == (False, 0)

    desk.tell(Kind.CUT)

    assert desk.cutting.wait(10)
    wait_until(lambda: desk.service.cuts == 1, "the service is told to cut")


@pytest.mark.parametrize(("sealed", "code"), [(True, EXIT_SEALED), (False, EXIT_NOT_SEALED)])
def test_exit_code_says_whether_all_is_sealed(
    start: Callable[..., Desk], *, sealed: bool, code: int
) -> None:
    """FINISH cuts what is open, seals within the time that is left, and ends the worker."""
    desk = start()
    client = desk.hand_over(1)
    desk.wait_for(Kind.TAKEN)
    desk.service.sealed = sealed

    desk.tell(Kind.FINISH, 10_000)

    assert desk.end() == code
    assert client.recv(1) == b""
    assert 3 < desk.service.left_s < 10


def test_unfinished_recovery_is_not_sealed(start: Callable[..., Desk]) -> None:
    """What a predecessor left counts like the worker's own."""
    desk = start(recovered=False)

    desk.tell(Kind.FINISH, 300)

    assert desk.end() == EXIT_NOT_SEALED


def test_worker_without_parent_drains_by_itself(start: Callable[..., Desk]) -> None:
    """It keeps the parent's timetable: drain, cut, finish, seal."""
    desk = start(STOP_TIMEOUT="5")
    client = desk.hand_over(1)
    desk.wait_for(Kind.TAKEN)

    desk.parent.close()

    assert desk.draining.wait(10)
    assert desk.end() == EXIT_SEALED
    assert desk.cutting.is_set()
    assert client.recv(1) == b""
    assert "parent_died" in desk.recorder.names()


_BROKEN = """
from receiver.handoff import make_channel
from receiver.settings import Settings
from receiver.shared import SharedCells
from receiver.worker import run_worker

class Service:
    def recover(self): pass
    def tick(self): pass

parent, channel = make_channel()
parent.send(bytes([255] * 9))
settings = Settings.from_env({"LANDING_URL": "file:///tmp"})
print(run_worker(0, [], channel, SharedCells(1), settings=settings, build=lambda seat: Service()))
"""


def _run_broken(before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", before + _BROKEN],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_fault_of_the_worker_itself_is_logged_and_ends_it() -> None:
    """A message that it does not know ends it with its own code; the parent then replaces it."""
    ended = _run_broken()

    event, code = ended.stdout.splitlines()
    assert json.loads(event)["event"] == "worker_failed"
    assert (code, ended.stderr) == (str(EXIT_FAILED), "")


def test_a_worker_touches_its_arenas_before_it_serves() -> None:
    """After the fork, in each: what a peak touches later would look like a leak."""
    ended = _run_broken(
        "import receiver.worker\nreceiver.worker.touch_arenas = lambda: print('touched')\n"
    )

    assert ended.stdout.splitlines()[0] == "touched"
