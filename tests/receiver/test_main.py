"""`python -m receiver` from outside: what it says when it cannot start, and when stdout stalls."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import make_instance
from tests.landed import Landed
from tests.raw_scu import RawAssociation
from tests.receiver_process import ROOT, ReceiverProcess, environment_for


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a receiver that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "receiver"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_every_problem_of_the_settings_is_a_line(tmp_path: Path) -> None:
    """All of them at once, by the variable's name, without a traceback."""
    ended = run(environment_for(tmp_path, SCP_PORT="x", WORKERS=99, LANDING_URL=""))

    assert ended.returncode == 2
    assert [line.split("=")[0].split(" ")[0] for line in ended.stderr.splitlines()] == [
        "SCP_PORT",
        "LANDING_URL",
        "WORKERS",
    ]
    assert ended.stdout == ""


@pytest.mark.parametrize("name", ["SCP_PORT", "HEALTH_PORT"])
def test_taken_port_is_one_sentence(tmp_path: Path, name: str) -> None:
    """It names the setting to change."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(environment_for(tmp_path, **{name: port}))

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{name}: port {port} is already in use")
    assert ended.stderr.count("\n") == 1


def test_workers_that_cannot_start_stop_the_receiver(tmp_path: Path) -> None:
    """A landing directory that cannot be made is said once per worker, not for ever."""
    (tmp_path / "file").write_text("not a directory")

    ended = run(environment_for(tmp_path / "file" / "below"))

    assert ended.returncode == 1
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    failures = [event for event in events if event["event"] == "worker_boot_failed"]
    assert {event["slot"] for event in failures} <= {0, 1}
    assert failures[0]["error"] == "NotADirectoryError"
    assert "worker_cannot_start" in [event["event"] for event in events]
    assert ended.stderr == ""


def test_ready_event_says_where_and_who(start_receiver: Callable[..., ReceiverProcess]) -> None:
    """With port 0 the log is the only place to learn the ports."""
    receiver = start_receiver(WORKERS=2)
    ready = receiver.wait_event("receiver_ready")

    status = receiver.get("/status")[1]
    assert status["ports"] == {"scp": ready["scp_port"], "health": ready["health_port"]}
    assert ready["pid"] == status["pid"] == receiver.pid
    assert ready["native"] is True
    assert sorted(ready["worker_pids"]) == sorted(receiver.worker_pids)
    assert [worker["pid"] for worker in status["workers"]] == ready["worker_pids"]


def test_last_counts_are_reported_at_the_end(
    start_receiver: Callable[..., ReceiverProcess],
) -> None:
    """The sum of all metric lines is the sum of what happened, however short the run."""
    receiver = start_receiver(METRICS_INTERVAL=1)
    with RawAssociation(receiver.port) as association:
        assert [association.store(make_instance()) for _ in range(3)] == [0, 0, 0]
    receiver.stop()

    documents = receiver.events("metrics")
    assert sum(d.get("InstancesStored", 0) for d in documents) == 3
    assert sum(d.get("BatchesSealed", 0) for d in documents) >= 1
    latencies = [d["StoreLatency"] for d in documents if "StoreLatency" in d]
    assert sum(latency["Count"] for latency in latencies) == 3


def test_stalled_stdout_delays_no_store(landing: Landed) -> None:
    """With a full pipe and nobody reading, instances are stored and SIGTERM still ends it with 0."""
    environment = environment_for(landing.root, LOG_LEVEL="DEBUG", WORKERS=1)
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "receiver"], env=environment, cwd=ROOT, stdout=write_fd
    )
    try:
        port = _ready_port(read_fd)
        os.set_blocking(write_fd, False)
        _fill(write_fd)
        os.set_blocking(write_fd, True)
        with RawAssociation(port, timeout_s=20) as association:
            statuses = [association.store(make_instance()) for _ in range(20)]
        assert set(statuses) == {0}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert len(landing.rows()) == 20
    finally:
        process.kill()
        process.wait()
        os.close(read_fd)
        os.close(write_fd)


def _ready_port(fd: int) -> int:
    """Read the log up to the ready event; return the DICOM port."""
    data = b""
    while True:
        assert select.select([fd], [], [], 20)[0], data
        data += os.read(fd, 65536)
        for line in data.split(b"\n")[:-1]:
            event = json.loads(line)
            if event["event"] == "receiver_ready":
                return int(event["scp_port"])


def _fill(fd: int) -> None:
    for size in (4096, 1):
        while select.select([], [fd], [], 0)[1] or size == 1:
            try:
                os.write(fd, b"\n" * size)
            except BlockingIOError:
                break
