from __future__ import annotations

import fcntl
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ci.image import engine
from ci.image.check import CheckFailedError, require
from ci.image.contents import locked_packages
from ci.image.engine import Engine, EngineError, install, open_engine, remove_left_overs
from ci.image.landed import dataset_bytes
from ci.image.sample import SIDE, write_sample


@pytest.fixture
def run_here(tmp_path: Path) -> Callable[..., Any]:
    return Engine(os.environ, tmp_path).run


def test_a_check_that_does_not_hold_ends_the_run() -> None:
    """With what was claimed and what was found."""
    with pytest.raises(CheckFailedError, match="stores bytes 7"):
        require("stores bytes", holds=False, found=7)


def test_a_command_that_fails_is_reported_with_what_it_said(run_here: Callable[..., Any]) -> None:
    """Its output is the reason."""
    with pytest.raises(EngineError, match=r"failed \(3\):\nno base"):
        run_here("sh", "-c", "echo no base; exit 3")


def test_a_command_that_hangs_is_ended(run_here: Callable[..., Any]) -> None:
    """A build machine must not wait for ever."""
    with pytest.raises(EngineError, match="was not done"):
        run_here("sleep", "60", timeout_s=0.1)


def test_another_user_than_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, before anything is installed."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(EngineError, match="root is needed"), open_engine():
        pass


def test_a_machine_without_apt_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs by their Debian packages."""
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(EngineError, match="install podman; there is no apt-get here"):
        install({"podman": "podman"})


@pytest.fixture
def podman_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A podman that writes down its store and what it was told."""
    ran = tmp_path / "ran"
    podman = tmp_path / "podman"
    podman.write_text(f'#!/bin/sh\necho "$(dirname "$CONTAINERS_CONF") $@" >> {ran}\n')
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return ran


def test_the_engine_leaves_nothing_behind_when_a_check_fails(
    podman_ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers are removed and the folder is gone."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine, "install", lambda _: None)
    monkeypatch.setattr(
        engine, "remove_left_overs", lambda _: None
    )  # another run's, on this machine
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test run's own stays

    folders: list[Path] = []

    def run() -> None:
        with open_engine() as opened:
            folders.append(opened.folder)
            require("works", holds=False)

    with pytest.raises(CheckFailedError):
        run()

    assert [folder.exists() for folder in folders] == [False]
    assert podman_ran.read_text() == f"{folders[0]} rm --force --all --time 0\n"


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(
    podman_ran: Path, tmp_path: Path
) -> None:
    """The lock tells them apart: the kernel lets go of a dead process's."""
    dead, living, young = (tmp_path / f"{engine.PREFIX}{name}" for name in ("a", "b", "c"))
    for folder in (dead, living, young):
        folder.mkdir()
        (folder / "graph").mkdir()
    (dead / engine.LOCK).touch()
    with (living / engine.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_left_overs(tmp_path)

    assert (dead.exists(), living.exists(), young.exists()) == (False, True, True)
    assert podman_ran.read_text() == f"{dead} rm --force --all --time 0\n"


def test_the_locked_packages_are_those_of_the_lock_file() -> None:
    """Names as the packages' own metadata has them."""
    packages = locked_packages()

    assert [p for p in packages if re.fullmatch(r"awscrt==\d+\.\d+\.\d+", p)]
    assert len(packages) == len({package.partition("==")[0] for package in packages})


def test_the_dataset_is_what_follows_the_file_meta(tmp_path: Path) -> None:
    """Its last bytes are the pixels, its first the SOP class (0008,0016)."""
    dataset = dataset_bytes(write_sample(tmp_path / "sample.dcm").read_bytes())

    assert dataset[:4] == b"\x08\x00\x16\x00"
    assert dataset.endswith(bytes(range(SIDE)) * SIDE)
