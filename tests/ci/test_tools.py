from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ci import tools
from ci.python313 import find_python
from ci.tools import ToolsError, installed

WRONG_HASH = "six==1.17.0 --hash=sha256:" + "0" * 64


def test_a_package_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next call does not find half an installation."""
    monkeypatch.setattr(tools, "TOOLS", tmp_path / "tools")
    lock = tmp_path / "lock.txt"
    lock.write_text(WRONG_HASH)
    for _ in range(2):
        with pytest.raises(ToolsError, match="six"):
            installed(lock)


def test_a_python_that_does_not_start_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shim of pyenv, which is on the PATH and refuses."""
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("PYTHON313", raising=False)

    found = find_python()

    assert found is None or found != shim


def test_a_python_of_another_version_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytecode is another."""
    monkeypatch.setenv("PYTHON313", sys.executable)

    found = find_python()

    assert found is None or sys.version_info[:2] == (3, 13) or found != Path(sys.executable)
