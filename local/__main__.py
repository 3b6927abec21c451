"""`python -m local` (`make run`): the whole product on this machine."""

from __future__ import annotations

import os
import sys

from contract.settings import SettingsError
from local.data_dir import DataDirError
from local.ports import PortTakenError
from local.product import Product
from local.settings import LocalSettings

EXIT_USAGE = 2


def main() -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code."""
    try:
        settings = LocalSettings.from_env(os.environ)
        product = Product(settings, os.environ, _say)
    except (SettingsError, PortTakenError, DataDirError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    return product.run()


def _say(line: str) -> None:
    sys.stdout.write(f"storescp: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
