"""Checks a command line of the AWS CLI against botocore's model of the service, without running it.

What the CLI knows besides is checked as far as the pages use it: waiters, the output file of an operation that
streams, files by `file://`, lists of words, `Name=Value` shorthand, JMESPath.
"""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import ParamValidationError, UnknownServiceError
from botocore.model import OperationModel, Shape
from botocore.validate import validate_parameters

from tests.docs.pages import ROOT

GLOBAL = {
    "region": str,
    "profile": str,
    "output": ("json", "text", "table"),
    "query": jmespath.compile,
}
"""Options of every command and what their value must be (AWS CLI user guide, "Command line options")."""
BINARY = {"cli-binary-format": ("base64", "raw-in-base64-out")}
SERVICES = {"s3api": "s3"}
RENAMED = {("sns", "subscribe", "notification-endpoint"): "endpoint"}
"""The CLI's names that are not botocore's (awscli/customizations/argrename.py)."""


class WrongCommandError(AssertionError):
    """The AWS CLI would refuse this."""


@cache
def _session() -> Any:
    return botocore.session.get_session()


def check(line: str, *, made: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Check one command and return its parameters by the API's names.

    Args:
        line: The command.
        made: Files that a command before it writes; their content is not known.

    Raises:
        WrongCommandError: Service, operation, option or value is not one.
    """
    program, service, *words = shlex.split(line)
    if program != "aws":
        raise WrongCommandError(f"not the AWS CLI: {line}")
    try:
        model = _session().get_service_model(SERVICES.get(service, service))
    except UnknownServiceError as error:
        raise WrongCommandError(str(error)) from error
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if words[:1] == ["wait"]:
        waiters = _session().get_waiter_model(SERVICES.get(service, service))
        by_name = {xform_name(name, "-"): name for name in waiters.waiter_names}
        waiter = waiters.get_waiter(_known(by_name, words[1], f"aws {service} wait"))
        operation, words = model.operation_model(waiter.operation), words[2:]
    else:
        operation = model.operation_model(_known(names, words[0], f"aws {service}"))
        ours = {
            f"--{old}": f"--{new}"
            for (*of, old), new in RENAMED.items()
            if of == [service, words[0]]
        }
        words = [ours.get(word, word) for word in words[1:]]
    return _parameters(operation, words, made)


def _known(names: dict[str, str], word: str, of: str) -> str:
    if word not in names:
        raise WrongCommandError(f"{of} has no {word}")
    return names[word]


def _parameters(
    operation: OperationModel, words: list[str], made: frozenset[str]
) -> dict[str, Any]:
    members = {} if operation.input_shape is None else operation.input_shape.members
    names = {xform_name(name, "-"): name for name in members}
    found: dict[str, Any] = {}
    for option, values in _options(words, has_output_file=operation.has_streaming_output):
        if option in GLOBAL or option in BINARY:
            _check_global(option, values)
        elif option.startswith("no-") and option not in names:
            name = _known(names, option.removeprefix("no-"), operation.name)
            _boolean(members[name], values, option)
            found[name] = False
        else:
            name = _known(names, option, operation.name)
            found[name] = _value(members[name], [_content(value, made) for value in values], option)
    if operation.input_shape is not None:
        # The CLI fills them in.
        tokens = dict.fromkeys(operation.idempotent_members, str(uuid.UUID(int=0)))
        try:
            validate_parameters({**tokens, **found}, operation.input_shape)
        except ParamValidationError as error:
            raise WrongCommandError(str(error)) from error
    return found


def _options(words: list[str], *, has_output_file: bool) -> Iterator[tuple[str, list[str]]]:
    while words:
        word, *words = words
        if not word.startswith("--"):
            raise WrongCommandError(f"what is {word}?")
        values = []
        while words and not words[0].startswith("--"):
            values.append(words.pop(0))
        if has_output_file and not words and len(values) == 2:
            values.pop()  # the file that takes the streamed answer stands last
            has_output_file = False
        yield word.removeprefix("--"), values
    if has_output_file:
        raise WrongCommandError("the name of the output file is missing")


def _check_global(option: str, values: list[str]) -> None:
    wanted: Any = (GLOBAL | BINARY)[option]
    if len(values) != 1:
        raise WrongCommandError(f"--{option} takes one value, not {values}")
    if isinstance(wanted, tuple):
        if values[0] not in wanted:
            raise WrongCommandError(f"--{option} is one of {wanted}")
    else:
        wanted(values[0])


def _boolean(shape: Shape, values: list[str], option: str) -> bool:
    if shape.type_name != "boolean" or values:
        raise WrongCommandError(f"--{option} is no switch, or has a value: {values}")
    return True


def _value(shape: Shape, values: list[str], option: str) -> Any:
    if shape.type_name == "boolean":
        return _boolean(shape, values, option)
    if shape.type_name == "list" and not values[0].startswith("["):
        return [_scalar(shape.member, value) for value in values]
    if len(values) != 1:
        raise WrongCommandError(f"--{option} takes one value, not {values}")
    return _scalar(shape, values[0])


def _content(value: str, made: frozenset[str]) -> str:
    if not value.startswith(("file://", "fileb://")):
        return value
    name = value.partition("://")[2]
    if name in made:
        return name
    if not (ROOT / name).is_file():
        raise WrongCommandError(f"there is no {name}")
    return (ROOT / name).read_text(encoding="utf-8")


def _scalar(shape: Shape, value: str) -> Any:
    if shape.type_name in ("structure", "map", "list"):
        return json.loads(value) if value[:1] in "[{" else _shorthand(shape, value)
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name == "boolean" and value in ("true", "false"):
        return value == "true"
    choices = getattr(shape, "enum", [])
    if choices and value not in choices:
        raise WrongCommandError(f"{value} is none of {choices}")
    return value


def _shorthand(shape: Shape, text: str) -> dict[str, Any]:
    """Read `Name=a,Values=b,c` (AWS CLI user guide, "Using shorthand syntax")."""
    found: dict[str, list[str]] = {}
    name = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            name = key
            found[name] = [value]
        elif name:
            found[name].append(part)
        else:
            raise WrongCommandError(f"no shorthand: {text}")
    members = getattr(shape, "members", {})
    unknown = found.keys() - members.keys()
    if unknown:
        raise WrongCommandError(f"{shape.name} has no {sorted(unknown)}")
    return {
        key: values if members[key].type_name == "list" else _scalar(members[key], ",".join(values))
        for key, values in found.items()
    }
