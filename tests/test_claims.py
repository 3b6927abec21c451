from __future__ import annotations

from dataclasses import dataclass

from tests.claims import shown


@dataclass
class Ran:
    """A test that ran."""

    nodeid: str


def test_what_ran_is_counted_once_and_what_failed_is_named() -> None:
    """Several tests of one number are one; one that fails takes the number with it."""
    passed = [
        Ran("tests/faults/test_receiver_faults.py::test_f05_s3_fails[503]"),
        Ran("tests/faults/test_receiver_faults.py::test_f05_s3_fails[500]"),
        Ran("tests/faults/test_template_faults.py::test_f26_no_update"),
        Ran("tests/wire/test_table.py::test_row[07 unknown PDU]"),
        Ran("tests/pnd_regress/test_weaknesses.py::test_only_bare_pynetdicom_has_it[P31 leak]"),
        Ran("tests/receiver/test_store.py::test_f99"),
    ]
    failed = [Ran("tests/wire/test_table.py::test_row[08 second request]")]

    assert shown(passed, failed) == [
        "faults: 2 of 33",
        "bad inputs: 1 of 56, failing: 8",
        "weaknesses: 1 of 31",
    ]
    assert shown([Ran("tests/test_claims.py::test_x")], []) == []
