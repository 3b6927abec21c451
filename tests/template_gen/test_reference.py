"""The reference pages say what the template says, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contract.metrics import Metric
from contract.reasons import QuarantineReason, WireReason
from contract.states import InstanceState
from receiver.status import Status
from template_gen.code_tables import UnexplainedError, explained
from template_gen.form import Text
from template_gen.meanings.found import log_events, preflight_sentences
from template_gen.reference import ALARM, PAGES, main, pages, rewritten, split, tables
from template_gen.table import LANGUAGES
from tests.template_gen.rendering import document, of_type
from tests.wire.peer import CLOSED, Answer
from tests.wire.table import CASES

DOCS = Path(__file__).parents[2] / "docs"
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def _first_cells(table: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def _files(folder: Path) -> list[Path]:
    return [folder / f"{page}{suffix}.md" for page in PAGES for suffix in LANGUAGES.values()]


def _written(answer: Answer) -> str:
    """Return an answer as the tables of reasons write it."""
    if answer == CLOSED:
        return "connection closed"
    if answer.what == "A-ASSOCIATE-RJ":
        return f"RJ {','.join(map(str, answer.numbers))}"
    return f"0x{answer.numbers[0]:04X}" if answer.what == "response" else answer.what


def test_the_pages_are_fresh() -> None:
    """What is committed is what the template says now."""
    stale = [path.name for path, text in pages(DOCS) if path.read_text(encoding="utf-8") != text]

    assert stale == [], "run `make template`, review the diff"


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_in_its_table_once(language: str) -> None:
    """What the template has, in its order of groups, and what the code has; nothing else."""
    made = tables(document(), language)

    assert sorted(_first_cells(made["parameters"])) == sorted(document()["Parameters"])
    assert _first_cells(made["outputs"]) == list(document()["Outputs"])
    assert _first_cells(made["alarms"]) == list(of_type(document()["Resources"], ALARM))
    assert _first_cells(made["metrics"]) == list(Metric)
    assert _first_cells(made["states"]) == list(InstanceState)
    assert _first_cells(made["statuses"]) == [f"0x{status:04X}" for status in Status]
    assert _first_cells(made["quarantine_reasons"]) == list(QuarantineReason)
    reasons = _first_cells(made["connection_reasons"]) + _first_cells(made["instance_reasons"])
    assert sorted(reasons) == sorted(WireReason)
    events = _first_cells(made["receiver_events"]) + _first_cells(made["importer_events"])
    assert sorted(events) == sorted({event.name for event in log_events()})


def test_each_page_is_in_its_own_language() -> None:
    """No Japanese in the English tables; Japanese in each row of the other's."""
    english, japanese = (tables(document(), language) for language in LANGUAGES)

    assert [name for name, table in english.items() if JAPANESE.search(table)] == []
    for table in japanese.values():
        rows = [line for line in table.splitlines() if line.startswith("| `")]
        assert [row for row in rows if not JAPANESE.search(row)] == []


def test_rules_that_differ_by_a_number_are_one_row() -> None:
    """Nineteen sentences about the number of servers help nobody."""
    rows = _first_cells(tables(document(), "en")["rules"])

    assert "ServersAtMostIsNotBelowN" in rows
    assert "MemoryFits1024CpuUnits" in rows
    assert len(rows) < len(document()["Rules"])


def test_an_alarm_says_when_it_is_raised() -> None:
    """Metric, limit, how long, and what silence means."""
    alarms = tables(document(), "en")["alarms"]

    assert "AWS/ECS CPUUtilization (Average) > 80, 3 x 5 min |" in alarms
    assert "HealthyHostCount (Maximum) < 1, 3 x 1 min, or no data |" in alarms
    assert "errors of its invocations (%) > 5, 1 x 5 min |" in alarms


def test_a_code_without_a_meaning_is_an_error() -> None:
    """So is a meaning without a code: no page can lack one, or keep one that is gone."""
    assert list(explained(iter("ab"), {"b": 2, "a": 1})) == [("a", 1), ("b", 2)]
    with pytest.raises(UnexplainedError, match=r"not explained \['b'\], gone \['c'\]"):
        list(explained(iter("ab"), {"a": 1, "c": 3}))


def test_the_answers_are_those_of_the_bad_input_table() -> None:
    """What a reason's row says the sender gets is what the table's raw peers do get."""
    made = tables(document(), "en")
    lines = (made["connection_reasons"] + made["instance_reasons"]).splitlines()
    said = {row[1].strip(" `"): row[2].split(" / ") for row in (line.split("|") for line in lines)}
    said = {code: [answer.strip() for answer in answers] for code, answers in said.items()}
    tried = {
        (case.logs[0].reason, _written(case.answers[0]))
        for case in CASES
        if len(case.logs) == 1 and case.answers
    }

    assert len(tried) > 20
    assert sorted((code, answer) for code, answer in tried if answer not in said[code]) == []


def test_log_events_are_found_however_they_are_written() -> None:
    """By method, by choice of level or of name, for a caught exception, as a document."""
    found = {event.name: event.levels for event in log_events()}

    assert found["store_failed"] == ("ERROR",)
    assert found["message_failed"] == ("INFO", "ERROR")
    assert found["originals_released"] == ("INFO",)
    assert found["tick_failed"] == ("ERROR",)
    assert found["metrics"] == ("INFO",)


def test_sentences_of_preflight_have_their_constants() -> None:
    """The parameter's name and the number are there, what a user chose is not known yet."""
    texts = {sentence.text.en for sentence in preflight_sentences()}

    assert (
        "PublicSubnetIDs: … has … free IP addresses; the load balancer needs 8, so free some or choose "
        "another subnet." in texts
    )
    assert len(texts) > 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Port. / ポート。", Text("Port.", "ポート。")),
        ("Raise A / B. / AかBを / 増やす。", Text("Raise A / B.", "AかBを / 増やす。")),
    ],
)
def test_two_languages_are_told_apart(text: str, expected: Text) -> None:
    """Also where the English one holds a slash."""
    assert split(text) == expected


def test_a_text_in_one_language_is_an_error() -> None:
    """It would be missing on the other page."""
    with pytest.raises(ValueError, match="not in two languages: Port"):
        split("Port.")


def test_a_table_without_a_place_is_an_error() -> None:
    """So is a place without a table; the text around stays."""
    page = "before\n<!-- begin: rules -->\nold\n<!-- end: rules -->\nafter\n"

    assert rewritten(page, {"rules": "new\n"}) == page.replace("old", "new")
    with pytest.raises(KeyError, match="outputs"):
        rewritten(page, {"rules": "", "outputs": ""})


def test_the_command_writes_every_page(tmp_path: Path) -> None:
    """From whatever stood between the marks."""
    for path in _files(DOCS):
        text = path.read_text(encoding="utf-8").replace("`VpcID`", "`Other`")
        (tmp_path / path.name).write_text(text.replace("`limit`", "`other`"), encoding="utf-8")

    assert main([str(tmp_path)]) == 0

    for path in _files(DOCS):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
