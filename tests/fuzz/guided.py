"""`python -m tests.fuzz.guided CORPUS [libFuzzer's options]`: mutations led by what they reach.

Needs atheris on the path (`make fuzz` sees to it). A violation ends the run; libFuzzer leaves the session that
led to it as a file.
"""

from __future__ import annotations

import random
import sys

import atheris

with atheris.instrument_imports(include=["receiver", "contract"]):
    from tests.fuzz.target import Target, seeds
from tests.fuzz.mutate import MOST_BYTES, mutate


def main() -> None:
    """Fuzz until libFuzzer's options say enough."""
    target = Target()
    sessions = seeds()

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        return mutate(data, random.Random(seed), sessions)[:max_size]  # noqa: S311 - nothing secret

    options = [*sys.argv, f"-max_len={MOST_BYTES}", "-len_control=0"]
    atheris.Setup(options, target.run, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
