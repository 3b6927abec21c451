from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local import references, template
from tests.local.stack import template as hand_made


@pytest.fixture
def document() -> dict[str, Any]:
    return hand_made()


def test_a_reference_is_a_token_and_its_name_in_a_text_is_not() -> None:
    """Only Ref, GetAtt and Sub are references; the same word as text stays text."""
    node = {
        "a": {"Ref": "Queue"},
        "b": {"Fn::GetAtt": ["Queue", "Arn"]},
        "c": {"Fn::GetAtt": "Queue.Arn"},
        "d": {"Fn::Sub": "${Queue}/${Queue.Arn}/${AWS::Region}/Queue"},
        "e": {"Fn::Sub": ["${Queue}${X}", {"X": {"Ref": "Queue"}, "Queue": "mine"}]},
        "f": ["Queue", {"Ref": "AWS::Region"}],
    }

    assert references.mark(node, {"Queue"}) == {
        "a": "@{Queue}",
        "b": "@{Queue.Arn}",
        "c": "@{Queue.Arn}",
        "d": {"Fn::Sub": "@{Queue}/@{Queue.Arn}/${AWS::Region}/Queue"},
        "e": {"Fn::Sub": ["${Queue}${X}", {"X": "@{Queue}", "Queue": "mine"}]},
        "f": ["Queue", {"Ref": "AWS::Region"}],
    }


def test_tokens_become_physical_ids_also_within_a_text() -> None:
    """Every token of a text is replaced, each by its own resource and attribute."""
    node = {"x": ["s3://@{Bucket}/@{Queue.Arn}"]}

    assert references.resolve(node, lambda name, attribute: f"<{name}|{attribute}>") == {
        "x": ["s3://<Bucket|>/<Queue|Arn>"]
    }


def test_a_condition_removes_its_resource(document: dict[str, Any]) -> None:
    """A resource whose condition is false is not in the stack."""
    stack = template.render(document, {})

    assert stack.get("Landing") is not None
    assert stack.get("Bulk") is None


def test_a_variable_sets_the_parameter_that_it_is_bound_to(document: dict[str, Any]) -> None:
    """AE_TITLE is bound to SCPAETitle by the container's environment, and to nothing else."""
    assert template.parameters_from_environment(document, {"AE_TITLE": "CT", "HOME": "/"}) == {
        "SCPAETitle": "CT"
    }


def test_a_value_that_the_form_would_refuse_is_refused(document: dict[str, Any]) -> None:
    """The parameter's own pattern is applied, and the message names the parameter."""
    with pytest.raises(template.TemplateError, match="SCPAETitle='lower case'"):
        template.render(document, {"AE_TITLE": "lower case"})


def test_a_parameter_without_any_value_is_named(document: dict[str, Any]) -> None:
    """A required parameter that nothing here can answer is an error, not a guess."""
    document["Parameters"]["Mystery"] = {"Type": "String"}

    with pytest.raises(template.TemplateError, match="Mystery"):
        template.render(document, {})


def test_a_missing_template_says_what_to_do(tmp_path: Path) -> None:
    """The sentence names the command that makes it."""
    with pytest.raises(template.TemplateError, match="make template"):
        template.load(tmp_path / "none.json")


def test_the_products_own_template_renders() -> None:
    """dist/ holds a template that this machine can interpret, one function per handler."""
    stack = template.render(template.load(), {})
    handlers = {r.properties["Handler"] for r in stack.of_type("AWS::Lambda::Function")}

    assert {f"importer.handlers.{name}.handler" for name in ("start_import", "view")} <= handlers
    assert "Fn::" not in json.dumps([r.properties for r in stack.of_type("AWS::SQS::Queue")])
