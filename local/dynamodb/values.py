"""DynamoDB's attribute values: what is one, how two compare, how large one is.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]

MAX_ITEM_BYTES = 400 * 1024
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
ORDERED = ("S", "N", "B")
"""Types that have an order, and may be keys."""
SETS = {"SS": "S", "NS": "N", "BS": "B"}


class DynamoError(Exception):
    """The request is answered with an error; `more` are further members of it."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        self.code = code
        self.message = message
        self.more = more
        super().__init__(f"{code}: {message}")


def invalid(message: str) -> DynamoError:
    """Return a ValidationException."""
    return DynamoError("ValidationException", message)


def kind_of(value: Value) -> str:
    """Return a value's type: S, N, B, SS, ..."""
    return next(iter(value))


def check(value: Any) -> None:
    """Refuse what is no attribute value.

    Raises:
        DynamoError: ValidationException.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    [(kind, raw)] = value.items()
    if kind in ("L", "M"):
        for element in raw if kind == "L" else raw.values():
            check(element)
    elif kind in SETS:
        if not raw:
            raise invalid("An set may not be empty")
        if len({comparable({SETS[kind]: element}) for element in raw}) != len(raw):
            raise invalid("Input collection contains duplicates")
    elif kind not in (*ORDERED, "BOOL", "NULL"):
        raise invalid(f"Supplied AttributeValue has an unknown type: {kind}")
    comparable(dict(value))


def comparable(value: Value) -> tuple[str, Any]:
    """Return what is equal for equal values, and ordered for values of one ordered type."""
    [(kind, raw)] = value.items()
    try:
        return kind, _COMPARABLE.get(kind, lambda same: same)(raw)
    except (InvalidOperation, binascii.Error, TypeError):
        raise invalid("The parameter cannot be converted to a value of its type") from None


def _compares_set_of(kind: str) -> Callable[[Any], Any]:
    return lambda raw: frozenset(comparable({kind: element}) for element in raw)


_COMPARABLE: Mapping[str, Callable[[Any], Any]] = {
    "N": Decimal,
    "B": base64.b64decode,
    "L": lambda raw: tuple(map(comparable, raw)),
    "M": lambda raw: frozenset((name, comparable(element)) for name, element in raw.items()),
    **{kind: _compares_set_of(one) for kind, one in SETS.items()},
}


def added(old: Value | None, more: Value) -> Value:
    """Return `old` with `more` added, as ADD does: numbers are summed, sets united.

    Raises:
        DynamoError: They cannot be added.
    """
    kind = kind_of(more)
    if kind != "N" and kind not in SETS:
        raise invalid(f"Incorrect operand type for operator ADD: {kind}")
    if old is None:
        return more
    if kind_of(old) != kind:
        raise invalid("An operand in the update expression has an incorrect data type")
    if kind == "N":
        return {"N": number_text(Decimal(old["N"]) + Decimal(more["N"]))}
    known = {comparable({SETS[kind]: element}) for element in old[kind]}
    new = [e for e in more[kind] if comparable({SETS[kind]: e}) not in known]
    return {kind: [*old[kind], *new]}


def number_text(number: Decimal) -> str:
    """Return a number as DynamoDB writes it: no exponent, no zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size_of(item: Item) -> int:
    """Return an item's size in bytes, near enough: names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:
    [(kind, raw)] = value.items()
    return _SIZE.get(kind, lambda _: 1)(raw)


def _sizes_set_of(kind: str) -> Callable[[Any], int]:
    return lambda raw: sum(_size({kind: element}) for element in raw)


_SIZE: Mapping[str, Callable[[Any], int]] = {
    "S": lambda raw: len(raw.encode()),
    "N": lambda raw: len(raw) // 2 + 2,
    "B": lambda raw: len(raw) * 3 // 4,
    "L": lambda raw: 3 + sum(1 + _size(element) for element in raw),
    "M": lambda raw: 3 + sum(1 + len(name.encode()) + _size(e) for name, e in raw.items()),
    **{kind: _sizes_set_of(one) for kind, one in SETS.items()},
}
