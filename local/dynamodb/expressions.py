"""DynamoDB's condition and update expressions, over attributes at the top of an item.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html. An expression is read
once and kept; what it is applied to are an item and the placeholders of its request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from local.dynamodb.functions import (
    ORDER,
    are_equal,
    begins_with,
    contains,
    is_ordered,
    summed,
    take_away,
)
from local.dynamodb.values import (
    Item,
    Value,
    added,
    invalid,
)

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|[#:]\d\w*|<>|<=|>=|[=<>+\-(),])")
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
        for name, compare in (("BEGINS_WITH", begins_with), ("CONTAINS", contains)):
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
            return lambda s: (
                is_ordered("<=", least(s), left(s)) and is_ordered("<=", left(s), most(s))
            )
        if self.accept("IN"):
            self.expect("(")
            choices = [self.operand()]
            while self.accept(","):
                choices.append(self.operand())
            self.expect(")")
            return lambda s: any(are_equal(left(s), choice(s)) for choice in choices)
        sign = self.take()
        right = self.operand()
        if sign == "=":
            return lambda s: are_equal(left(s), right(s))
        if sign == "<>":
            return lambda s: not are_equal(left(s), right(s))
        if sign not in ORDER:
            raise invalid(f"Syntax error; token: {sign!r}")
        return lambda s: is_ordered(sign, left(s), right(s))

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
                take_away(after, name, value)

        return merge

    def _sum(self) -> Operand:
        left = self._addend()
        for sign, factor in (("+", 1), ("-", -1)):
            if self.accept(sign):
                right = self._addend()
                return lambda scope: summed(left(scope), right(scope), factor)
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
