"""Assertions outside of test modules show their values too."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "tests.wire.stage", "tests.wire.rows_association", "tests.wire.rows_message"
)
pytest.register_assert_rewrite("tests.wire.rows_dataset", "tests.wire.rows_peer")
