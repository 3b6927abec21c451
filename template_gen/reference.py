"""`python -m template_gen.reference FOLDER`: rewrite the tables between the marks in the reference pages.

The tables say what the template and the code say, in one language each; the text around them is written by
hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from template_gen.code_tables import UnexplainedError, code_tables
from template_gen.form import INTERFACE, Text
from template_gen.stack import build_template
from template_gen.table import LANGUAGES, head, in_language, row

PAGES = {
    "reference": ("parameters", "rules", "preflight", "outputs", "alarms", "metrics"),
    "codes": (
        "states",
        "quarantine_reasons",
        "statuses",
        "connection_reasons",
        "instance_reasons",
        "receiver_events",
        "importer_events",
    ),
}
"""The tables of each page; its file is `<page>.md` in English, `<page>.ja.md` in Japanese."""
ALARM = "AWS::CloudWatch::Alarm"
_MANY = 8
_MINUTE_S = 60
_MARKED = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_NUMBER = re.compile(r"\d+$")
_COMPARISONS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}
_SAID = {
    "parameter": Text("Parameter", "パラメータ"),
    "label": Text("On the form", "画面表示"),
    "default": Text("Default", "デフォルト"),
    "allowed": Text("Takes", "入力できる値"),
    "meaning": Text("Meaning", "説明"),
    "required": Text("required", "必須"),
    "empty": Text("empty", "空"),
    "output": Text("Output", "出力"),
    "when": Text("When", "条件"),
    "always": Text("always", "常に"),
    "alarm": Text("Alarm", "アラーム"),
    "raised": Text("Raised when", "発生条件"),
    "rule": Text("Rule", "ルール"),
    "says": Text("What it says", "表示される説明"),
    "minutes": Text("min", "分"),
    "no_data": Text("or no data", "またはデータなし"),
    "errors": Text("errors of its invocations (%)", "関数のエラー率（%）"),
}


def tables(document: Mapping[str, Any], language: str) -> dict[str, str]:
    """Return every table in a language ("en", "ja") by its name in the marks.

    Raises:
        UnexplainedError: A code has no meaning, or a meaning no code.
    """
    makers: dict[str, _Maker] = {
        "parameters": _parameters,
        "rules": _rules,
        "outputs": _outputs,
        "alarms": _alarms,
    }
    made = {name: list(make(document, language)) for name, make in makers.items()}
    return {name: "\n".join(lines) + "\n" for name, lines in (made | code_tables(language)).items()}


def rewritten(page: str, made: Mapping[str, str]) -> str:
    """Return a page with its tables.

    Raises:
        KeyError: A table has no place, or a place no table.
    """
    places = [match[2] for match in _MARKED.finditer(page)]
    if sorted(places) != sorted(made):
        raise KeyError(f"the page has places for {places}, there are {sorted(made)}")
    return _MARKED.sub(lambda match: match[1] + made[match[2]] + match[3], page)


def split(text: str) -> Text:
    """Return the two sentences of a text that the template shows in both languages.

    The English one may hold a slash too, the Japanese one does not begin with Latin letters up to one.
    """
    parts = text.split(" / ")
    for count in range(len(parts) - 1, 0, -1):
        english = " / ".join(parts[:count])
        if english.isascii():
            return Text(english, " / ".join(parts[count:]))
    raise ValueError(f"not in two languages: {text}")


_Maker = Callable[[Mapping[str, Any], str], Iterator[str]]


def _parameters(document: Mapping[str, Any], language: str) -> Iterator[str]:
    interface = document["Metadata"][INTERFACE]
    for group in interface["ParameterGroups"]:
        yield f"### {in_language(split(group['Label']['default']), language)}"
        yield ""
        yield from _head(language, "parameter", "label", "default", "allowed", "meaning")
        for name in group["Parameters"]:
            parameter = document["Parameters"][name]
            label = split(interface["ParameterLabels"][name]["default"])
            yield row(
                f"`{name}`",
                in_language(label, language),
                _default(parameter, language),
                _allowed(parameter, language),
                in_language(split(parameter["Description"]), language),
            )
        yield ""


def _default(parameter: Mapping[str, Any], language: str) -> str:
    if "Default" not in parameter:
        return _said("required", language)
    return f"`{parameter['Default']}`" if parameter["Default"] else _said("empty", language)


def _allowed(parameter: Mapping[str, Any], language: str) -> str:
    values = parameter.get("AllowedValues", [])
    if len(values) > _MANY:
        return f"`{values[0]}` ... `{values[-1]}`"
    if values:
        return ", ".join(f"`{value}`" for value in values)
    if "ConstraintDescription" in parameter:
        return in_language(split(parameter["ConstraintDescription"]), language)
    if "MinValue" in parameter:
        return f"{parameter['MinValue']}-{parameter['MaxValue']}"
    return f"`{parameter['Type']}`"


def _rules(document: Mapping[str, Any], language: str) -> Iterator[str]:
    yield from _head(language, "rule", "says")
    for rows in _alike(document["Rules"], language).values():
        (name, sentence), *others = rows
        if others:
            name, sentence = _numberless(name, sentence)
        yield row(f"`{name}`", sentence)


def _alike(rules: Mapping[str, Any], language: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return name and sentence of each rule, those together that differ by one number only."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, rule in rules.items():
        texts = dict.fromkeys(assertion["AssertDescription"] for assertion in rule["Assertions"])
        sentence = " ".join(in_language(split(text), language) for text in texts)
        found.setdefault(_numberless(name, sentence), []).append((name, sentence))
    return found


def _numberless(name: str, sentence: str) -> tuple[str, str]:
    number = _NUMBER.search(name)
    if number is None:
        return name, sentence
    return _NUMBER.sub("N", name), re.sub(rf"(?<!\d){number[0]}(?!\d)", "N", sentence)


def _outputs(document: Mapping[str, Any], language: str) -> Iterator[str]:
    yield from _head(language, "output", "when", "meaning")
    for name, output in document["Outputs"].items():
        condition = output.get("Condition")
        yield row(
            f"`{name}`",
            f"`{condition}`" if condition else _said("always", language),
            in_language(split(output["Description"]), language),
        )


def _alarms(document: Mapping[str, Any], language: str) -> Iterator[str]:
    yield from _head(language, "alarm", "raised", "meaning")
    for name, body in document["Resources"].items():
        if body["Type"] == ALARM:
            alarm = body["Properties"]
            meaning = in_language(split(alarm["AlarmDescription"]), language)
            yield row(f"`{name}`", _condition(alarm, language), meaning)


def _condition(alarm: Mapping[str, Any], language: str) -> str:
    if "MetricName" in alarm:
        measured = f"{alarm['Namespace']} {alarm['MetricName']} ({alarm['Statistic']})"
        period_s = alarm["Period"]
    else:
        measured = _said("errors", language)
        period_s = next(q["MetricStat"]["Period"] for q in alarm["Metrics"] if "MetricStat" in q)
    limit = f"{_COMPARISONS[alarm['ComparisonOperator']]} {alarm['Threshold']:g}"
    lasting = f"{alarm['EvaluationPeriods']} x {period_s // _MINUTE_S} {_said('minutes', language)}"
    silent = f", {_said('no_data', language)}" if alarm["TreatMissingData"] == "breaching" else ""
    return f"{measured} {limit}, {lasting}{silent}"


def _head(language: str, *names: str) -> list[str]:
    return head((_SAID[name] for name in names), language)


def _said(name: str, language: str) -> str:
    return in_language(_SAID[name], language)


def pages(folder: Path) -> Iterable[tuple[Path, str]]:
    """Return each page with the text that it should have.

    Raises:
        UnexplainedError: A code has no meaning, or a meaning no code.
        KeyError: A table has no place, or a place no table.
    """
    document = build_template().to_dict()
    for language, suffix in LANGUAGES.items():
        made = tables(document, language)
        for page, names in PAGES.items():
            path = folder / f"{page}{suffix}.md"
            text = path.read_text(encoding="utf-8")
            yield path, rewritten(text, {name: made[name] for name in names})


def main(arguments: list[str]) -> int:
    """Rewrite the pages in the folder that `arguments` name."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m template_gen.reference FOLDER\n")
        return 2
    try:
        made = list(pages(Path(arguments[0])))
    except UnexplainedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path, text in made:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
