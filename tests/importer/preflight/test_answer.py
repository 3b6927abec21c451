from __future__ import annotations

import json

import pytest

from importer.preflight.answer import (
    FAILED,
    MAX_BYTES,
    SUCCESS,
    Answer,
    answer_of,
    clean,
    document,
    sentences,
)
from importer.preflight.problems import Problem, fault, warning
from importer.preflight.request import Request
from importer.preflight.verdict import Verdict
from tests.importer.preflight.builders import STACK_ARN

REQUEST = Request.of(
    {
        "RequestType": "Create",
        "ResponseURL": "http://127.0.0.1/answer",
        "StackId": STACK_ARN,
        "RequestId": "r-1",
        "LogicalResourceId": "Preflight",
    }
)


def problem(number: int, length: int = 40) -> Problem:
    return fault("VpcID", en=f"VpcID {number}.", ja=f"VpcID{number}" + "長" * length + "。")


def test_answer_echoes_what_cloudformation_compares() -> None:
    """Stack, request and resource come back as they came; the resource's name does not change."""
    answered = json.loads(document(REQUEST, Answer(status=SUCCESS, data={"Warnings": "なし"})))

    assert answered == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "storescp-preflight-0a1b2c3d",
        "StackId": STACK_ARN,
        "RequestId": "r-1",
        "LogicalResourceId": "Preflight",
        "Data": {"Warnings": "なし"},
    }


def test_existing_name_is_kept() -> None:
    """An update that names the resource anew would make CloudFormation delete the old one."""
    event = {"ResponseURL": "x", "PhysicalResourceId": "given", "StackId": STACK_ARN}

    assert Request.of(event).physical_id == "given"


def test_one_fault_is_the_whole_reason() -> None:
    """English, then Japanese, and nothing before them that the console would show instead."""
    answer = answer_of(Verdict(stopping=(problem(1, 2),), notes={"network": "Throttling"}))

    assert answer.status == FAILED
    assert answer.reason == "VpcID 1. / VpcID1長長。"


def test_every_fault_is_in_the_reason() -> None:
    """Numbered, the most helpful first, each once."""
    reason = sentences([problem(1, 1), problem(2, 1), problem(1, 1)], 4_000)

    assert reason == "(1) VpcID 1. / VpcID1長。 (2) VpcID 2. / VpcID2長。"


@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("length", [10, 500, 2_000])
def test_answer_is_never_too_long(count: int, length: int) -> None:
    """CloudFormation drops an answer of more than 4,096 bytes, and the stack waits for an hour."""
    answer = answer_of(Verdict(stopping=tuple(problem(n, length) for n in range(count)), notes={}))
    body = document(REQUEST, answer)

    assert len(body) <= MAX_BYTES
    assert json.loads(body)["Reason"].startswith(("VpcID 0.", "(1) VpcID 0."))


def test_faults_without_room_are_counted() -> None:
    """The reader learns that there are more; the log is gone with a stack that was rolled back."""
    reason = sentences([problem(n, 300) for n in range(9)], 4_000)

    assert reason.endswith("ほか5件は、上記の修正後に表示されます)")
    assert "+5 more, said once these are mended" in reason
    assert "(4) VpcID 3." in reason


def test_success_always_has_the_same_data() -> None:
    """Fn::GetAtt of a name that is not there would fail the stack."""
    assert answer_of(Verdict(notes={})).data == {
        "Warnings": "none / なし",
        "NotChecked": "none / なし",
    }


def test_success_says_warnings_and_what_was_not_checked() -> None:
    """Both fit, however many there are."""
    said = tuple(warning("VpcID", en=f"{n}.", ja="長" * 300) for n in range(20))
    notes = {f"topic {n}": "AccessDenied" for n in range(200)}
    answer = answer_of(Verdict(said=said, notes=notes))
    body = document(REQUEST, answer)

    assert answer.status == SUCCESS
    assert answer.data["Warnings"].startswith("(1) 0. / 長長")
    assert answer.data["NotChecked"].startswith("topic 0 (AccessDenied); topic 1 (AccessDenied)")
    assert len(body) <= MAX_BYTES


def test_reason_has_no_control_characters() -> None:
    """One escape character in a reason, and the console shows none of the stack's events."""
    assert clean('a\x1b[31m\n\t"b"\\\u200b日本') == "a [31m  'b'/ 日本"
