"""F1 to F33: each has a test of its name; which of them one machine acts out, and which it cannot."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
FAULTS = frozenset(range(1, 34))
NOT_ACTED_OUT = {
    25: "a Region's outage: the guide, and the copy in another Region",
    26: "an update that would replace data: the template against the last release's",
    27: "a rollback in the middle: stored formats read by older and newer code, the circuit breaker",
    28: "the stack's deletion: what the template keeps",
}
"""CloudFormation and Regions are not on this machine."""
FEWEST_ACTED_OUT = 28
_NAMED = re.compile(r"^def test_f(\d\d)_\w+\(", re.MULTILINE)


def named_in(*modules: str) -> set[int]:
    """Return the faults that tests of these modules are named for."""
    texts = ((HERE / f"{module}.py").read_text(encoding="utf-8") for module in modules)
    return {int(number) for text in texts for number in _NAMED.findall(text)}


def test_every_fault_has_a_test_of_its_name() -> None:
    """What is not acted out is held by a test of the template, the formats or the guide."""
    acted = named_in("test_receiver_faults", "test_importer_faults")

    assert acted == FAULTS - NOT_ACTED_OUT.keys()
    assert named_in("test_template_faults") == NOT_ACTED_OUT.keys()
    assert len(acted) >= FEWEST_ACTED_OUT
