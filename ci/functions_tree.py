"""Lay out the functions' code as Lambda unpacks it: ours, the contract, and the locked packages, nothing else."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FUNCTIONS = ROOT / "functions"
CONTRACT = ROOT / "contract"
REQUIREMENTS = FUNCTIONS / "requirements.txt"
TASK_ROOT = "/var/task"
"""Where Lambda unpacks it: what a traceback names."""
RUNTIME = "3.13"

UNUSED = (
    "bin", ".lock",
    # Resources are not used, clients are.
    "boto3/data", "boto3/examples",
    # Documentation pages of HTTP APIs that no function serves.
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
)  # fmt: skip
KEPT_METADATA = ("METADATA", "licenses", "LICENSE", "LICENSE.txt", "NOTICE", "NOTICE.txt")
"""Of each package's dist-info: what names it, its version and its licence."""
IMPLIED_SERVICES = frozenset({"sts"})
"""botocore itself may call it for credentials."""
NATIVE_SUFFIXES = (".so", ".pyd", ".dylib", ".dll")

_COMPILE = """
import compileall, py_compile, sys
tree, target = sys.argv[1:]
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
ok = compileall.compile_dir(tree, quiet=1, force=True, stripdir=tree, prependdir=target, invalidation_mode=mode)
sys.exit(not ok)
"""


class FunctionsTreeError(Exception):
    """The functions' code cannot be laid out; the message says why."""


def lay_out(tree: Path, python: Path | None) -> None:
    """Fill the empty folder `tree`.

    Args:
        tree: Folder to fill.
        python: A CPython of the runtime's version, to compile with; without one there is no bytecode, and a
            cold start compiles every module (measured: 0.7 s of a whole processor, so 2 s or more in a small function).

    Raises:
        FunctionsTreeError: A package is native or cannot be installed, or a module does not compile.
    """
    _install(tree)
    refuse_native(tree)
    _prune(tree, used_services(FUNCTIONS))
    for package in (*_packages_of(FUNCTIONS), CONTRACT):
        shutil.copytree(
            package, tree / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    if python:
        _compile(tree, python)


def used_services(source: Path) -> frozenset[str]:
    """Return the AWS services whose clients the modules below `source` make, by boto3's names.

    Raises:
        FunctionsTreeError: A client is made of a name that is not written out, so it cannot be known here.
    """
    found = set(IMPLIED_SERVICES)
    for module in source.rglob("*.py"):
        for call in _client_calls(ast.parse(module.read_text(encoding="utf-8"))):
            if not call.args:
                continue
            name = call.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                found.add(name.value)
            elif not _is_the_factory(call):
                raise FunctionsTreeError(f"{module}:{call.lineno}: a client of an unknown service")
    return frozenset(found)


def refuse_native(tree: Path) -> None:
    """Raise FunctionsTreeError if a file below `tree` is machine code: one archive serves both processors."""
    native = [str(path.relative_to(tree)) for path in _files(tree) if _is_native(path)]
    if native:
        raise FunctionsTreeError(f"native code among the functions' packages: {', '.join(native)}")


def handlers(template: Path) -> dict[str, str]:
    """Return the handler of each function in a rendered template whose code is the archive, by logical ID."""
    resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
    return {
        title: resource["Properties"]["Handler"]
        for title, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and "S3Key" in resource["Properties"]["Code"]
    }


def _install(tree: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--target", str(tree),
        "--python-version", RUNTIME, "--python-platform", "aarch64-manylinux2014",
        "--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy",
        "--requirement", str(REQUIREMENTS),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise FunctionsTreeError(f"the locked packages cannot be installed:\n{result.stderr}")


def _prune(tree: Path, services: frozenset[str]) -> None:
    for name in UNUSED:
        path = tree / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    models = tree / "botocore/data"
    for model in models.iterdir():
        if model.is_dir() and model.name not in services:
            shutil.rmtree(model)
    for service in services:
        if not (models / service).is_dir():
            raise FunctionsTreeError(f"botocore knows no service {service!r}")
    for path in tree.glob("*.dist-info/*"):
        if path.name not in KEPT_METADATA:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compile(tree: Path, python: Path) -> None:
    # A fixed seed: the order of a set of strings would differ from run to run.
    environ = {"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}
    command = [str(python), "-s", "-S", "-c", _COMPILE, str(tree), TASK_ROOT]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise FunctionsTreeError(f"a module does not compile:\n{result.stdout}{result.stderr}")


def _packages_of(source: Path) -> Iterable[Path]:
    return sorted(init.parent for init in source.glob("*/__init__.py"))


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.is_file())


def _is_native(path: Path) -> bool:
    if path.suffix in NATIVE_SUFFIXES or ".so." in path.name:
        return True
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _client_calls(module: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            function = node.func
            name = (
                function.attr
                if isinstance(function, ast.Attribute)
                else getattr(function, "id", "")
            )
            if name == "client":
                yield node


def _is_the_factory(call: ast.Call) -> bool:
    """Whether this is the one place that hands a caller's name on to boto3."""
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "boto3.client"
