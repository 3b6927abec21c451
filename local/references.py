"""References to resources in a template, kept apart from text while the rest is rendered.

The renderer turns `Ref` into a bare logical id, which inside a longer text can no longer be told from
the text. So each reference becomes a token first, and a physical id after rendering and provisioning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

_TOKEN = re.compile(r"@\{([A-Za-z0-9]+)(?:\.([A-Za-z0-9.]+))?\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.([A-Za-z0-9.]+))?\}")

Resolver = Callable[[str, str], str]
"""Takes a logical id and an attribute (empty for Ref), returns a physical id."""


def mark(node: Any, resources: Collection[str]) -> Any:
    """Return `node` with every reference to one of `resources` as a token."""
    if isinstance(node, list):
        return [mark(item, resources) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((function, argument),) = node.items()
        if function == "Ref" and argument in resources:
            return f"@{{{argument}}}"
        if function == "Fn::GetAtt":
            path = argument if isinstance(argument, str) else ".".join(argument)
            if path.partition(".")[0] in resources:
                return f"@{{{path}}}"
        if function == "Fn::Sub":
            return {function: _mark_text(argument, resources)}
    return {name: mark(item, resources) for name, item in node.items()}


def resolve(node: Any, resolver: Resolver) -> Any:
    """Return `node` with every token replaced by what `resolver` says."""
    if isinstance(node, list):
        return [resolve(item, resolver) for item in node]
    if isinstance(node, dict):
        return {name: resolve(item, resolver) for name, item in node.items()}
    if isinstance(node, str):
        return _TOKEN.sub(lambda match: resolver(match[1], match[2] or ""), node)
    return node


def target(node: Any) -> str:
    """Return the logical id that `node` refers to and nothing else, empty if it is something else."""
    match = _TOKEN.fullmatch(node) if isinstance(node, str) else None
    return match[1] if match else ""


def _mark_text(argument: Any, resources: Collection[str]) -> Any:
    text, variables = argument if isinstance(argument, list) else (argument, {})

    def token(match: re.Match[str]) -> str:
        if match[1] in resources and match[1] not in variables:
            return "@" + match[0][1:]
        return match[0]

    marked = _VARIABLE.sub(token, text)
    if not isinstance(argument, list):
        return marked
    return [marked, {name: mark(value, resources) for name, value in variables.items()}]
