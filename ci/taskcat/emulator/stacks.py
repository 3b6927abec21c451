"""Stacks that are made in the background, that wait for their custom resources and can fail, as they do in AWS."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.awslambda.utils import get_backend
from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.core.common_models import CloudFormationModel

from ci.taskcat.emulator.mending import by, mend
from local.web import Environ, StartResponse, respond

ANSWERS = "/_custom_resource/"
"""Path that answers to custom resources are put under."""
_LOG = logging.getLogger(__name__)
_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


class CreationError(Exception):
    """A resource cannot be made; the message is the status reason."""


class Answers:
    """WSGI application that takes what functions answer to CloudFormation."""

    def __init__(self) -> None:
        self._given: dict[str, dict[str, Any]] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Take one answer."""
        name = environ["PATH_INFO"].removeprefix(ANSWERS)
        self._given[name] = json.loads(environ["wsgi.input"].read())
        return respond(start_response, 200)

    def take(self, name: str) -> dict[str, Any]:
        """Return the answer to one request.

        Raises:
            CreationError: There is none, or it says FAILED.
        """
        answer = self._given.pop(name, None)
        if answer is None:
            raise CreationError("the function did not answer")
        if answer["Status"] != "SUCCESS":
            raise CreationError(str(answer.get("Reason")))
        return answer


def install(url: str, answers: Answers, logs: Path) -> None:
    """Mend the emulator.

    Args:
        url: Where this emulator listens.
        answers: Served by it under ANSWERS.
        logs: Folder for what the functions of custom resources write.
    """
    mend(parsing, "CustomModel", by(_custom_model(url, answers, logs)))
    mend(parsing, "clean_json", _without_no_value)
    mend(parsing.ResourceMap, "load_parameters", _numbers_as_typed)
    mend(Stack, "create_resources", _in_background)
    mend(Stack, "outputs", _once_complete)


def _numbers_as_typed(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """Keep a number the text that it is in AWS: as such it is a key of a mapping."""

    def load_parameters(self: Any) -> None:
        load(self)
        for name, given in self.input_parameters.items():
            if self._template["Parameters"].get(name, {}).get("Type") == "Number":
                self.resolved_parameters[name] = given
        self._parsed_resources.update(self.resolved_parameters)

    return load_parameters


def _without_no_value(clean: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Leave AWS::NoValue out of lists, as the emulator does of objects only."""

    def clean_json(node: Any, resources: Any) -> Any:
        cleaned = clean(node, resources)
        if isinstance(cleaned, list):
            return [item for item in cleaned if item is not None]
        return cleaned

    return clean_json


def _in_background(create: Callable[[Any], None]) -> Callable[[Any], None]:
    def created(self: Any) -> None:
        self.status = "CREATE_IN_PROGRESS"
        threading.Thread(target=_create, args=(create, self), daemon=True).start()

    return created


def _once_complete(outputs: property) -> property:
    """Tell no outputs before: to ask for one is to make what it refers to, in the asker's thread."""

    def told(self: Any) -> Any:
        return outputs.__get__(self) if self.status in _COMPLETE else None

    return property(told)


def _create(create: Callable[[Any], None], stack: Any) -> None:
    try:
        create(stack)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is why the stack failed
        _LOG.exception("%s", stack.name)
        # As with DisableRollback, which taskcat asks for.
        stack.status = "CREATE_FAILED"
        stack._add_stack_event("CREATE_FAILED", resource_status_reason=str(error))  # noqa: SLF001


def _custom_model(url: str, answers: Answers, logs: Path) -> Any:
    class CustomResource(CloudFormationModel):
        def __init__(self, data: dict[str, Any]) -> None:
            self.data = data.get("Data", {})
            self.physical_resource_id = data["PhysicalResourceId"]

        @classmethod
        def has_cfn_attr(cls, _attr: str) -> bool:
            return True

        @classmethod
        def create_from_cloudformation_json(cls, *arguments: Any, **more: Any) -> Any:
            _, resource, account_id, region = arguments
            properties = resource["Properties"]
            function = get_backend(account_id, region).get_function(properties["ServiceToken"])
            name = uuid.uuid4().hex
            event = {
                "RequestType": "Create",
                "ServiceToken": properties["ServiceToken"],
                "ResponseURL": f"{url}{ANSWERS}{name}",
                "StackId": more["StackId"],
                "RequestId": name,
                "LogicalResourceId": more["LogicalId"],
                "ResourceType": more["ResourceType"],
                "ResourceProperties": properties,
            }
            _invoke(function, event, url, logs / f"{function.function_name}.log")
            return cls(answers.take(name))

        def is_created(self) -> bool:
            return True

        def get_cfn_attribute(self, attribute: str) -> Any:
            return self.data[attribute]

        def delete(self, _account_id: str, _region: str) -> None:
            """Ask nobody: what the emulator made has no function left to ask."""

    return CustomResource


def _invoke(function: Any, event: dict[str, Any], url: str, log: Path) -> None:
    """Run a function's handler, as it is in this tree, with the environment that its stack gave it."""
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **function.environment_vars,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
    }
    command = [sys.executable, "-m", "ci.taskcat.emulator.invoke", function.handler]
    with log.open("ab") as output:
        subprocess.run(
            [*command, str(function.timeout)],
            input=json.dumps(event).encode(),
            env=environ,
            stdout=output,
            stderr=output,
            timeout=function.timeout,
            check=True,
        )
