"""`python -m tests.harness.product`: `make run` with a gate before the emulated services."""

from __future__ import annotations

import os
import sys

from local.product import Product
from local.settings import LocalSettings


class GatedProduct(Product):
    """The local product behind a gate."""

    AWS_MODULE = "tests.harness.aws"


def _say(line: str) -> None:
    sys.stdout.write(f"storescp: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(GatedProduct(LocalSettings.from_env(os.environ), os.environ, _say).run())
