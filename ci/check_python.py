"""Say in one sentence that this Python is too old; runs on any Python 3."""

import platform
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this very check
    sys.exit(
        f"setup: Python 3.11 or newer is needed, this is {platform.python_version()}. "
        "Name one with: make PYTHON=python3.11 ..."
    )
