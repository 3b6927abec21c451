"""Declare a process's settings once: environment name, type, default, bounds, unit, description.

The process that reads a setting owns it. Parameters, the task definition, the functions' environment
and the tables in docs/ are derived from these declarations and never typed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self

_METADATA_KEY = "setting"
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a setting's declaration says.

    Attributes:
        env: Name of the environment variable.
        parse: Turns its text into a value; raises ValueError with what is wrong.
        doc: What it means, one sentence, for tables in docs/ and messages.
        doc_ja: The same sentence in Japanese.
        minimum: Least number, or least number of characters or items.
        maximum: Greatest number, or greatest number of characters or items.
        pattern: What the whole text must match, as CloudFormation's AllowedPattern.
        choices: The only values allowed.
        unit: Unit of a number ("s", "bytes", "MiB"), empty for none.
        secret: Whether the value is nobody's to read: no message and no `repr` holds it.
    """

    env: str
    parse: Callable[[str], Any]
    doc: str
    doc_ja: str = ""
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    secret: bool = False


class SettingsError(Exception):
    """The environment does not describe a valid configuration; the message lists every problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def setting(
    env: str,
    parse: Callable[[str], Any],
    *,
    doc: str,
    default: Any = MISSING,
    **limits: Any,
) -> Any:
    """Declare a dataclass field that is read from the environment variable `env`.

    Without a default the variable must be set. An empty variable counts as not set, because an optional
    CloudFormation parameter arrives as an empty string.
    """
    spec = Spec(env=env, parse=parse, doc=doc, **limits)
    metadata = {_METADATA_KEY: spec}
    if default is MISSING:
        return field(metadata=metadata, repr=not spec.secret)
    return field(default=default, metadata=metadata, repr=not spec.secret)


def boolean(text: str) -> bool:
    """Parse true/false, yes/no, 1/0 in any case."""
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def comma_list(text: str) -> tuple[str, ...]:
    """Parse comma-separated items; blanks around an item and empty items are dropped."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def pem(*labels: str) -> Callable[[str], str]:
    """Return a parser of PEM text (RFC 7468) with a block of one of `labels`; nothing is decoded."""

    def parse(text: str) -> str:
        if "ENCRYPTED" in text:
            raise ValueError("must have no passphrase")
        if not any(f"-----BEGIN {label}-----" in text for label in labels):
            raise ValueError(f"must be PEM text with -----BEGIN {labels[0]}-----")
        return text.strip()

    return parse


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSettings:
    """Base of a process's settings; every field is made by `setting()`."""

    @classmethod
    def specs(cls) -> dict[str, Spec]:
        """Return the declarations by field name, in order."""
        return {f.name: f.metadata[_METADATA_KEY] for f in fields(cls)}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the default of each field that has one, by field name."""
        return {f.name: f.default for f in fields(cls) if f.default is not MISSING}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read every field from `environ`.

        Raises:
            SettingsError: One or more variables are missing or invalid; all of them are named.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        optional = cls.defaults()
        for name, spec in cls.specs().items():
            text = environ.get(spec.env, "")
            if text.strip() == "":
                if name not in optional:
                    problems.append(f"{spec.env} is not set. {spec.doc}")
                continue
            try:
                values[name] = _parsed(spec, text)
            except ValueError as error:
                shown = spec.env if spec.secret else f"{spec.env}={text!r}"
                problems.append(f"{shown} {error}. {spec.doc}")
        if not problems:
            settings = cls(**values)
            problems.extend(settings.contradictions())
            if not problems:
                return settings
        raise SettingsError(problems)

    def contradictions(self) -> list[str]:
        """Return what is wrong between fields that are each valid; override where fields depend."""
        return []


def _parsed(spec: Spec, text: str) -> Any:
    if spec.choices and text not in spec.choices:
        raise ValueError(f"must be one of {', '.join(spec.choices)}")
    if spec.pattern is not None and re.fullmatch(spec.pattern, text) is None:
        raise ValueError(f"must match {spec.pattern}")
    value = spec.parse(text)
    size = value if isinstance(value, int | float) else len(value) if _sized(value) else None
    kind = "" if isinstance(value, int | float) else " in length"
    if size is not None and spec.minimum is not None and size < spec.minimum:
        raise ValueError(f"must be at least {spec.minimum}{kind}{_unit(spec)}")
    if size is not None and spec.maximum is not None and size > spec.maximum:
        raise ValueError(f"must be at most {spec.maximum}{kind}{_unit(spec)}")
    return value


def _sized(value: Any) -> bool:
    return isinstance(value, str | tuple)


def _unit(spec: Spec) -> str:
    return f" {spec.unit}" if spec.unit else ""
