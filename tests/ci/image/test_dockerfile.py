from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ci.image.base import DOCKERFILE, published_base
from ci.image.container import STOP_S
from ci.tools import RELEASE_TOOLS, ROOT, installed
from receiver.settings import Settings

TEXT = DOCKERFILE.read_text()
PLATFORMS = ("x86_64-manylinux2014", "aarch64-manylinux2014")


def test_hadolint_finds_nothing() -> None:
    """Without an exception in file or command."""
    command = [str(installed(RELEASE_TOOLS) / "bin/hadolint"), str(DOCKERFILE)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout) == (0, "")
    assert "hadolint ignore" not in TEXT


def test_the_base_is_pinned_by_digest() -> None:
    """A tag may be another image tomorrow."""
    assert re.fullmatch(
        r"public\.ecr\.aws/docker/library/python:3\.13-\S+@sha256:\w{64}", published_base()
    )


def test_the_last_stage_starts_from_nothing() -> None:
    """No layer below holds a shell, pip or a package manager."""
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE)[-1] == "scratch"


def test_the_user_is_a_number_that_no_host_account_has() -> None:
    """Kubernetes and ECS can prove a number not to be root, a name they cannot."""
    (user,) = re.findall(r"^USER (\d+):\d+$", TEXT, re.MULTILINE)

    assert int(user) >= 10_000


def test_ports_are_the_settings_defaults() -> None:
    """The receiver owns them."""
    defaults = Settings.defaults()
    ports = {int(port) for port in re.findall(r"^EXPOSE (.+)$", TEXT, re.MULTILINE)[0].split()}

    assert ports == {defaults["scp_port"], defaults["health_port"]}
    assert f"or '{defaults['health_port']}'" in TEXT


def test_the_container_check_waits_as_long_as_the_receiver_may_take() -> None:
    """The time from SIGTERM to SIGKILL is the settings' own."""
    assert Settings.defaults()["stop_timeout_s"] == STOP_S


def test_no_syntax_line_asks_a_public_registry() -> None:
    """BuildKit would fetch its front end from there."""
    assert "# syntax=" not in TEXT


def test_the_ignore_file_lets_in_only_what_is_copied() -> None:
    """A laptop's .storescp/ holds patients' images."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {"!contract", "!container"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_locked_package_is_there_for_both_processors(platform: str, tmp_path: Path) -> None:
    """Nothing is compiled in the build, so the image builds for amd64 and arm64 alike."""
    command = [
        str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--quiet", "--no-deps",
        "--require-hashes", "--only-binary", ":all:", "--python-version", "3.13",
        "--python-platform", platform, "--target", str(tmp_path), "-r", "container/requirements.txt",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert result.returncode == 0, result.stderr
