"""What holds for every test: fake credentials, a clean environment, no network beyond this machine."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from receiver.native import IS_NATIVE
from receiver.settings import Settings
from tests.claims import shown
from tests.corpus import Sample, read_corpus
from tests.landed import Landed
from tests.orthanc import find_orthanc
from tests.receiver_process import ReceiverProcess, running_receiver

# Assertions outside of test modules show their values too; before anything imports these modules.
pytest.register_assert_rewrite(
    *(f"tests.wire.{name}" for name in ("stage", "rows_association", "rows_dataset")),
    *(f"tests.wire.{name}" for name in ("rows_message", "rows_peer", "rows_tls")),
)

CLIENTS = ("storescu", "storescp", "dcmsend", "echoscu", "dump2dcm", "gdcmscu", "curl", "openssl")
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
ROOM_BYTES = 6 << 30
LOCAL_HOSTS = ("localhost", "", None)

_strangers: list[str] = []


def pytest_configure() -> None:
    """Refuse to run a suite that would leave out its most important tests."""
    missing = [name for name in CLIENTS if shutil.which(name) is None]
    if find_orthanc() is None:
        missing.append("Orthanc")
    if not IS_NATIVE:
        raise pytest.UsageError(
            "The tests prove the receiver's part in C too, and it was not built: install a C compiler "
            "(Debian: apt-get install gcc libc6-dev python3-dev) and run make setup."
        )
    if missing:
        raise pytest.UsageError(
            f"The tests drive real DICOM clients and cannot find {', '.join(missing)}: "
            "install DCMTK, GDCM, Orthanc, curl and OpenSSL "
            "(Debian: apt-get install dcmtk libgdcm-tools orthanc curl openssl)."
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much of the lists of faults, bad inputs and weaknesses this run has shown."""
    stats = terminalreporter.stats
    failed = [report for kind in ("failed", "error") for report in stats.get(kind, [])]
    for line in shown(stats.get("passed", []), failed):
        terminalreporter.write_line(line)


def _refuse_strangers(event: str, arguments: tuple[object, ...]) -> None:
    """Stop any connection or look-up that leaves this machine, in whatever thread."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # else a Unix socket
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host not in LOCAL_HOSTS and not _is_loopback(str(host)):
        _strangers.append(f"{event} {host}")
        raise ConnectionRefusedError(f"tests must not leave this machine: {host}")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_refuse_strangers)


@pytest.fixture(autouse=True)
def no_strangers() -> Iterator[None]:
    """Fail the test that tried to reach another machine, even if the code swallowed the refusal."""
    _strangers.clear()
    yield
    assert not _strangers


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test fake credentials and none of the developer's settings."""
    ours = {spec.env for spec in Settings.specs().values()}
    ours |= {"CONSOLE_PORT", "AWS_PORT", "DATA_DIR"}
    for name in list(os.environ):
        if (
            name in ours
            or name.startswith(("AWS_", "POWERTOOLS_"))
            or name.lower().endswith("_proxy")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def corpus() -> list[Sample]:
    """Every file that pydicom ships, with what a sender would make of it."""
    return read_corpus()


@pytest.fixture
def landing(tmp_path: Path) -> Iterator[Landed]:
    """Lend an empty landing directory, in memory where there is room: an fsync there costs nothing."""
    has_room = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > ROOM_BYTES
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if has_room else tmp_path) as name:
        yield Landed(Path(name))


@pytest.fixture
def start_receiver(landing: Landed) -> Iterator[Callable[..., ReceiverProcess]]:
    """Lend a function that starts a receiver with the given settings; stopped with all checks."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running_receiver(landing.root, **settings))
