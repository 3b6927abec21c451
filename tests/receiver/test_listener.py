from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from receiver import listener as listener_module
from receiver.listener import Arrival, PortError, WaitingRoom, open_listener
from tests.receiver.recorder import Recorder
from tests.receiver.test_proxy import header


class Door:
    """A waiting room on a real port, with a loop that a test turns by hand."""

    def __init__(self, *, proxy_protocol: bool = False) -> None:
        self.selector = selectors.DefaultSelector()
        self.recorder = Recorder()
        self.ready: list[Arrival] = []
        self.listener = open_listener("SCP_PORT", 0)
        self.room = WaitingRoom(
            self.selector,
            self.ready.append,
            proxy_protocol=proxy_protocol,
            counters=self.recorder,
            log=self.recorder,
        )
        self.clients: list[socket.socket] = []

    def connect(self, number: int, deadline: float = 100.0) -> socket.socket:
        """Return a client that was admitted."""
        client = socket.create_connection(self.listener.getsockname(), 5)
        client.settimeout(5)
        self.clients.append(client)
        self.listener.settimeout(5)
        connection, address = self.listener.accept()
        self.room.admit(Arrival(number, connection, address[0], deadline))
        return client

    def turn(self, until: Callable[[], object]) -> None:
        """Run the loop until something is true."""
        end = time.monotonic() + 5
        while not until():
            assert time.monotonic() < end
            for key, mask in self.selector.select(0.05):
                key.data(mask)

    def turn_in_vain(self) -> None:
        """Run the loop for a while; it must have nothing to do after at most one event."""
        rounds = sum(bool(self.selector.select(0.02)) and self._turn_once() for _ in range(5))
        assert rounds <= 1

    def _turn_once(self) -> bool:
        for key, mask in self.selector.select(0):
            key.data(mask)
        return True

    def close(self) -> None:
        """Close everything."""
        self.room.close()
        for arrival in self.ready:
            arrival.connection.close()
        for client in self.clients:
            client.close()
        self.listener.close()
        self.selector.close()


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


@pytest.fixture
def proxied() -> Iterator[Door]:
    door = Door(proxy_protocol=True)
    yield door
    door.close()


def test_connections_inherit_the_options(door: Door) -> None:
    """No delay for small responses, and a vanished peer is noticed within two minutes."""
    door.connect(1).sendall(b"x")
    door.turn(lambda: door.ready)
    connection = door.ready[0].connection

    options = [
        connection.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    ]
    assert options == [60, 15, 4]
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000


def test_taken_port_is_one_sentence_that_names_the_setting(door: Door) -> None:
    """The person who starts the receiver learns which setting to change."""
    port = door.listener.getsockname()[1]

    with pytest.raises(PortError, match=rf"^HEALTH_PORT: port {port} is already in use.*\.$"):
        open_listener("HEALTH_PORT", port)


def test_first_byte_ends_the_wait_and_stays_in_the_socket(door: Door) -> None:
    """The worker reads the A-ASSOCIATE-RQ from its first byte."""
    client = door.connect(1)
    door.turn_in_vain()
    assert not door.ready

    client.sendall(b"\x01\x00")
    door.turn(lambda: door.ready)

    assert door.ready[0].connection.recv(10) == b"\x01\x00"
    assert len(door.room) == 0


def test_silent_connection_is_closed_at_its_deadline(door: Door) -> None:
    """conn_idle, and those that may still speak stay."""
    silent = door.connect(1, deadline=10.0)
    door.connect(2, deadline=20.0)

    door.room.expire(10.0)

    assert silent.recv(1) == b""
    assert len(door.room) == 1
    assert door.recorder.reasons() == ["conn_idle"]
    assert door.recorder.counts == {"conn_idle": 1}


def test_connection_closed_without_a_byte_is_no_event(door: Door) -> None:
    """The load balancer's TLS listener makes such connections all day."""
    door.connect(1).close()

    door.turn(lambda: not len(door.room))

    assert not door.ready
    assert not door.recorder.events


@pytest.mark.parametrize("limit", ["MAXIMUM_WAITING", "MAXIMUM_WAITING_PER_ADDRESS"])
def test_full_room_turns_out_who_was_silent_longest(
    door: Door, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """An attacker's silence makes room for the next; the newest is never refused for it."""
    monkeypatch.setattr(listener_module, limit, 2)
    first = door.connect(1)
    door.connect(2)
    third = door.connect(3)

    assert first.recv(1) == b""
    third.sendall(b"\x01")
    door.turn(lambda: door.ready)
    assert [arrival.number for arrival in door.ready] == [3]
    assert len(door.room) == 1


def test_one_address_cannot_fill_the_room(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was turned out for its own address says so: nobody else was in its way."""
    monkeypatch.setattr(listener_module, "MAXIMUM_WAITING_PER_ADDRESS", 1)
    first = door.connect(1)
    door.connect(2)

    assert first.recv(1) == b""
    assert door.recorder.reasons() == ["address_limit"]


def test_senders_behind_a_balancer_count_by_their_own_address(
    proxied: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All connections come from the balancer; the PROXY header says whose they are."""
    monkeypatch.setattr(listener_module, "MAXIMUM_WAITING_PER_ADDRESS", 1)
    first, second, third = (proxied.connect(number) for number in (1, 2, 3))
    assert len(proxied.room) == 3

    for client, source in ((first, "203.0.113.1"), (second, "203.0.113.2"), (third, "203.0.113.1")):
        client.sendall(header(source=source))
        proxied.turn_in_vain()

    assert len(proxied.room) == 2
    assert proxied.recorder.reasons() == ["address_limit"]
    assert proxied.recorder.events[-1][1]["peer"] == "203.0.113.1"
    second.sendall(b"\x01")
    proxied.turn(lambda: proxied.ready)
    assert [arrival.sender for arrival in proxied.ready] == ["203.0.113.2"]


def test_proxy_header_alone_does_not_end_the_wait(proxied: Door) -> None:
    """A silent peer behind the balancer costs no thread, and the loop does not spin on its header."""
    client = proxied.connect(1)
    client.sendall(header())
    proxied.turn_in_vain()
    assert not proxied.ready

    client.sendall(b"\x01")
    proxied.turn(lambda: proxied.ready)

    connection = proxied.ready[0].connection
    assert connection.recv(100) == header() + b"\x01"
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


def test_proxy_header_and_end_is_no_event(proxied: Door) -> None:
    """The balancer's health check of the DICOM port, or a TLS handshake that failed."""
    client = proxied.connect(1)
    client.sendall(header())
    proxied.turn_in_vain()
    client.close()

    proxied.turn(lambda: not len(proxied.room))

    assert not proxied.ready
    assert not proxied.recorder.events


@pytest.mark.parametrize("data", [b"\x01\x00", header()[:5]], ids=["no header", "half a header"])
def test_bad_or_slow_header_is_left_to_the_worker(proxied: Door, data: bytes) -> None:
    """The worker cuts it within 5 s and says why."""
    proxied.connect(1).sendall(data)

    proxied.turn(lambda: proxied.ready)

    assert proxied.ready[0].connection.recv(100) == data
