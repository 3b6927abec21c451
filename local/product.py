"""Starts, watches and stops the whole product: emulated AWS, receiver, functions, console."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3

from contract.settings import SettingsError
from local import environment, template
from local.data_dir import DataDir
from local.functions import Function, container_environment, functions
from local.ports import ANY_ADDRESS, claim, free_port, require_distinct
from local.processes import Part, PartError
from local.provision import ProvisionError, provision
from local.restarts import why_again, why_another_task
from local.settings import LocalSettings
from local.status import FRESH_S, get_json
from local.web import LOOPBACK
from receiver.settings import Settings as ReceiverSettings

VIEW_HANDLER = "importer.handlers.view.handler"
_START_S = 60.0
_RECEIVER_STOP_S = 15.0
_STOP_S = 10.0
_STOP_SIGNAL = signal.SIGTERM
"""The receiver drains when the run is gone, however it went."""


class Interrupted(Exception):  # noqa: N818 (not an error)
    """The person asked to stop."""


class Product:
    """The local product; `run` returns the exit code."""

    AWS_MODULE = "local.aws"
    """What serves the emulated services; another one may stand before them."""

    def __init__(
        self,
        settings: LocalSettings,
        environ: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        """Claim ports and directory.

        Args:
            settings: Ports and places.
            environ: Variables of the person at the keyboard.
            say: Prints a line for that person.

        Raises:
            PortTakenError: A port is taken.
            DataDirError: The directory cannot be used.
        """
        self._settings = settings
        self._environ = environ
        self._say = say
        self._scp_port = claim("SCP_PORT", settings.scp_port, ANY_ADDRESS)
        self._console_port = claim("CONSOLE_PORT", settings.console_port)
        self._aws_port = claim("AWS_PORT", settings.aws_port)
        require_distinct(
            {
                "SCP_PORT": self._scp_port,
                "CONSOLE_PORT": self._console_port,
                "AWS_PORT": self._aws_port,
            }
        )
        self._health_port = free_port()
        self._data = DataDir(Path(settings.data_dir))
        self._base = environment.base_environment(environ, self._aws_port)
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._aws = self._part("aws", self.AWS_MODULE, self._aws_environment())
        self._console = self._part("console", "local.console", {})
        self._receiver: Part | None = None
        self._receiver_since = 0.0
        self._functions: dict[str, tuple[Part, str]] = {}

    def run(self) -> int:
        """Run until a signal; return 0 after an orderly end, 1 when a part failed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: self._signals.put(received))
        code = 1
        try:
            self._start()
            self._watch()
        except Interrupted:
            self._say("stopping: no new associations, then imports in progress may finish")
            code = 0
        except (PartError, ProvisionError, SettingsError, template.TemplateError) as error:
            self._say(f"error: {error}")
        finally:
            self._stop()
            self._data.close()
        self._say(f"stopped. Logs and imported images are in {self._data.path}")
        return code

    def _start(self) -> None:
        began = time.monotonic()
        if self._data.was_used:
            self._say(f"starting empty: what an earlier run left in {self._data.path} is gone")
        self._say("starting: emulated AWS, receiver, functions, console (takes some seconds)")
        self._aws.start(announces=True)
        self._console.start()
        path = Path(self._settings.template) if self._settings.template else template.TEMPLATE
        stack = template.render(template.load(path), self._environ)
        for resource in stack.resources:
            if resource.type.startswith(template.CUSTOM):
                self._say(f"not run here: {resource.logical_id} examines a real account")
        names = [r.logical_id for r in stack.of_type("AWS::Lambda::Function")]
        parts = {name: self._part(name, "local.function", {}) for name in names}
        self._aws.announcement()
        self._check_signals()
        ids = provision(stack, self._client)
        made = functions(stack, ids)
        self._start_receiver(container_environment(stack, ids))
        view = next((f for f in made.values() if f.handler == VIEW_HANDLER), None)
        if view is None:
            raise ProvisionError("The template has no function for the console page")
        for name, function in made.items():
            if function.sources or function.schedules:
                self._start_function(parts[name], self._adapted(function))
        self._console.tell(
            json.dumps(
                {
                    "port": self._console_port,
                    "view": self._adapted(view).document(),
                    "landing_bucket": view.environment["LANDING_BUCKET"],
                    "receiver_status_url": f"http://{LOOPBACK}:{self._health_port}/status",
                }
            )
        )
        self._console.wait_for(lambda: self._figures() is not None, _START_S)
        self._receiver_part.wait_for(self._is_receiver_up, _START_S)
        self._check_signals()
        self._announce(time.monotonic() - began)

    def _announce(self, seconds: float) -> None:
        title = self._environ.get("AE_TITLE") or ReceiverSettings.defaults()["ae_title"]
        self._say(f"emulated AWS   AWS_ENDPOINT_URL={self._base['AWS_ENDPOINT_URL']}")
        self._say(f"console        http://{LOOPBACK}:{self._console_port}/  (/api/status: figures)")
        self._say(f"imported files {self._data.imported}")
        self._say(f"logs           {self._data.logs}")
        self._say(
            f"try            storescu -aec {title} localhost {self._scp_port} FILE...   or   "
            f"make send FILES=DIR PORT={self._scp_port}"
        )
        self._say(
            f"ready after {seconds:.1f} s: DICOM port {self._scp_port} (AE title {title}), "
            f"console port {self._console_port}, AWS port {self._aws_port}; Ctrl-C drains and stops"
        )

    def _start_receiver(self, stack_variables: Mapping[str, str]) -> None:
        known = {spec.env: spec for spec in ReceiverSettings.specs().values()}
        own = environment.receiver_environment(
            stack_variables,
            self._environ,
            known,
            scp_port=self._scp_port,
            health_port=self._health_port,
        )
        ReceiverSettings.from_env(own)  # what is wrong is said here, not in the log of a part
        self._receiver = Part("receiver", ["-m", "receiver"], self._base | own, self._data.logs)
        self._start_task()

    def _start_task(self) -> None:
        self._receiver_part.start(on_parent_death=_STOP_SIGNAL)
        self._receiver_since = time.monotonic()

    def _start_function(self, part: Part, function: Function) -> None:
        plan = json.dumps(function.document())
        part.start()
        part.tell(plan)
        self._functions[function.logical_id] = (part, plan)

    def _adapted(self, function: Function) -> Function:
        every_s = self._settings.schedule_s
        schedules = function.schedules
        if every_s:
            schedules = tuple(replace(item, every_s=every_s) for item in schedules)
        variables = environment.function_environment(function, self._environ)
        return replace(function, environment=variables, schedules=schedules)

    def _watch(self) -> None:
        while True:
            self._check_signals(wait_s=0.3)
            for name, (part, plan) in self._functions.items():
                if why := why_again(part.exit_code()):
                    self._say(f"{name} {why} and was started again")
                    part.wait(0)
                    part.start()
                    part.tell(plan)
            lived_s = time.monotonic() - self._receiver_since
            if why := why_another_task(self._receiver_part.exit_code(), lived_s):
                self._say(f"receiver {why} and was started again, as ECS starts another task")
                self._receiver_part.wait(0)
                self._start_task()
            for part in self._running():
                code = part.exit_code()
                # A function or receiver that was killed just now is the next turn's to start again.
                if code is not None and not self._is_followed(part, code):
                    raise PartError(f"{part.name} ended with exit code {code}: see {part.log}")

    def _is_followed(self, part: Part, code: int) -> bool:
        if part is self._receiver:
            return bool(why_another_task(code, time.monotonic() - self._receiver_since))
        return part not in (self._aws, self._console) and bool(why_again(code))

    def _running(self) -> list[Part]:
        fixed = [self._aws, self._console, self._receiver_part]
        return fixed + [part for part, _ in self._functions.values()]

    def _stop(self) -> None:
        """End all parts: first what takes in, last what the others need."""
        if self._receiver is not None:
            self._receiver.terminate()
            self._receiver.wait(_RECEIVER_STOP_S)
            self._await_imports()
        parts = [part for part, _ in self._functions.values()]
        for group in (parts, [self._console], [self._aws]):
            for part in group:
                part.end_input()
            for part in group:
                part.wait(_STOP_S)

    def _await_imports(self) -> None:
        deadline = time.monotonic() + self._settings.drain_s
        time.sleep(
            FRESH_S
        )  # figures from before the last batch was sealed would say that all is done
        while time.monotonic() < deadline and self._signals.empty():
            figures = self._figures()
            if figures is None or figures["inFlight"] == 0:
                return
            time.sleep(0.3)
        figures = self._figures()
        if figures is not None and figures["inFlight"]:
            self._say(f"not waiting longer for {figures['inFlight']} images in flight")

    def _figures(self) -> dict[str, Any] | None:
        try:
            return get_json(f"http://{LOOPBACK}:{self._console_port}/api/status", timeout_s=10)
        except (OSError, ValueError):
            return None

    def _is_receiver_up(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            status = get_json(f"http://{LOOPBACK}:{self._health_port}/status")
            workers = status.get("workers", [])
            return status.get("status") == "ok" and all(worker["ready"] for worker in workers)
        return False

    def _check_signals(self, wait_s: float = 0.0) -> None:
        with contextlib.suppress(queue.Empty):
            self._signals.get(block=wait_s > 0, timeout=wait_s or None)
            raise Interrupted

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._base["AWS_ENDPOINT_URL"],
            region_name=template.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 (the emulator checks none)
        )

    def _aws_environment(self) -> dict[str, str]:
        faults = self._environ.get("HEALTHIMAGING_FAULTS", "")
        return {
            "AWS_PORT": str(self._aws_port),
            "DATA_DIR": str(self._data.path),
            "HEALTHIMAGING_FAULTS": faults,
        }

    def _part(self, name: str, module: str, variables: Mapping[str, str]) -> Part:
        return Part(name, ["-m", module], self._base | dict(variables), self._data.logs)

    @property
    def _receiver_part(self) -> Part:
        if self._receiver is None:
            raise PartError("the receiver was not started")
        return self._receiver
