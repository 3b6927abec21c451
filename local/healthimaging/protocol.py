"""The wire protocol of HealthImaging's API, taken from botocore's own service model.

Requests are routed, read and validated, and responses validated and written, by the same shapes that a
client uses; a member that the model does not know or a value outside its limits cannot pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session
from botocore.validate import ParamValidator

SERVICE = "medical-imaging"


class ApiError(Exception):
    """The operation answers with an error of the service's model."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class ContractError(Exception):
    """The double itself made a response that the model does not allow."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response on the wire."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class _Route:
    name: str
    method: str
    path: re.Pattern[str]
    model: Any


class Protocol:
    """rest-json for one service."""

    def __init__(self) -> None:
        """Load the model."""
        model = botocore.session.get_session().get_service_model(SERVICE)
        self._routes = [_route(model.operation_model(name)) for name in model.operation_names]
        self._statuses = {
            shape.name: int(shape.metadata["error"]["httpStatusCode"])
            for shape in model.error_shapes
        }

    def read(self, method: str, path: str, query: str, body: bytes) -> tuple[str, dict[str, Any]]:
        """Return operation name and validated parameters of a request.

        Args:
            method: HTTP method.
            path: Still percent-encoded, without the query.
            query: Query string.
            body: Whole body.

        Raises:
            ApiError: No such operation, or parameters outside the model's limits.
        """
        for route in self._routes:
            match = route.path.fullmatch(path)
            if match is not None and route.method == method:
                parameters = _parameters(route.model.input_shape, match, query, body)
                problems = violations(route.model.input_shape, parameters)
                if problems:
                    raise ApiError("ValidationException", "; ".join(problems))
                return route.name, parameters
        raise ApiError("ValidationException", "Unknown operation")

    def write(self, operation: str, result: Mapping[str, Any]) -> Answer:
        """Return the response for an operation's result.

        Raises:
            ContractError: The result is not what the model allows.
        """
        shape = next(r.model.output_shape for r in self._routes if r.name == operation)
        problems = violations(shape, result)
        if problems:
            raise ContractError(f"{operation}: {'; '.join(problems)}")
        headers = {}
        document = {}
        payload = shape.serialization.get("payload")
        for name, value in result.items():
            serialization = shape.members[name].serialization
            if serialization.get("location") == "header":
                headers[serialization["name"]] = str(value)
            elif name != payload:
                document[name] = _json(value)
        if payload is not None:
            return Answer(200, headers, bytes(result[payload]))
        headers["Content-Type"] = "application/json"
        return Answer(200, headers, json.dumps(document).encode())

    def write_error(self, error: ApiError) -> Answer:
        """Return the response for an error."""
        headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
        content = json.dumps({"message": error.message}).encode()
        return Answer(self._statuses.get(error.code, 500), headers, content)


def violations(shape: Any, value: Any) -> list[str]:
    """Return in which ways `value` is not of `shape`: types and members, then limits."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return [report.generate_report()]
    return _limit_violations(shape, value, shape.name)


def _route(model: Any) -> _Route:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", model.http["requestUri"].split("?")[0])
    return _Route(model.name, model.http["method"], re.compile(pattern), model)


def _parameters(shape: Any, path: re.Match[str], query: str, body: bytes) -> dict[str, Any]:
    fields = dict(parse_qsl(query, keep_blank_values=True))
    payload = shape.serialization.get("payload")
    document = _document(body)
    parameters: dict[str, Any] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wire_name = member.serialization.get("name", name)
        if location == "uri":
            parameters[name] = unquote(path[wire_name])
        elif location == "querystring":
            if wire_name in fields:
                text = fields[wire_name]
                is_number = member.type_name == "integer" and text.isdecimal()
                parameters[name] = int(text) if is_number else text
        elif name == payload:
            if document:
                parameters[name] = document
        elif wire_name in document:
            parameters[name] = document[wire_name]
    return parameters


def _document(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ApiError("ValidationException", f"The body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ApiError("ValidationException", "The body is not a JSON object")
    return document


def _limit_violations(shape: Any, value: Any, path: str) -> list[str]:
    if shape.type_name == "structure":
        return [
            problem
            for name, item in value.items()
            if item is not None
            for problem in _limit_violations(shape.members[name], item, f"{path}.{name}")
        ]
    problems = _own_violations(shape, value, path)
    if shape.type_name == "list":
        for n, item in enumerate(value):
            problems += _limit_violations(shape.member, item, f"{path}[{n}]")
    return problems


def _own_violations(shape: Any, value: Any, path: str) -> list[str]:
    limits = shape.metadata
    problems = []
    size = value if isinstance(value, int) else len(value) if hasattr(value, "__len__") else None
    if size is not None and size < limits.get("min", size):
        problems.append(f"{path} must be at least {limits['min']}")
    if size is not None and size > limits.get("max", size):
        problems.append(f"{path} must be at most {limits['max']}")
    if "enum" in limits and value not in limits["enum"]:
        problems.append(f"{path} must be one of {', '.join(limits['enum'])}")
    if "pattern" in limits and isinstance(value, str):
        pattern = limits["pattern"].replace(r"\p{ASCII}", r"[\x00-\x7f]")
        if re.fullmatch(pattern, value) is None:
            problems.append(f"{path} must match {limits['pattern']}")
    return problems


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value
