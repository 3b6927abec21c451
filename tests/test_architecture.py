"""The rules of docs/architecture.md and of the house that a machine can hold."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = {
    "contract": ROOT / "contract",
    "receiver": ROOT / "container" / "receiver",
    "importer": ROOT / "functions" / "importer",
    "template_gen": ROOT / "template_gen",
    "local": ROOT / "local",
    "tests": ROOT / "tests",
    "bench": ROOT / "bench",
}
PRODUCT = ("contract", "receiver", "importer", "template_gen", "local")
MAY_IMPORT = {
    "contract": set(),
    "receiver": {"contract"},
    "importer": {"contract"},
    "template_gen": {"contract", "receiver", "importer"},
    "local": {"contract", "receiver", "importer", "template_gen"},
    "tests": set(TREES),
    "bench": set(TREES),
}
WITHIN_IMPORTER = {
    "domain": {"importer.domain"},
    "adapters": {"importer.domain", "importer.adapters", "importer.environment"},
}
PURE = ("contract", "importer.domain")
NOT_PURE = {
    "boto3",
    "botocore",
    "aws_lambda_powertools",
    "pynetdicom",
    "pydicom",
    "awscrt",
    "socket",
}
WITHOUT_LIBRARIES = ("receiver.settings", "importer.environment")
LONGEST = 300
LONGEST_TEST = 600
"""A table of claims about one module may be longer than the module."""
LONG_REASON = re.compile(r"^# long: \S.{10,}", re.MULTILINE)
TEXT = {".py", ".md", ".cfg", ".toml", ".txt", ".json", ".yaml", ".yml", ".sh", ".in", ""}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file."""

    tree: str
    name: str
    path: Path

    @property
    def source(self) -> str:
        """Its text."""
        return self.path.read_text(encoding="utf-8")


def find_modules() -> Iterator[Module]:
    for tree, folder in TREES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield Module(tree, ".".join((tree, *parts)).removesuffix(".__init__"), path)


MODULES = list(find_modules())
OF_PRODUCT = [module for module in MODULES if module.tree in PRODUCT]


def imports(module: Module) -> set[str]:
    """Return the dotted names that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def tracked_files() -> list[Path]:
    """Return what git has, or would take: nothing ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.splitlines() if (path := ROOT / name).is_file()]


def names(modules: list[Module]) -> list[str]:
    return [module.name for module in modules]


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_arrows_between_the_trees(module: Module) -> None:
    """Receiver -> contract <- importer; template_gen and local see all; nothing sees those two."""
    others = {name.split(".")[0] for name in imports(module)} & TREES.keys() - {module.tree}

    assert others <= MAY_IMPORT[module.tree]


@pytest.mark.parametrize("layer", WITHIN_IMPORTER)
def test_arrows_within_the_importer(layer: str) -> None:
    """Handlers -> domain <- adapters: neither of the two sees the handlers, the domain sees itself only."""
    inside = [module for module in MODULES if module.name.startswith(f"importer.{layer}.")]
    allowed = tuple(WITHIN_IMPORTER[layer])

    assert inside
    for module in inside:
        own = {name for name in imports(module) if name.startswith("importer.")}
        assert not {name for name in own if not name.startswith(allowed)}, module.name


@pytest.mark.parametrize("package", PURE)
def test_pure_parts_reach_for_no_library(package: str) -> None:
    """The contract and the domain decide from their arguments: no AWS, no DICOM library, no environment."""
    for module in MODULES:
        if module.name.startswith(package):
            used = imports(module)
            assert not {name.split(".")[0] for name in used} & NOT_PURE, module.name
            assert "os.environ" not in module.source, module.name


def test_contract_uses_the_standard_library_alone() -> None:
    """It is copied into the image and zipped with the functions, so it brings nothing along."""
    import sys  # noqa: PLC0415 - needed here only

    for module in MODULES:
        if module.tree == "contract":
            outside = {name.split(".")[0] for name in imports(module)} - {"contract"}
            assert outside <= sys.stdlib_module_names, module.name


@pytest.mark.parametrize("name", WITHOUT_LIBRARIES)
def test_settings_load_without_libraries(name: str) -> None:
    """The template and the docs read settings without installing what the process needs."""
    [module] = [module for module in MODULES if module.name == name]

    assert not {found.split(".")[0] for found in imports(module)} & NOT_PURE


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_modules_are_small(module: Module) -> None:
    """A module over 300 lines says why in a line `# long: reason`."""
    length = len(module.source.splitlines())
    longest = LONGEST_TEST if module.tree == "tests" else LONGEST

    assert length <= longest or LONG_REASON.search(module.source), f"{length} lines"


@pytest.mark.parametrize("module", OF_PRODUCT, ids=names(OF_PRODUCT))
def test_modules_say_what_they_are_for(module: Module) -> None:
    """Every module opens with a docstring and has a subject; `__init__` modules are empty."""
    if module.path.name == "__init__.py":
        assert not module.source.strip()
        return
    assert ast.get_docstring(ast.parse(module.source))
    assert module.path.stem not in {"utils", "util", "helpers", "common", "misc", "manager"}


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_exceptions_from_the_checks_have_code_and_reason(module: Module) -> None:
    """No blanket noqa, each one with a reason beside it; every `type: ignore` names its code."""
    if module.path == Path(__file__):
        return  # its patterns look like what they find
    for number, line in enumerate(module.source.splitlines(), 1):
        where = f"{module.name}:{number}"
        if re.search(r"#\s*noqa\b", line):
            assert re.search(r"# noqa: ([A-Z]+\d+(, ?)?)+ \S", line), where
        if re.search(r"#\s*type:\s*ignore", line):
            assert re.search(r"# type: ignore\[[a-z-]+(, ?[a-z-]+)*\]", line), where


def test_nothing_names_a_machine() -> None:
    """No file mentions the folders of whoever built it."""
    strangers = re.compile(r"/(?:work|root)/[a-z.]")
    for path in tracked_files():
        if path.suffix in TEXT and path.stat().st_size < 1_000_000:
            assert not strangers.search(path.read_text(encoding="utf-8", errors="ignore")), path


def test_version_is_the_changelogs() -> None:
    """The version in setup.cfg is the top entry of CHANGELOG.md."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    top = re.search(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)

    assert top is not None
    assert setup["metadata"]["version"] == top[1]


def test_every_package_is_declared() -> None:
    """setup.cfg lists every package of the product, so that an installed copy is whole."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    declared = set(setup["options"]["packages"].split())
    found = {module.name for module in OF_PRODUCT if module.path.name == "__init__.py"}

    assert found == declared


def test_every_make_target_is_listed() -> None:
    """`make help` shows each target that a person may call."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))

    assert phony == described
