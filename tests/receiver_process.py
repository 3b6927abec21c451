"""`python -m receiver` as a process: started, waited for, asked, stopped and checked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deadline import wait_until
from tests.processes import children_of, tree_of

ROOT = Path(__file__).resolve().parent.parent
START_S = 20.0
STOP_S = 60.0


class ReceiverProcess:
    """A running receiver; made by `running_receiver`.

    Attributes:
        port: For DICOM.
        health_port: For HTTP.
    """

    def __init__(self, environment: Mapping[str, str], before: Sequence[str] = ()) -> None:
        """Start one.

        Args:
            environment: Its whole environment.
            before: A command that ends by executing the words behind it.
        """
        self._events: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._process = subprocess.Popen(
            [*before, sys.executable, "-m", "receiver"],
            env=dict(environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="receiver-log", daemon=True)
        self._reader.start()
        try:
            ready = self.wait_event("receiver_ready", within_s=START_S)
        except BaseException:
            self.kill()
            raise
        self.port = int(ready["scp_port"])
        self.health_port = int(ready["health_port"])

    @property
    def pid(self) -> int:
        """The parent's pid."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """Every process of the receiver."""
        return tree_of(self.pid)

    @property
    def worker_pids(self) -> list[int]:
        """The workers that are alive."""
        return children_of(self.pid)

    def all_events(self) -> list[dict[str, Any]]:
        """Return every log event so far."""
        return list(self._events)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log events called `name` so far."""
        return [event for event in list(self._events) if event.get("event") == name]

    def wait_event(self, name: str, *, within_s: float = 15.0) -> dict[str, Any]:
        """Return the first event called `name`, which may come later.

        Raises:
            AssertionError: None came in time, or the process ended before.
        """

        def found() -> dict[str, Any] | None:
            if events := self.events(name):
                return events[0]
            if self._process.poll() is not None and not self._reader.is_alive():
                raise AssertionError(
                    f"exit {self._process.returncode} before {name}: {self.tail()}"
                )
            return None

        return wait_until(found, f"event {name}; log: {self.tail()}", within_s=within_s)

    def tail(self) -> str:
        """Return the last lines of the log, for a failure's message."""
        return "\n".join([*map(str, self._events[-12:]), *self.noise[-12:]])

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """GET a path of the health port; return status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, within_s: float = STOP_S) -> int:
        """Wait for the end and return the exit code.

        Raises:
            AssertionError: It does not end.
        """
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            log = self.tail()
            self.kill()
            raise AssertionError(f"still running {within_s:g} s after the signal: {log}") from None
        self._close()
        return code

    def stop(self) -> None:
        """Stop it as ECS does and hold what always holds: exit 0, and nothing but JSON was printed."""
        self.terminate()
        code = self.wait()
        assert code == 0, f"exit {code}; {self.tail()}"
        assert not self.noise, self.noise
        assert not self.events("unhandled_exception"), self.events("unhandled_exception")

    def kill(self) -> None:
        """End every process at once, however it is."""
        for pid in reversed(self.pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(10)
        self._close()

    @property
    def is_running(self) -> bool:
        """Whether the parent is alive."""
        return self._process.poll() is None

    def _close(self) -> None:
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self._events.append(json.loads(line))
            except ValueError:
                self.noise.append(line.rstrip())


def environment_for(landing: Path, **settings: object) -> dict[str, str]:
    """Return a whole environment for a receiver that lands in `landing`."""
    wanted = {
        "SCP_PORT": 0,
        "HEALTH_PORT": 0,
        "WORKERS": 2,
        "MEMORY_MIB": 2048,
        "LANDING_URL": landing.as_uri(),
        **settings,
    }
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **inherited,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
        **{name: str(value) for name, value in wanted.items()},
    }


@contextmanager
def running_receiver(landing: Path, **settings: object) -> Iterator[ReceiverProcess]:
    """Run a receiver; at the end stop it with all checks, or kill it when the test failed."""
    receiver = ReceiverProcess(environment_for(landing, **settings))
    try:
        yield receiver
        if receiver.is_running:
            receiver.stop()
    finally:
        if receiver.is_running:
            receiver.kill()


def settle(seconds: float) -> None:
    """Let `seconds` pass: for measurements over a time, never to wait for something."""
    time.sleep(seconds)
