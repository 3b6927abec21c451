"""A container engine of our own on a machine without one: buildah and podman over a throwaway store.

Everything the engine keeps lies in one temporary folder. Leaving the context removes containers, mounts
and the folder, also after a failure; what a killed run could not remove, the next one does. No engine that
is already on the machine sees any of it.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = {"buildah": "buildah", "podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}
"""Debian package by program."""
EXIT_TERMINATED = 128 + signal.SIGTERM
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
PREFIX = "storescp-image-"
_PATIENCE = ("-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300")
"""A mirror that answers badly once, and another installation at the same time."""
LOCK = "owner.lock"
"""Held as long as the run lives; the kernel lets go of it however the run ends."""


class EngineError(Exception):
    """The machine cannot build or run an image; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """buildah and podman with a store of their own.

    Attributes:
        environ: Environment that points them at it.
        folder: The store's folder; also for the caller's temporary files.
    """

    environ: Mapping[str, str]
    folder: Path

    def run(
        self, *command: str | Path, check: bool = True, timeout_s: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the engine's environment and return its output.

        Raises:
            EngineError: It failed and `check` is set, or it took too long.
        """
        parts = [str(part) for part in command]
        try:
            result = subprocess.run(
                parts,
                env=dict(self.environ),
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"{parts[0]} {parts[1]} was not done in {timeout_s:.0f} s") from None
        if check and result.returncode != 0:
            said = (result.stdout + result.stderr)[-4000:]
            raise EngineError(f"{parts[0]} {parts[1]} failed ({result.returncode}):\n{said}")
        return result


@contextmanager
def open_engine() -> Iterator[Engine]:
    """Give an engine and remove all of it afterwards.

    Raises:
        EngineError: This user may not, or a program is missing and cannot be installed.
    """
    if os.geteuid() != 0:
        raise EngineError(
            "image: root is needed here, for mounts and namespaces. Try: sudo make image-test"
        )
    install(PROGRAMS)
    # A cancelled CI job sends SIGTERM: leave through the clean-up too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    remove_left_overs(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    engine = Engine(_environment(folder), folder)
    with _owned(folder):
        try:
            yield engine
        finally:
            _remove(engine)


def remove_left_overs(temporary: Path) -> None:
    """Remove the containers, mounts and folders of runs that were killed; a run that lives keeps its own."""
    for lock in temporary.glob(f"{PREFIX}*/{LOCK}"):
        folder = lock.parent
        try:
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                print(f"image: removing what a killed run left in {folder}")
                _remove(Engine(_environment(folder), folder))
        except (BlockingIOError, FileNotFoundError):
            continue  # it lives, or another run removes it


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    unlocked = folder / "lock.part"
    with unlocked.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Seen by others only now: they would take a lock that nobody holds for a dead run's.
        unlocked.rename(folder / LOCK)
        yield


def _remove(engine: Engine) -> None:
    engine.run("podman", "rm", "--force", "--all", "--time", "0", check=False)
    # podman leaves its store bind-mounted onto itself.
    for mount in _mounts_below(engine.folder):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    shutil.rmtree(engine.folder)


def install(packages: Mapping[str, str]) -> None:
    """Install the Debian packages of the programs that are missing.

    Raises:
        EngineError: apt-get is missing or failed.
    """
    missing = sorted(
        {package for program, package in packages.items() if not shutil.which(program)}
    )
    if not missing:
        return
    print(f"image: installing {' '.join(missing)}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (
        ["apt-get", "update", "-qq", *_PATIENCE],
        ["apt-get", "install", "-y", "-qq", *_PATIENCE, "--no-install-recommends", *missing],
    )
    for step in steps:
        try:
            subprocess.run(step, env=environ, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise EngineError(
                f"image: install {' '.join(missing)}; there is no apt-get here"
            ) from None
        except subprocess.CalledProcessError as error:
            raise EngineError(f"image: {' '.join(step)} failed:\n{error.stderr[-2000:]}") from None


def _environment(folder: Path) -> dict[str, str]:
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes = Path("/proc/sys/kernel/pid_max").read_text().strip()
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    )
    # Limits above our own cannot be set; crun refuses hybrid cgroups, so runc; without systemd there is
    # neither its cgroup manager nor its journal. Locks and state in the folder too: in shared memory and
    # /run they would outlive it.
    (folder / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = ["nofile={descriptors}:{descriptors}", '
        f'"nproc={processes}:{processes}"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "file"\n'
        f'lock_type = "file"\ntmp_dir = "{folder}/libpod"\n'
    )
    return {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "TMPDIR": str(folder),
    }


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    mounts = [line.split(" ")[1] for line in lines]
    return sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True)
