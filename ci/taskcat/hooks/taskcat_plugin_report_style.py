"""taskcat prehook: the report's style sheet is not fetched from GitHub.

taskcat asks for it when all stacks are there, and an exit code must not hang on who answers.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from taskcat import _generate_reports
from taskcat.testing._hooks import BaseTaskcatHook

STYLE = ".test-green { color: green } .test-red { color: red }"


class Hook(BaseTaskcatHook):  # type: ignore[misc]  # no types of taskcat's are read
    """Replaces the one request of the report."""

    def __init__(self, *_arguments: Any) -> None:
        """Replace it."""
        _generate_reports.requests = SimpleNamespace(get=_style)


def _style(_url: str, **_options: Any) -> SimpleNamespace:
    return SimpleNamespace(text=STYLE)
