"""Lines of a job's output become states; values of a dataset never get through."""

from __future__ import annotations

import pytest

from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.answers import (
    Answer,
    OutputKind,
    UnreadableLineError,
    merge,
    named_elements,
    parse_line,
)


@pytest.mark.parametrize(
    ("kind", "line", "state"),
    [
        (OutputKind.SUCCESS, b'{"inputFile":"a","importResponse":{"isPrimary":true}}', "IMPORTED"),
        (OutputKind.SUCCESS, b'{"inputFile":"a","importResponse":{"isPrimary": True}}', "IMPORTED"),
        (
            OutputKind.SUCCESS,
            b'{"inputFile":"a","importResponse":{"isPrimary":"True"}}',
            "IMPORTED",
        ),
        (OutputKind.SUCCESS, b'{"inputFile":"a","importResponse":{}}', "IMPORTED"),
        (
            OutputKind.SUCCESS,
            b'{"inputFile":"a","importResponse":{"isPrimary": False}}',
            "IMPORTED_NON_PRIMARY",
        ),
        (
            OutputKind.WARNING,
            b'{"inputFile":"a","importResponse":{"isPrimary":true,"warnings":[]}}',
            "IMPORTED_WITH_WARNING",
        ),
        (
            OutputKind.WARNING,
            b'{"inputFile":"a","importResponse":{"isPrimary":false,"warnings":[]}}',
            "IMPORTED_NON_PRIMARY",
        ),
        (OutputKind.FAILURE, b'{"inputFile":"a","exception":{}}', "QUARANTINED"),
    ],
)
def test_a_line_is_a_state(kind: OutputKind, line: bytes, state: str) -> None:
    """Each list and flag leads to its state, JSON's or Python's spelling."""
    name, answer = parse_line(kind, line)

    assert (name, answer.state) == ("a", InstanceState(state))


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"inputFile":1}', b'"x"', b"\xff"])
def test_a_line_that_cannot_be_read_says_so(line: bytes) -> None:
    """A cut or foreign line is no answer."""
    with pytest.raises(UnreadableLineError):
        parse_line(OutputKind.SUCCESS, line)


def test_a_warned_file_in_two_lists_is_one_answer() -> None:
    """A file in success and warning is warned, with image set and codes of either."""
    answers = [
        ("a", Answer(state=InstanceState.IMPORTED, image_set_id="s")),
        ("a", Answer(state=InstanceState.IMPORTED_WITH_WARNING, warnings=(45330,))),
    ]
    expected = Answer(
        state=InstanceState.IMPORTED_WITH_WARNING, image_set_id="s", warnings=(45330,)
    )

    assert merge(answers) == {"a": expected}
    assert merge(reversed(answers)) == {"a": expected}


def test_imported_outranks_refused() -> None:
    """A file that both lists name is in HealthImaging."""
    refused = Answer(state=InstanceState.QUARANTINED, reason=QuarantineReason.IMPORT_REFUSED)
    imported = Answer(state=InstanceState.IMPORTED)

    assert merge([("a", refused), ("a", imported)]) == {"a": imported}


def test_a_message_keeps_names_of_attributes_only() -> None:
    """HealthImaging may quote a value; only keywords and tags come through."""
    message = "PatientName YAMADA^TARO (0010,0010) exceeds 256; StudyDate 19501231 of McDonald"
    line = f'{{"inputFile":"a","exception":{{"exceptionType":"ValidationException","message":"{message}"}}}}'

    _, answer = parse_line(OutputKind.FAILURE, line.encode())

    assert answer.elements == ("PatientName", "StudyDate", "(0010,0010)")
    assert answer.exception_type == "ValidationException"
    assert "YAMADA" not in repr(answer)
    assert named_elements("nothing here") == ()


def test_an_exception_type_that_is_no_name_is_dropped() -> None:
    """What does not look like a type could be a value."""
    line = b'{"inputFile":"a","exception":{"exceptionType":"YAMADA^TARO 1950"}}'

    assert parse_line(OutputKind.FAILURE, line)[1].exception_type == ""
