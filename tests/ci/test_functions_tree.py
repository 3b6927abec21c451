from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ci.functions_tree import (
    FUNCTIONS,
    FunctionsTreeError,
    handlers,
    refuse_native,
    used_services,
)
from ci.python313 import find_python
from local.template import TEMPLATE

HANDLERS = handlers(TEMPLATE)


def test_the_template_names_functions_whose_code_is_the_archive() -> None:
    """There is something for the next tests to prove."""
    assert {"StartImport", "RecordOutcome", "Sweep", "View"} <= set(HANDLERS)


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS.keys())
def test_every_handler_is_found_in_the_archive_alone(handler: str, code: Path) -> None:
    """Its module imports without this machine's packages, without a Region and without an account."""
    module, _, name = handler.rpartition(".")
    program = f"import sys; sys.path.insert(0, {str(code)!r}); import {module}; {module}.{name}"
    command = [str(find_python() or sys.executable), "-I", "-S", "-B", "-c", program]

    result = subprocess.run(command, env={}, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


def test_botocore_has_the_models_of_the_services_in_use_and_no_other(code: Path) -> None:
    """The other four hundred services are nine tenths of its size."""
    kept = {path.name for path in (code / "botocore/data").iterdir() if path.is_dir()}

    assert kept == used_services(FUNCTIONS) >= {"s3", "sqs", "dynamodb", "medical-imaging"}


def test_every_client_that_is_made_has_its_model(code: Path) -> None:
    """boto3 makes each client from the archive alone."""
    program = (
        f"import sys; sys.path.insert(0, {str(code)!r}); import boto3\n"
        f"for name in {sorted(used_services(FUNCTIONS))!r}: boto3.client(name, region_name='eu-west-1')"
    )
    command = [str(find_python() or sys.executable), "-I", "-S", "-B", "-c", program]

    result = subprocess.run(command, env={}, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


def test_a_client_of_a_service_that_is_not_written_out_is_refused(tmp_path: Path) -> None:
    """Which model to keep could not be known."""
    (tmp_path / "module.py").write_text("from clients import client\nclient(name)\n")

    with pytest.raises(FunctionsTreeError, match=r"module\.py:2"):
        used_services(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a/fast.cpython-313-aarch64-linux-gnu.so", b""),
        ("lib/libcrypto.so.3", b""),
        ("bin/program", b"\x7fELF\x02\x01"),
    ],
    ids=["extension", "library", "program"],
)
def test_machine_code_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    """One archive serves arm64 and x86-64."""
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(content)

    with pytest.raises(FunctionsTreeError, match=name.rpartition("/")[2]):
        refuse_native(tmp_path)
