"""One function as Lambda runs it: AWS's runtime interface emulator and runtime client over an unpacked archive."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.python313 import find_python
from ci.tools import LAMBDA_TOOLS, installed
from local.ports import free_port
from tests.deadline import wait_until

START_S = 60
LONGEST_S = 280
"""The emulator ends by itself after this, whatever becomes of the test."""
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """A function that can be invoked.

    Attributes:
        url: Where.
        log: What it has written.
        pid: Of the process that holds emulator and runtime.
    """

    url: str
    log: Path
    pid: int

    def invoke(self, event: Any) -> Any:
        """Return the handler's answer; an error or the end of its time fails the test with its log."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url, json.dumps(event).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=LONGEST_S) as response:  # noqa: S310 - loopback
            text = response.read().decode()
        # The emulator's own words are no JSON.
        assert not text.startswith("Task timed out"), f"{text}\n{self.log.read_text()}"
        answer = json.loads(text)
        failed = isinstance(answer, dict) and "errorType" in answer
        assert not failed, f"{answer}\n{self.log.read_text()}"
        return answer

    def peak_mib(self) -> float:
        """Return the most memory that the function's process has held."""
        (runtime,) = (
            process
            for process in descendants(self.pid)
            if b"awslambdaric" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            and not list(descendants(process))
        )
        return status_kib(runtime, "VmHWM") / 1024

    def serve(self, event: Any) -> None:
        """Invoke it for a queue; a message that it leaves there fails the test with its log."""
        assert self.invoke(event) == {"batchItemFailures": []}, self.log.read_text()


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that a process, or one of these, has started and that still run."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from descendants(child)


def status_kib(pid: int, name: str) -> int:
    """Return a size from /proc/<pid>/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(name)


@contextmanager
def lambda_function(
    code: Path,
    handler: str,
    environ: Mapping[str, str],
    *,
    name: str,
    timeout_s: int,
    memory_mib: int,
    log: Path,
) -> Iterator[LambdaFunction]:
    """Serve the handler in the folder `code`, by CPython 3.13 where this machine has one."""
    python = find_python() or Path(sys.executable)
    version = "3.13" if find_python() else f"{sys.version_info.major}.{sys.version_info.minor}"
    tools = installed(LAMBDA_TOOLS, version)
    emulator = tools / f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURES[platform.machine()]}"
    emulator.chmod(0o755)
    address, runtime = (f"127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        "timeout", "--kill-after=1", str(LONGEST_S), str(emulator), "--log-level", "error",
        "--runtime-interface-emulator-address", address, "--runtime-api-address", runtime,
        # -S and -s: the archive and the runtime's client, and no package of this machine.
        str(python), "-s", "-S", "-m", "awslambdaric", handler,
    ]  # fmt: skip
    lambda_environ = {
        **environ,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tools),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mib),
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=code, env=lambda_environ, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_until(lambda: _answers(address), f"the emulator of {handler}", within_s=START_S)
            url = f"http://{address}/2015-03-31/functions/function/invocations"
            yield LambdaFunction(url, log, process.pid)
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
