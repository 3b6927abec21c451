"""What the code itself says, read from its syntax: log events, and the sentences of Preflight."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import importer
import receiver
from contract.text import Text
from importer.preflight import checks
from importer.preflight.problems import Severity

PROCESSES = {"receiver": receiver, "importer": importer}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
UNKNOWN = "…"
"""Stands in a sentence for what is only known when it is said."""
_OTHER_NAMES = {"exception": "ERROR"}
_LOG_EXCEPTION = "log_exception"
_DOCUMENT = "event"


@dataclass(frozen=True, slots=True)
class Event:
    """A log event.

    Attributes:
        name: Its name.
        process: "receiver" or "importer".
        levels: At which it is written, least severe first.
    """

    name: str
    process: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of Preflight, and whether it stops the stack."""

    severity: Severity
    text: Text


@cache
def log_events() -> tuple[Event, ...]:
    """Return every event that the receiver and the functions write, by process and name."""
    found: dict[tuple[str, str], set[str]] = {}
    for process, package in PROCESSES.items():
        for path in sorted(_folder(package).rglob("*.py")):
            for name, levels in _events(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault((process, name), set()).update(levels)
    return tuple(
        Event(name, process, tuple(level for level in LEVELS if level in levels))
        for (process, name), levels in sorted(found.items())
    )


def _events(module: ast.Module) -> Iterator[tuple[str, set[str]]]:
    chosen = _chosen_levels(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            yield from ((name, levels) for levels, name in _logged(node, chosen))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == _DOCUMENT:
                    yield from ((name, {"INFO"}) for name in _constants(value))


def _logged(call: ast.Call, chosen: dict[str, set[str]]) -> Iterator[tuple[set[str], str]]:
    first = 0
    if isinstance(call.func, ast.Attribute):
        levels = _levels(call.func)
    elif isinstance(call.func, ast.Name) and call.func.id == _LOG_EXCEPTION:
        levels, first = {"ERROR"}, 1
    elif isinstance(call.func, ast.Name):
        levels = chosen.get(call.func.id, set())
    else:
        return
    if levels and len(call.args) > first:
        yield from ((levels, name) for name in _constants(call.args[first]))


def _chosen_levels(module: ast.Module) -> dict[str, set[str]]:
    """Return the levels of names such as `log = telemetry.info if routine else telemetry.error`."""
    return {
        target.id: {one for part in ast.walk(node.value) for one in _levels(part)}
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _levels(node: ast.AST) -> set[str]:
    if not isinstance(node, ast.Attribute):
        return set()
    level = _OTHER_NAMES.get(node.attr, node.attr.upper())
    return {level} & set(LEVELS)


def _constants(node: ast.AST) -> Iterator[str]:
    """Return a text, or both of a choice."""
    if isinstance(node, ast.IfExp):
        yield from (*_constants(node.body), *_constants(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


@cache
def preflight_sentences() -> tuple[Sentence, ...]:
    """Return what Preflight can say, in the order of its checks, with `UNKNOWN` for values."""
    names = [info.name for info in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}.")]
    return tuple(
        sentence for name in names for sentence in _sentences(importlib.import_module(name))
    )


def _sentences(module: ModuleType) -> Iterator[Sentence]:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: call.lineno):
        if not isinstance(node.func, ast.Name):
            continue
        texts = {word.arg: word.value for word in node.keywords}
        if node.func.id in {one.value for one in Severity} and {"en", "ja"} <= texts.keys():
            english, japanese = (_text(texts[name], vars(module)) for name in ("en", "ja"))
            yield Sentence(Severity(node.func.id), Text(english, japanese))


def _text(node: ast.expr, names: dict[str, Any]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        raise TypeError(f"not a sentence: {ast.unparse(node)}")
    return "".join(
        _text(part, names) if isinstance(part, ast.Constant) else _value(part, names)
        for part in node.values
    )


def _value(part: ast.expr, names: dict[str, Any]) -> str:
    """Return what a name of the module stands for in a sentence, or that it is not known yet."""
    expression = ast.fix_missing_locations(ast.Expression(ast.JoinedStr([part])))
    code = compile(expression, "<sentence>", "eval")
    try:
        return str(eval(code, dict(names)))  # noqa: S307 - a line of this project's own source
    except NameError:
        return UNKNOWN


def _folder(package: ModuleType) -> Path:
    return Path(next(iter(package.__path__)))
