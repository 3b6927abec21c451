from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import make_instance, write_part10
from tests.clients import storescu
from tests.deadline import wait_until
from tests.pipeline.conftest import Product, product_environment, start_product, stop_product
from tests.processes import children_of, tree_of


def run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local"],
        env=environ,
        capture_output=True,
        timeout=60,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variable", ["SCP_PORT", "CONSOLE_PORT", "AWS_PORT"])
def test_a_taken_port_is_one_sentence(tmp_path: Path, variable: str) -> None:
    """A port in use ends it at once, names the variable, and shows no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(product_environment(tmp_path, **{variable: port}))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"Port {port} is taken" in done.stderr
    assert variable in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    """A value that is no number is refused with the variable's name."""
    done = run(product_environment(tmp_path, SCP_PORT="many"))

    assert done.returncode == 2
    assert "SCP_PORT='many'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_the_form_refuses_is_named(tmp_path: Path) -> None:
    """A setting bound to a parameter is checked by the template."""
    done = run(product_environment(tmp_path, AE_TITLE="an AE title that is too long"))

    assert done.returncode == 1
    assert "SCPAETitle" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_setting_that_the_receiver_refuses_is_named(tmp_path: Path) -> None:
    """The sentence is on the screen, not only in the receiver's log."""
    done = run(product_environment(tmp_path, BATCH_AGE=3))

    assert done.returncode == 1
    assert "BATCH_AGE='3' must be at least 5 s" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_stopping_drains_what_was_acknowledged(tmp_path: Path) -> None:
    """Ctrl-C right after a store: the batch is sealed and imported, then all parts end with 0."""
    product = start_product(tmp_path, BATCH_IDLE=30, BATCH_AGE=60)
    children = children_of(product.process.pid)
    instance = make_instance()
    write_part10(instance, tmp_path / "a.dcm")
    outcome = storescu(product.scp_port, tmp_path / "a.dcm")

    assert outcome.code == 0, outcome.output
    assert stop_product(product, signal.SIGINT) == 0, product.output.read_text()
    assert len(list(product.imported.rglob(f"{instance.sop_instance_uid}.dcm"))) == 1
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_killed_parts_are_started_again(tmp_path: Path) -> None:
    """As Lambda and ECS do: functions and receiver come back, what is stored afterwards is imported."""
    product = start_product(tmp_path, SCHEDULE_INTERVAL=2, REANNOUNCE_AFTER=2, POLL_AFTER=2)
    killed = [
        pid
        for child in children_of(product.process.pid)
        if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[2]
        in (b"local.function", b"receiver")
        for pid in tree_of(child)
    ]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    write_part10(make_instance(), tmp_path / "a.dcm")
    wait_until(
        lambda: storescu(product.scp_port, tmp_path / "a.dcm").code == 0, "stored", within_s=30
    )

    assert product.at_rest(1)["imported"] == 1
    assert stop_product(product) == 0, product.output.read_text()
    said = product.output.read_text()
    assert "receiver was killed (signal 9) and was started again" in said
    assert said.count("was killed (signal 9) and was started again") == 4


@pytest.mark.slow
def test_a_dead_part_ends_the_run(tmp_path: Path) -> None:
    """When the emulator is killed the run reports it and ends non-zero, leaving nobody behind."""
    product = start_product(tmp_path)
    children = children_of(product.process.pid)
    (emulator,) = [
        pid for pid in children if b"local.aws" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    subprocess.run(["kill", "-9", str(emulator)], check=True)

    assert product.process.wait(60) == 1
    assert "aws ended with exit code -9" in product.output.read_text()
    wait_until(
        lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()], "no part is left"
    )


def test_what_needs_a_real_account_is_said_not_to_run(product: Product) -> None:
    """Preflight examines an account, of which there is none here."""
    said = product.output.read_text()

    assert "not run here: Preflight examines a real account" in said
