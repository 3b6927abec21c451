"""Evaluates a template's Rules as CloudFormation does before it makes anything.

Functions: CloudFormation template reference, "Rule-specific intrinsic functions".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules can ask about.

    Attributes:
        region: Where the stack would be made.
        parameters: Values as typed; a list's with commas.
        lists: Parameters that are lists.
        attributes: `VpcId`, `AvailabilityZone`, ... of each resource that exists, by its id.
    """

    region: str
    parameters: Mapping[str, str]
    lists: frozenset[str]
    attributes: Mapping[str, Mapping[str, str]]


def failures(rules: Mapping[str, Any], facts: Facts) -> list[str]:
    """Return the descriptions of the assertions that do not hold."""
    found: list[str] = []
    for rule in rules.values():
        condition = rule.get("RuleCondition")
        if condition is not None and not _value(condition, facts):
            continue
        found.extend(
            assertion["AssertDescription"]
            for assertion in rule["Assertions"]
            if not _value(assertion["Assert"], facts)
        )
    return found


def _value(expression: Any, facts: Facts) -> Any:
    if isinstance(expression, list):
        return [_value(item, facts) for item in expression]
    if not isinstance(expression, dict):
        return expression
    ((function, argument),) = expression.items()
    if function == "Ref":
        return _ref(argument, facts)
    if function == "Fn::ValueOf":
        name, attribute = argument
        ids = _ref(name, facts)
        if isinstance(ids, list):
            return [facts.attributes[one][attribute] for one in ids]
        return facts.attributes[ids][attribute]
    return _FUNCTIONS[function](*_value(argument, facts))


def _ref(name: str, facts: Facts) -> Any:
    if name == "AWS::Region":
        return facts.region
    value = facts.parameters[name]
    return value.split(",") if name in facts.lists else value


_FUNCTIONS: dict[str, Callable[..., bool]] = {
    "Fn::And": lambda *values: all(values),
    "Fn::Or": lambda *values: any(values),
    "Fn::Not": lambda value: not value,
    "Fn::Equals": lambda one, other: one == other,
    "Fn::Contains": lambda values, one: one in values,
    "Fn::EachMemberEquals": lambda values, one: all(value == one for value in values),
    "Fn::EachMemberIn": lambda values, others: all(value in others for value in values),
}
