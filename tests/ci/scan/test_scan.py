"""The scanners' findings against the waivers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci.scan import checkov, guard
from ci.scan.findings import Finding, ScanError, Waiver, idle, unwaived
from ci.scan.waivers import CHECKOV, GUARD

QUEUE = Waiver(("C1",), ("*Queue",), "because")


def test_what_is_waived_is_no_problem_and_all_else_is() -> None:
    """By check and resource together."""
    waived, other_check, other_resource = (
        Finding("C1", "ImportQueue"),
        Finding("C2", "ImportQueue"),
        Finding("C1", "Bucket"),
    )

    assert unwaived([waived, other_check, other_resource], [QUEUE]) == [other_resource, other_check]


def test_a_waiver_without_a_finding_is_a_problem() -> None:
    """What is mended needs no waiver."""
    assert idle([Finding("C1", "Bucket")], [QUEUE]) == ["C1 *Queue"]
    assert idle([Finding("C1", "ImportQueue")], [QUEUE]) == []


@pytest.mark.parametrize("waiver", [*CHECKOV, *GUARD], ids=lambda w: w.checks[0])
def test_every_waiver_has_a_reason(waiver: Waiver) -> None:
    """A sentence, or where it stands."""
    assert waiver.reason.endswith(".")
    assert len(waiver.reason) > 30 or waiver.reason.removeprefix("As ").removesuffix(".") in {
        check for other in CHECKOV for check in other.checks
    }


def test_checkovs_report_is_read() -> None:
    """Check, logical ID and sentence."""
    failed = {"check_id": "C1", "resource": "AWS::SQS::Queue.ImportQueue", "check_name": "says"}
    report = {
        "results": {"failed_checks": [failed]},
        "summary": {"resource_count": 2, "parsing_errors": 0},
    }

    (found,) = checkov.findings_of(json.dumps(report), 1)

    assert (found.check, found.resource, found.says) == ("C1", "ImportQueue", "says")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"passed": 0, "failed": 0}',
        '{"results": {"failed_checks": []}, "summary": {"resource_count": 0, "parsing_errors": 0}}',
        '{"results": {"failed_checks": []}, "summary": {"resource_count": 9, "parsing_errors": 1}}',
    ],
    ids=["nothing", "list", "no results", "no resources", "unreadable template"],
)
def test_a_checkov_that_looked_at_nothing_is_an_error(text: str) -> None:
    """Silence is no pass."""
    with pytest.raises(ScanError):
        checkov.findings_of(text, 1)


@pytest.mark.parametrize("text", ["", "[]", '[{"name": "x"}]'])
def test_a_guard_that_looked_at_nothing_is_an_error(text: str) -> None:
    """Likewise."""
    with pytest.raises(ScanError):
        guard.findings_of(text, 1)


@pytest.mark.slow
def test_guard_finds_a_bucket_that_is_open(tmp_path: Path) -> None:
    """The real program with the real rules."""
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {"PublicAccessBlockConfiguration": {"BlockPublicAcls": False}},
    }
    template = tmp_path / "open.template.json"
    template.write_text(json.dumps({"Resources": {"Open": bucket}}))

    found = guard.guard([template])

    assert Finding("s3_bucket_level_public_access_prohibited_check", "Open") in found
