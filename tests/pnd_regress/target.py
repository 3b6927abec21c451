"""What a probe is pointed at: a process that stores, bare pynetdicom's or ours."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.deadline import wait_until
from tests.pnd_regress.bare_scp import BareOptions
from tests.processes import cpu_seconds, descriptor_count, own_bytes, thread_count
from tests.receiver import wire
from tests.receiver_process import ROOT, ReceiverProcess, running_receiver
from tests.wire.peer import Answer, Peer

HOOKS = Path(__file__).parent / "hooks"
SILENCE = Answer("silence")
ADDRESS = "127.0.0.1"


class WeaknessError(Exception):
    """The weakness that the probe looks for is there."""


def hold(condition: object, what: str) -> None:
    """Say that the target is weak unless `condition` is true.

    Raises:
        WeaknessError: It is not.
    """
    if not condition:
        raise WeaknessError(what)


@dataclass(slots=True, kw_only=True)
class Target:
    """A running process and how to look at it.

    Attributes:
        port: For DICOM.
        pid: The process that was started, which accepts.
        pids: It and all below it.
        output: All that was printed.
        terminate: Sends SIGTERM.
        wait: Waits for the exit code.
        artim_s: How long it lets a peer be silent before an association.
        idle_s: How long it lets a peer be silent in the middle of a message.
        scratch: Folders in which it may leave files.
        storage: Folder in which it stores instances.
        tls: What a good connection speaks TLS by; plain without.
        hooks: The environment variables that were set for it, see hooks/sitecustomize.py.
    """

    port: int
    pid: int
    pids: Callable[[], list[int]]
    output: Callable[[], str]
    terminate: Callable[[], None]
    wait: Callable[[], int]
    artim_s: float
    idle_s: float
    scratch: tuple[Path, ...]
    storage: Path
    tls: ssl.SSLContext | None = None
    hooks: dict[str, str] = field(default_factory=dict)

    def peer(self, timeout_s: float = 5.0) -> Peer:
        """Connect; reads give up after `timeout_s`."""
        return Peer(self.port, ADDRESS, timeout_s)

    def threads(self) -> int:
        """Return its threads."""
        return thread_count(self.pids())

    def descriptors(self) -> int:
        """Return its descriptors, but for folders that it keeps open to write in."""
        return descriptor_count(self.pids(), outside=self.scratch[0])

    def memory(self) -> int:
        """Return the memory in bytes that it has written: its part of a library shrinks and grows with others."""
        return own_bytes(self.pids())

    def cpu(self) -> dict[int, float]:
        """Return each process's CPU time in seconds."""
        return {pid: cpu_seconds([pid]) for pid in self.pids()}

    def fsyncs(self) -> int:
        """Return how many files it has made durable."""
        log = Path(self.hooks["PROBE_FSYNC_LOG"])
        return log.stat().st_size if log.exists() else 0

    def break_storage(self) -> None:
        """Put a file where its folder was or would be."""
        if self.storage.exists():
            self.storage.rename(self.storage.with_suffix(".away"))
        self.storage.touch()

    def mend_storage(self) -> None:
        """Undo `break_storage`."""
        self.storage.unlink()
        away = self.storage.with_suffix(".away")
        if away.exists():
            away.rename(self.storage)

    def files(self) -> list[Path]:
        """Return what lies in its folders."""
        return [path for folder in self.scratch for path in folder.rglob("*") if path.is_file()]


def answer_of(peer: Peer) -> Answer:
    """Return the next answer, or SILENCE when none comes in the peer's time."""
    try:
        return peer.answer()
    except TimeoutError:
        return SILENCE
    except ConnectionError:
        return Answer("closed")


def associated(target: Target, proposal: bytes = b"", timeout_s: float = 5.0) -> Peer:
    """Return a peer with an association.

    Raises:
        WeaknessError: A good request was not accepted.
    """
    peer = target.peer(timeout_s)
    try:
        peer.send(proposal or wire.associate())
        answer = answer_of(peer)
        hold(answer.what == "A-ASSOCIATE-AC", f"an honest request was answered with {answer}")
    except BaseException:
        peer.socket.close()
        raise
    return peer


@contextmanager
def bare_target(
    options: BareOptions,
    directory: Path,
    hooks: dict[str, str],
    tls: ssl.SSLContext | None = None,
) -> Iterator[Target]:
    """Run bare pynetdicom; killed at the end, since a stuck thread keeps it from exiting."""
    lines: list[str] = []
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pnd_regress.bare_scp", json.dumps(asdict(options))],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}",
            "TMPDIR": str(directory),
            **hooks,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )

    def read() -> None:
        assert process.stdout is not None
        lines.extend(iter(process.stdout.readline, ""))

    reader = threading.Thread(target=read, name="bare-output")
    reader.start()
    try:
        wait_until(lambda: lines or process.poll() is not None, "bare SCP", within_s=30)
        assert process.poll() is None, lines
        yield Target(
            port=json.loads(lines[0])["port"],
            pid=process.pid,
            pids=lambda: [process.pid],
            output=lambda: "".join(lines),
            terminate=process.terminate,
            wait=lambda: process.wait(30),
            artim_s=options.acse_timeout,
            idle_s=options.network_timeout,
            scratch=(directory,),
            storage=directory / "storage",
            tls=tls,
            hooks=hooks,
        )
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def our_target(
    settings: dict[str, object],
    directory: Path,
    hooks: dict[str, str],
    tls: ssl.SSLContext | None = None,
) -> Iterator[Target]:
    """Run the receiver."""
    scratch = directory / "tmp"
    landing = directory / "landing"
    scratch.mkdir()
    landing.mkdir()
    environment = {"TMPDIR": scratch, **settings, **hooks}
    if hooks:
        environment["PYTHONPATH"] = HOOKS
    with running_receiver(landing, **environment) as receiver:
        yield _target_of(receiver, directory, hooks, tls)


def _target_of(
    receiver: ReceiverProcess,
    directory: Path,
    hooks: dict[str, str],
    tls: ssl.SSLContext | None,
) -> Target:
    return Target(
        port=receiver.port,
        pid=receiver.pid,
        pids=lambda: receiver.pids,
        output=lambda: "\n".join([*map(json.dumps, receiver.all_events()), *receiver.noise]),
        terminate=receiver.terminate,
        wait=receiver.wait,
        artim_s=30,
        idle_s=30,
        scratch=(directory / "landing", directory / "tmp"),
        storage=directory / "landing" / "incoming",
        tls=tls,
        hooks=hooks,
    )
