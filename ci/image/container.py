"""Run the image as a Fargate task would: read-only, no capabilities, no new privileges, bounded."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ci.image.engine import Engine, EngineError

NAME = "storescp"
READY_S = 60.0
STOP_S = 120
"""As the task definition's stopTimeout."""
HARDENED = (
    "--network", "host", "--pull", "never",
    # Nothing is writable, not even /tmp: Fargate has no tmpfs.
    "--read-only", "--read-only-tmpfs=false",
    "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--memory", "2g", "--memory-swap", "2g", "--cpus", "1", "--pids-limit", "1000",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Container:
    """A running container.

    Attributes:
        engine: Where it runs.
        port: For DICOM, on 127.0.0.1.
        health_port: For health checks, likewise.
        started_in_s: From the command to the first passed health check.
    """

    engine: Engine
    port: int
    health_port: int
    started_in_s: float

    def health(self) -> int:
        """Return the HTTP status that a load balancer's health check would get; 0 if there is no answer."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.health_port}/healthz", timeout=5
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def inspect(self) -> dict[str, Any]:
        """Return the engine's description of it."""
        return dict(json.loads(self.engine.run("podman", "inspect", NAME).stdout)[0])

    def kernel_status(self) -> dict[str, str]:
        """Return /proc/<pid>/status of its first process."""
        pid = self.inspect()["State"]["Pid"]
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:  # noqa: PTH123 - proc, not a path of ours
            return {
                key: value.strip() for key, _, value in (line.partition(":") for line in status)
            }

    def stop(self) -> int:
        """Send the image's stop signal, wait for the end, and return the exit code."""
        self.engine.run("podman", "stop", "--time", str(STOP_S), NAME, timeout_s=STOP_S + 60)
        return int(self.inspect()["State"]["ExitCode"])

    def logs(self) -> str:
        """Return everything it has written."""
        result = self.engine.run("podman", "logs", NAME, check=False)
        return result.stdout + result.stderr


def start(engine: Engine, image: str, environ: Mapping[str, str]) -> Container:
    """Start the image hardened and return when its health check passes.

    Raises:
        EngineError: It ended, or was not healthy in time; the message has its log.
    """
    port, health_port = _free_ports(2)
    ours = {"SCP_PORT": str(port), "HEALTH_PORT": str(health_port)}
    variables = [f"--env={name}={value}" for name, value in {**environ, **ours}.items()]
    began = time.monotonic()
    engine.run("podman", "run", "--detach", "--name", NAME, *HARDENED, *variables, image)
    while engine.run("podman", "healthcheck", "run", NAME, check=False).returncode != 0:
        container = Container(engine, port, health_port, time.monotonic() - began)
        if container.started_in_s > READY_S or not container.inspect()["State"]["Running"]:
            raise EngineError(f"the container did not become healthy; its log:\n{container.logs()}")
        time.sleep(0.1)
    return Container(engine, port, health_port, time.monotonic() - began)


def wait_until(holds: Callable[[], bool], within_s: float) -> None:
    """Return when it holds, or when the time is over: the caller's check says what is wrong then."""
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now: the health check's command must know its port beforehand."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
