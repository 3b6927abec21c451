"""`make redrive` and its sisters: where they act, and what they say."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from importer import redrive, resources

NUMBERS = {"asked": 2, "under_way": 0}


@dataclass
class FakeStack:
    """CloudFormation and Lambda of a stack that has a function Redrive."""

    answers: list[dict[str, Any]]
    error: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    def describe_stack_resource(self, **request: str) -> dict[str, Any]:
        """Return the function's name."""
        if request["StackName"] != "pacs":
            raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStackResource")
        name = f"pacs-{request['LogicalResourceId']}-1"
        return {"StackResourceDetail": {"PhysicalResourceId": name}}

    def get_function_configuration(self, **request: str) -> dict[str, Any]:
        """Return the environment of StartImport."""
        assert request == {"FunctionName": "pacs-StartImport-1"}
        return {"Environment": {"Variables": {"TABLE_NAME": "table"}}}

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Answer with the next answer."""
        assert request["FunctionName"] == "pacs-Redrive-1"
        self.events.append(json.loads(request["Payload"]))
        response: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self.answers.pop(0)).encode())}
        return response | ({"FunctionError": self.error} if self.error else {})


def use(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (redrive, resources):
        monkeypatch.setattr(module, "client", lambda *_, **__: stack)


def test_everything_is_asked_page_by_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command goes on where each answer stopped, adds up, and names its target first."""
    stack = FakeStack(
        [
            {**NUMBERS, "next": "there", "complete": False},
            {**NUMBERS, "next": "", "complete": True},
        ]
    )
    use(stack, monkeypatch)

    code = redrive.main(["--all", "--stack", "pacs", "--operator", "j.doe"])

    event = {"action": "redrive", "operator": "j.doe", "all": True}
    said = capsys.readouterr()
    assert code == 0
    assert stack.events == [event, {**event, "after": "there"}]
    assert json.loads(said.out) == {"asked": 4, "under_way": 0, "next": "", "complete": True}
    assert said.err == "redrive: stack pacs\n"


@pytest.mark.parametrize(
    ("stack", "error", "answer"),
    [
        ("pacs", "", {"error": "name one"}),
        ("pacs", "Unhandled", {"errorType": "KeyError"}),
        ("other", "", {}),
    ],
    ids=["refused", "failed", "no such stack"],
)
def test_what_went_wrong_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stack: str,
    error: str,
    answer: dict[str, Any],
) -> None:
    """A refusal, a function that failed and a stack that is not there exit with 1 and a sentence."""
    use(FakeStack([answer], error), monkeypatch)

    code = redrive.main(["--all", "--stack", stack])

    assert code == 1
    assert json.loads(capsys.readouterr().out)["error"]


def test_a_stacks_functions_know_its_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a function of the stack is what a command works with."""
    use(FakeStack([]), monkeypatch)

    assert resources.environment_of("pacs") == {"TABLE_NAME": "table"}


def test_without_a_stack_the_emulator_is_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack, no real account: the local product's port, unless another endpoint is given."""
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PORT", "1234")

    local = resources.target_of("")

    assert local == "local product at http://127.0.0.1:1234"
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1234"
