"""Say in one sentence that this Python is too old; runs on any Python 3."""

import platform
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this very check
    sys.exit(
        "setup: Python 3.11 or newer is needed, this is {}. "
        "Name one with: make PYTHON=python3.11 ...".format(platform.python_version())  # noqa: UP032 - must parse on old ones
    )
