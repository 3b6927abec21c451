"""Whether numbers are whole: CloudFormation's type takes fractions, with which no server would start."""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.problems import Problem, fault
from importer.preflight.properties import WHOLE_NUMBERS, Properties


def check_numbers(p: Properties) -> Iterator[Problem]:
    """Check each `NAME=VALUE`."""
    for text in p.whole_numbers:
        name, _, value = text.partition("=")
        if not (value.isascii() and value.isdecimal()):
            yield fault(
                name,
                WHOLE_NUMBERS,
                en=f"{name}: {value} is not a whole number; type digits only.",
                ja=f"{name}の値（{value}）が整数ではないため、数字だけを入力してください。",
            )
