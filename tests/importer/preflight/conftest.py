"""The emulated APIs over HTTP, with a quota service whose values a test sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from importer.handlers import preflight
from importer.preflight.adapters import clients
from importer.preflight.checks.service_roles import ROLES
from local.aws import build_gateway
from local.healthimaging.faults import Faults
from local.web import Server


@dataclass
class Quotas:
    """Service Quotas: what is applied and what is the default, by quota code."""

    applied: dict[str, float] = field(default_factory=dict)
    defaults: dict[str, float] = field(default_factory=dict)

    def answer(self, target: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body of a call."""
        known = self.defaults if target.endswith("GetAWSDefaultServiceQuota") else self.applied
        code = request["QuotaCode"]
        if code not in known:
            return 400, {"__type": "NoSuchResourceException", "Message": "unknown"}
        return 200, {"Quota": {"QuotaCode": code, "Value": known[code]}}


def usual_quotas() -> Quotas:
    """Return what a new account has: two of the quotas applied, the others by default."""
    return Quotas(
        applied={"L-3032A538": 30.0, "L-2AFB9258": 5.0},
        defaults={"L-69A177A2": 50.0, "L-0263D0A3": 5.0, "L-8829B870": 100.0},
    )


@contextmanager
def serving(quotas: Quotas) -> Iterator[str]:
    """Serve the quotas until the context is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = quotas.answer(self.headers["X-Amz-Target"], json.loads(body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Account:
    """The emulated account."""

    url: str
    quotas: Quotas

    def client(self, service: str) -> Any:
        """Return a client of the emulator, for what a test prepares."""
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1")

    def services_with_a_role(self) -> set[str]:
        """Return the services that have a service-linked role."""
        return {role["Path"].split("/")[2] for role in self._service_roles()}

    def remove_service_roles(self) -> None:
        """Make the account one that never used ECS."""
        for role in self._service_roles():
            self.client("iam").delete_role(RoleName=role["RoleName"])

    def make_service_roles(self) -> None:
        """Make the roles by IAM's own names; the emulator's way of making them knows other ones."""
        self.remove_service_roles()
        for service, role in ROLES.items():
            self.client("iam").create_role(
                Path=f"/aws-service-role/{service}/", RoleName=role, AssumeRolePolicyDocument="{}"
            )

    def _service_roles(self) -> list[dict[str, Any]]:
        found = self.client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]
        return [role for role in found if role["Path"].split("/")[2] in ROLES]


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("imported")
    with Server(0, build_gateway(folder, Faults())) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture
def account(emulated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Lend the account; every client of Preflight is new and talks to it."""
    quotas = usual_quotas()
    with ExitStack() as stack:
        monkeypatch.setenv("AWS_ENDPOINT_URL", emulated)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", stack.enter_context(serving(quotas)))
        clients._client.cache_clear()
        lent = Account(emulated, quotas)
        lent.make_service_roles()
        yield lent
        clients._client.cache_clear()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the checks the time that a loaded machine takes; that they end in time has tests of its own."""
    monkeypatch.setattr(preflight, "CHECKS_S", 120.0)
