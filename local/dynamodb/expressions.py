"""DynamoDB's condition and update expressions, over attributes at the top of an item.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html. An expression is read
once and kept; what it is applied to are an item and the placeholders of its request.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from local.dynamodb.values import (
    ORDERED,
    SETS,
    Item,
    Value,
    added,
    comparable,
    invalid,
    kind_of,
    number_text,
)

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|[#:]\d\w*|<>|<=|>=|[=<>+\-(),])")
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SECTIONS = ("SET", "ADD", "REMOVE", "DELETE")


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression is applied to: an item (as it was) and the request's placeholders."""

    item: Item
    names: Mapping[str, str]
    values: Mapping[str, Value]


Operand = Callable[[Scope], Value | None]
Test = Callable[[Scope], bool]
Change = Callable[[Scope, Item], None]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition expression; `used` are its placeholders."""

    holds: Test
    used: frozenset[str]


@dataclass(frozen=True, slots=True)
class Update:
    """An update expression; `paths` are the attributes that it changes, as written."""

    changes: tuple[Change, ...]
    paths: tuple[str, ...]
    used: frozenset[str]

    def apply(self, scope: Scope) -> Item:
        """Return the item afterwards; every clause sees it as it was."""
        after = dict(scope.item)
        for change in self.changes:
            change(scope, after)
        return after


@lru_cache(maxsize=512)
def read_condition(text: str) -> Condition:
    """Read a condition, key condition or filter expression.

    Raises:
        DynamoError: It cannot be read.
    """
    reader = _Reader(text)
    test = reader.alternatives()
    reader.end()
    return Condition(test, reader.used)


@lru_cache(maxsize=512)
def read_update(text: str) -> Update:
    """Read an update expression.

    Raises:
        DynamoError: It cannot be read.
    """
    reader = _Reader(text)
    changes: list[Change] = []
    paths: list[str] = []
    while not reader.at_end:
        section = reader.take().upper()
        if section not in _SECTIONS:
            raise invalid(f'Invalid UpdateExpression: Syntax error; token: "{section}"')
        while True:
            path = reader.take()
            paths.append(path)
            changes.append(reader.change(section, path))
            if not reader.accept(","):
                break
    if len(set(paths)) != len(paths):
        raise invalid("Invalid UpdateExpression: Two document paths overlap with each other")
    return Update(tuple(changes), tuple(paths), reader.used)


def attribute(path: str, names: Mapping[str, str]) -> str:
    """Return the attribute that a path means.

    Raises:
        DynamoError: The placeholder is not defined.
    """
    if not path.startswith("#"):
        return path
    if path not in names:
        raise invalid(
            f"An expression attribute name used in the document path is not defined: {path}"
        )
    return names[path]


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        text = text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise invalid(f"Not read here: {text[at : at + 20]!r} (only attributes at the top)")
            self._tokens.append(match[1])
            at = match.end()
        self._next = 0
        self.used = frozenset(token for token in self._tokens if token[0] in "#:")

    @property
    def at_end(self) -> bool:
        return self._next >= len(self._tokens)

    def take(self) -> str:
        if self.at_end:
            raise invalid("Syntax error: the expression ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def accept(self, wanted: str) -> bool:
        if not self.at_end and self._tokens[self._next].upper() == wanted:
            self._next += 1
            return True
        return False

    def expect(self, wanted: str) -> None:
        if not self.accept(wanted):
            found = "<EOF>" if self.at_end else self._tokens[self._next]
            raise invalid(f"Syntax error; token: {found!r}, {wanted!r} was expected")

    def end(self) -> None:
        if not self.at_end:
            raise invalid(f"Syntax error; token: {self._tokens[self._next]!r}")

    # Conditions

    def alternatives(self) -> Test:
        tests = [self._all()]
        while self.accept("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda scope: any(test(scope) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self.accept("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda scope: all(test(scope) for test in tests)

    def _one(self) -> Test:
        if self.accept("NOT"):
            test = self._one()
            return lambda scope: not test(scope)
        if self.accept("("):
            test = self.alternatives()
            self.expect(")")
            return test
        for name, exists in (("ATTRIBUTE_EXISTS", True), ("ATTRIBUTE_NOT_EXISTS", False)):
            if self.accept(name):
                path = self._in_brackets()
                return lambda scope: (attribute(path, scope.names) in scope.item) is exists
        for name, compare in (("BEGINS_WITH", _begins_with), ("CONTAINS", _contains)):
            if self.accept(name):
                self.expect("(")
                whole = self.operand()
                self.expect(",")
                part = self.operand()
                self.expect(")")
                return lambda scope: compare(whole(scope), part(scope))
        return self._comparison()

    def _comparison(self) -> Test:
        left = self.operand()
        if self.accept("BETWEEN"):
            least = self.operand()
            self.expect("AND")
            most = self.operand()
            return lambda s: _ordered("<=", least(s), left(s)) and _ordered("<=", left(s), most(s))
        if self.accept("IN"):
            self.expect("(")
            choices = [self.operand()]
            while self.accept(","):
                choices.append(self.operand())
            self.expect(")")
            return lambda s: any(_equal(left(s), choice(s)) for choice in choices)
        sign = self.take()
        right = self.operand()
        if sign == "=":
            return lambda s: _equal(left(s), right(s))
        if sign == "<>":
            return lambda s: not _equal(left(s), right(s))
        if sign not in _ORDER:
            raise invalid(f"Syntax error; token: {sign!r}")
        return lambda s: _ordered(sign, left(s), right(s))

    def _in_brackets(self) -> str:
        self.expect("(")
        path = self.take()
        self.expect(")")
        return path

    def operand(self) -> Operand:
        token = self.take()
        if token.startswith(":"):
            return lambda scope: _value(token, scope)
        if token[0] in "(),=<>+-":
            raise invalid(f"Syntax error; token: {token!r}")
        return lambda scope: scope.item.get(attribute(token, scope.names))

    # Updates

    def change(self, section: str, path: str) -> Change:
        if section == "REMOVE":

            def remove(scope: Scope, after: Item) -> None:
                after.pop(attribute(path, scope.names), None)

            return remove
        if section == "SET":
            self.expect("=")
            operand = self._sum()

            def put(scope: Scope, after: Item) -> None:
                value = operand(scope)
                if value is None:
                    raise invalid(
                        "The provided expression refers to an attribute that does not exist"
                    )
                after[attribute(path, scope.names)] = value

            return put
        operand = self.operand()

        def merge(scope: Scope, after: Item) -> None:
            name, value = attribute(path, scope.names), operand(scope)
            if value is None:
                raise invalid("The provided expression refers to an attribute that does not exist")
            if section == "ADD":
                after[name] = added(scope.item.get(name), value)
            else:
                _take_away(after, name, value)

        return merge

    def _sum(self) -> Operand:
        left = self._addend()
        for sign, factor in (("+", 1), ("-", -1)):
            if self.accept(sign):
                right = self._addend()
                return lambda scope: _summed(left(scope), right(scope), factor)
        return left

    def _addend(self) -> Operand:
        if not self.accept("IF_NOT_EXISTS"):
            return self.operand()
        self.expect("(")
        path = self.take()
        self.expect(",")
        default = self.operand()
        self.expect(")")
        return lambda s: s.item.get(attribute(path, s.names)) or default(s)


def _value(token: str, scope: Scope) -> Value:
    if token not in scope.values:
        raise invalid(f"An expression attribute value used in expression is not defined: {token}")
    return scope.values[token]


def _equal(left: Value | None, right: Value | None) -> bool:
    return left is not None and right is not None and comparable(left) == comparable(right)


def _ordered(sign: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None or kind_of(left) != kind_of(right):
        return False
    if kind_of(left) not in ORDERED:
        raise invalid(f"Incorrect operand type for operator {sign}: {kind_of(left)}")
    return _ORDER[sign](comparable(left)[1], comparable(right)[1])


def _begins_with(whole: Value | None, part: Value | None) -> bool:
    if whole is None or part is None or kind_of(whole) != kind_of(part):
        return False
    return bool(comparable(whole)[1][: len(comparable(part)[1])] == comparable(part)[1])


def _contains(whole: Value | None, part: Value | None) -> bool:
    if whole is None or part is None:
        return False
    if kind_of(whole) == kind_of(part) == "S":
        return part["S"] in whole["S"]
    return SETS.get(kind_of(whole)) == kind_of(part) and comparable(part) in comparable(whole)[1]


def _summed(left: Value | None, right: Value | None, factor: int) -> Value:
    if left is None or right is None:
        raise invalid("The provided expression refers to an attribute that does not exist")
    if kind_of(left) != "N" or kind_of(right) != "N":
        raise invalid("An operand in the update expression has an incorrect data type")
    return {"N": number_text(Decimal(left["N"]) + factor * Decimal(right["N"]))}


def _take_away(after: Item, name: str, value: Value) -> None:
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
