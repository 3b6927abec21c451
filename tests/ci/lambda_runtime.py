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
from local.web import free_port
from tests.deadline import wait_until

START_S = 20
LONGEST_S = 110
"""The emulator ends by itself after this, whatever becomes of the test."""
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """A function that can be invoked."""

    url: str
    log: Path

    def invoke(self, event: Any) -> Any:
        """Return the handler's answer; an error of the function fails the test with its log."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url, json.dumps(event).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=LONGEST_S) as response:  # noqa: S310 - loopback
            answer = json.load(response)
        failed = isinstance(answer, dict) and "errorType" in answer
        assert not failed, f"{answer}\n{self.log.read_text()}"
        return answer

    def serve(self, event: Any) -> None:
        """Invoke it for a queue; a message that it leaves there fails the test with its log."""
        assert self.invoke(event) == {"batchItemFailures": []}, self.log.read_text()


@contextmanager
def lambda_function(
    code: Path, handler: str, environ: Mapping[str, str], *, timeout_s: int, log: Path
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
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=code, env=lambda_environ, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_until(lambda: _answers(address), f"the emulator of {handler}", within_s=START_S)
            yield LambdaFunction(f"http://{address}/2015-03-31/functions/function/invocations", log)
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
