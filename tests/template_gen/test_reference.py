"""The reference pages say what the template says, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from template_gen.form import Text
from template_gen.reference import ALARM, PAGES, main, pages, rewritten, split, tables
from tests.template_gen.rendering import document, of_type

DOCS = Path(__file__).parents[2] / "docs"
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def _first_cells(table: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_the_pages_are_fresh() -> None:
    """What is committed is what the template says now."""
    stale = [path.name for path, text in pages(DOCS) if path.read_text(encoding="utf-8") != text]

    assert stale == [], "run `make template`, review the diff"


@pytest.mark.parametrize("language", PAGES)
def test_everything_is_in_its_table_once(language: str) -> None:
    """Parameters, outputs and alarms, in the template's order of groups; nothing else."""
    made = tables(document(), language)

    assert sorted(_first_cells(made["parameters"])) == sorted(document()["Parameters"])
    assert _first_cells(made["outputs"]) == list(document()["Outputs"])
    assert _first_cells(made["alarms"]) == list(of_type(document()["Resources"], ALARM))


def test_each_page_is_in_its_own_language() -> None:
    """No Japanese in the English tables; Japanese in each row of the other's."""
    english, japanese = (tables(document(), language) for language in PAGES)

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
    assert "errors of all functions (%) > 5, 1 x 5 min |" in alarms


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


def test_the_command_writes_both_pages(tmp_path: Path) -> None:
    """From whatever stood between the marks."""
    for name in PAGES.values():
        text = (DOCS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("`VpcID`", "`Other`"), encoding="utf-8")

    assert main([str(tmp_path)]) == 0

    for name in PAGES.values():
        assert (tmp_path / name).read_bytes() == (DOCS / name).read_bytes()
