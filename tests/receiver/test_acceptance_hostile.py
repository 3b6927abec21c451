"""Peers that hold connections and send nothing useful cost honest senders nothing (`make bench` has the times)."""

from __future__ import annotations

from collections.abc import Callable

from tests.builders import make_instance
from tests.deadline import wait_until
from tests.hostile_peers import hostile_peers
from tests.landed import Landed
from tests.raw_scu import send_all
from tests.receiver_process import ReceiverProcess

Start = Callable[..., ReceiverProcess]


def test_honest_senders_meet_no_error_beside_hostile_peers(
    start_receiver: Start, landing: Landed
) -> None:
    """250 silent, 100 dripping and 25 stalled in a TLS handshake: every honest instance is stored, each time."""
    receiver = start_receiver(MAXIMUM_ASSOCIATIONS=20)
    with hostile_peers(receiver.port, silent=250, dripping=100, stalled=25):
        wait_until(lambda: receiver.get("/status")[1]["reasons"].get("not_dicom"), "they are there")
        acked = set[tuple[str, str]]()
        for _ in range(3):
            instances = [make_instance(size=64_000) for _ in range(40)]
            acked |= send_all(receiver.port, instances, associations=8).digests
        health = receiver.get("/healthz")[0]
        counters = receiver.get("/status")[1]["counters"]
    receiver.stop()

    assert health == 200
    assert counters["associations_rejected"] == counters["failed_stores"] == 0
    assert len(acked) == 120
    landing.assert_holds(acked)
