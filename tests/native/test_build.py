"""The receiver's part in C: built, not built, and examined by the compiler's own checks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import write_series
from tests.clients import storescu
from tests.receiver_process import ReceiverProcess, environment_for

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "container/native/build.py"
STRICT = ("-Werror", "-Wshadow", "-Wconversion", "-Wstrict-prototypes")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def _build(target: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BUILD, "--target", target, *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    """By more of them than the build asks for."""
    done = _build(tmp_path / "made.so", "--required", "--", *STRICT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "made.so").stat().st_size


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_one_line_says_so(tmp_path: Path, compiler: str) -> None:
    """And an old one is not left in its place; where it is required, it is an error."""
    target = tmp_path / "made.so"
    target.write_bytes(b"of another version")
    done = _build(target, CC=compiler)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("native: ")
    assert done.stdout.count("\n") == 1
    assert "works without" in done.stdout
    assert list(tmp_path.iterdir()) == []

    required = _build(target, "--required", CC=compiler)
    assert (required.returncode, required.stdout) == (1, "")
    assert required.stderr.count("\n") == 1


def _copy(tmp_path: Path) -> Path:
    """Copy the receiver without its part in C."""
    container = tmp_path / "container"
    shutil.copytree(ROOT / "container", container, ignore=shutil.ignore_patterns("*.so", "*.pyc"))
    return container


def test_the_receiver_works_without_it(tmp_path: Path) -> None:
    """Built for another machine, or not at all: everything is stored."""
    container = _copy(tmp_path)
    # One that cannot be loaded: for none at all, the environment's own finder would find this tree's.
    (container / "receiver/_native.abi3.so").write_bytes(b"")
    files, landing = tmp_path / "files", tmp_path / "landing"
    files.mkdir()
    landing.mkdir()
    write_series(files, 5, size=70_000)
    path = f"{container}{os.pathsep}{ROOT}"
    found = subprocess.run(
        [sys.executable, "-c", "from receiver import native; print(native.IS_NATIVE)"],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "False\n"
    receiver = ReceiverProcess({**environment_for(landing), "PYTHONPATH": path})
    try:
        assert receiver.wait_event("receiver_ready")["native"] is False
        assert storescu(receiver.port, files).code == 0
        receiver.stop()
    finally:
        receiver.kill()
    assert len(list(landing.glob("incoming/**/*.dcm"))) == 5


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    """Its own tests with every access to memory checked, and what C leaves undefined."""
    container = _copy(tmp_path)
    built = _build(container / "receiver/_native.abi3.so", "--required", "--", *SANITIZERS)
    assert built.returncode == 0, built.stderr
    library = subprocess.run(
        ["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    tests = (
        "tests/receiver/test_series.py",
        "tests/receiver/test_batch.py",
        "tests/receiver/test_recorder.py",
        "tests/receiver/test_records.py",
        "tests/receiver/sinks/test_directory.py",
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-o", f"pythonpath={container} . functions", *tests),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "LD_PRELOAD": library,
            # Python keeps objects to its end: a leak of ours is seen by the tests' own counts.
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout
