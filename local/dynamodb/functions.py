"""What DynamoDB's comparison and update functions say of values, also where an attribute is missing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from local.dynamodb.values import (
    ORDERED,
    SETS,
    Item,
    Value,
    comparable,
    invalid,
    kind_of,
    number_text,
)

ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def are_equal(left: Value | None, right: Value | None) -> bool:
    """Whether both are there and equal."""
    return left is not None and right is not None and comparable(left) == comparable(right)


def is_ordered(sign: str, left: Value | None, right: Value | None) -> bool:
    """Whether both are there, of one ordered type, and `left` `sign` `right`."""
    if left is None or right is None or kind_of(left) != kind_of(right):
        return False
    if kind_of(left) not in ORDERED:
        raise invalid(f"Incorrect operand type for operator {sign}: {kind_of(left)}")
    return ORDER[sign](comparable(left)[1], comparable(right)[1])


def begins_with(whole: Value | None, part: Value | None) -> bool:
    """Whether `whole` starts with `part`."""
    if whole is None or part is None or kind_of(whole) != kind_of(part):
        return False
    return bool(comparable(whole)[1][: len(comparable(part)[1])] == comparable(part)[1])


def contains(whole: Value | None, part: Value | None) -> bool:
    """Whether a text has `part` in it, or a set has it as an element."""
    if whole is None or part is None:
        return False
    if kind_of(whole) == kind_of(part) == "S":
        return part["S"] in whole["S"]
    return SETS.get(kind_of(whole)) == kind_of(part) and comparable(part) in comparable(whole)[1]


def summed(left: Value | None, right: Value | None, factor: int) -> Value:
    """Return `left + factor * right`."""
    if left is None or right is None:
        raise invalid("The provided expression refers to an attribute that does not exist")
    if kind_of(left) != "N" or kind_of(right) != "N":
        raise invalid("An operand in the update expression has an incorrect data type")
    return {"N": number_text(Decimal(left["N"]) + factor * Decimal(right["N"]))}


def take_away(after: Item, name: str, value: Value) -> None:
    """Take a set's elements out of an attribute, which goes when none is left."""
    kind = kind_of(value)
    old = after.get(name)
    if old is None:
        return
    if kind not in SETS or kind_of(old) != kind:
        raise invalid("An operand in the update expression has an incorrect data type")
    gone = {comparable({SETS[kind]: element}) for element in value[kind]}
    left = [e for e in old[kind] if comparable({SETS[kind]: e}) not in gone]
    if left:
        after[name] = {kind: left}
    else:
        del after[name]
