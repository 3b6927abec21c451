"""The pages hang together: links lead somewhere, both languages say the same, names exist."""

from __future__ import annotations

import itertools
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from contract.metrics import Metric
from contract.reasons import QuarantineReason, WireReason
from contract.states import BatchState, InstanceState
from importer.domain.commands import Command
from importer.preflight.checks.key import needed_policy
from importer.preflight.request import Stack
from receiver.settings import Settings
from template_gen.meanings.found import log_events
from template_gen.reference import ALARM
from template_gen.reference import PAGES as TABLES
from tests.docs.pages import DOCS, JAPANESE, ROOT, Page, all_pages, pairs
from tests.template_gen.rendering import document, of_type

GUIDE = DOCS / "guide"
PAGES = {page.name: page for page in all_pages()}
PAIRS = {japanese.name: (english, japanese) for english, japanese in pairs()}
FOR_OPERATORS = {
    *(
        path.relative_to(ROOT).as_posix()
        for path in GUIDE.glob("*.md")
        if JAPANESE not in path.name
    ),
    *(f"docs/{page}.md" for page in TABLES),
}
"""The guide and the pages of tables."""
NAME = re.compile(r"[A-Z][a-z]+[A-Za-z0-9]*[A-Z][A-Za-z0-9]*|[A-Z]{2,}[a-z][A-Za-z0-9]*")
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
KANA = re.compile(r"[\u3040-\u30ff]")
AFTER_STOP = re.compile(r"。(?!$|[）」』】])")
ODD_EMPHASIS = re.compile(r"\w\*\*[「（]|[」）。]\*\*\w")
FIELDS = {
    "contexts_refused", "calling_ae_title", "called_ae_title", "sop_instance_uid",
}  # fmt: skip
"""Fields of log events that pages name."""


@cache
def _known_names() -> set[str]:
    """Return every name of the form FooBar that is the product's or AWS's."""
    rendered: dict[str, Any] = document()
    session = botocore.session.get_session()
    operations = {
        operation
        for service in ("medical-imaging", "s3", "ecs", "lambda")
        for operation in session.get_service_model(service).operation_names
    }
    deploy = json.loads((ROOT / "dist" / "deploy-role.template.json").read_text(encoding="utf-8"))
    names: set[str] = (
        rendered["Parameters"].keys()
        | rendered["Outputs"].keys()
        | rendered["Resources"].keys()
        | rendered["Conditions"].keys()
        | rendered["Rules"].keys()
        | {re.sub(r"\d+$", "N", rule) for rule in rendered["Rules"]}  # rows for many rules
        | deploy["Parameters"].keys()
        | deploy["Outputs"].keys()
        | set(Metric)
        | operations
        | {"StoreSCP"}
    )
    return names


@cache
def _known_codes() -> set[str]:
    return (
        {*WireReason, *QuarantineReason, *(event.name for event in log_events()), *FIELDS}
        | {state.value for state in (*InstanceState, *BatchState)}
        | set(Settings.specs())
    )


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """To a file that exists and, behind a #, to one of its headings."""
    page = PAGES[name]
    broken = []
    for link in page.links:
        if re.match(r"https?://", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        if not path.exists() or (anchor and anchor not in Page(path).anchors):
            broken.append(link)

    assert broken == []


def test_each_page_for_operators_is_in_both_languages() -> None:
    """Other pages are for those who change or publish the product."""
    assert FOR_OPERATORS <= {english.name for english, _ in PAIRS.values()}
    assert [e.name for e, _ in PAIRS.values() if not e.path.exists()] == []


@pytest.mark.parametrize("name", PAIRS)
def test_both_languages_have_the_same_structure(name: str) -> None:
    """Headings, blocks, tables and links. A page for developers may be shorter in Japanese."""
    english, japanese = PAIRS[name]

    assert [level for level, _ in english.headings] == [level for level, _ in japanese.headings]
    assert [each for each in _commands(japanese) if each not in _commands(english)] == []
    if english.name not in FOR_OPERATORS:
        return
    assert _commands(english) == _commands(japanese)
    assert _rows(english) == _rows(japanese)
    assert _targets(english) == _targets(japanese)


def _commands(page: Page) -> list[tuple[str, str]]:
    return [(b.info, b.text if b.info != "text" else "") for b in page.blocks]


def _rows(page: Page) -> list[int]:
    """Return the number of columns of each row of each table."""
    rows = [line for _, line in page.prose if line.startswith("|")]
    return [len(re.split(r"(?<!\\)\|", row)) for row in rows]


def _targets(page: Page) -> list[str]:
    """Return where a page links to, in any language; the link to its own other language left out."""
    names = [link.partition("#")[0].replace(JAPANESE, ".md") for link in page.links]
    own = page.path.name.replace(JAPANESE, ".md")
    return sorted(name for name in names if name not in ("", own) and "://" not in name)


@pytest.mark.parametrize("name", PAIRS)
def test_a_japanese_line_is_one_sentence(name: str) -> None:
    """Of running text; items and tables may hold more. Each page is Japanese at all."""
    page = PAIRS[name][1]
    running = [
        f"{number}: {line}"
        for number, line in page.prose
        if not re.match(r"[|#*\-<]| *\d+\. ", line)
    ]

    assert [line for line in running if AFTER_STOP.search(line)] == []
    assert len([line for _, line in page.prose if KANA.search(line)]) > len(page.headings)


@pytest.mark.parametrize("name", PAGES)
def test_emphasis_is_shown(name: str) -> None:
    """Marks between a letter and a bracket are shown as asterisks (CommonMark 6.2, flanking)."""
    odd = [line for _, line in PAGES[name].prose if ODD_EMPHASIS.search(line)]

    assert odd == []


@pytest.mark.parametrize("name", PAGES)
def test_names_exist(name: str) -> None:
    """What a page names as code is a parameter, output, resource, metric, code, event, ... of today."""
    spans = {span for span in PAGES[name].spans if not name.startswith("CHANGELOG")}
    names = {span for span in spans if NAME.fullmatch(span)}
    codes = {span for span in spans if CODE.fullmatch(span)}
    events = {
        event
        for block in PAGES[name].blocks
        for event in re.findall(r"event = \"(\w+)\"", block.text)
    }

    if name == "README.md" or name.replace(JAPANESE, ".md") in FOR_OPERATORS:
        assert sorted(names - _known_names()) == []
        assert sorted(codes - _known_codes()) == []
    assert sorted(events - {event.name for event in log_events()}) == []


@pytest.mark.parametrize("language", ["", ".ja"])
def test_each_alarm_has_its_section(language: str) -> None:
    """In the order of the template, which is that of urgency; and no section of another."""
    page = PAGES[f"docs/guide/08-alarms{language}.md"]
    sections = [text.strip("`") for level, text in page.headings if level == 3]

    assert sections == list(of_type(document()["Resources"], ALARM))


@pytest.mark.parametrize("language", ["", ".ja"])
def test_the_guide_names_every_parameter_and_output(language: str) -> None:
    """Somewhere in its pages, besides the tables of the reference."""
    spans = {
        span
        for page in PAGES.values()
        if page.path.parent == GUIDE and page.name.endswith(JAPANESE) == bool(language)
        for span in page.spans
    }
    expected = document()["Parameters"].keys() | {
        "NetworkLoadBalancerDNS", "DICOMPort", "DICOMAETitle", "DashboardURL", "HealthImagingURL",
        "AlarmTopicARN", "DatastoreID", "ReceiverLogGroupName",
    }  # fmt: skip

    assert sorted(expected - spans) == []


@pytest.mark.parametrize("language", ["", ".ja"])
def test_the_index_names_every_page(language: str) -> None:
    """In order, and each page leads back to it and on to its neighbours."""
    index = PAGES[f"docs/guide/README{language}.md"]
    names = [path.name for path in _guide_pages(language)]
    listed = [link for link in index.links if re.match(r"\d\d-", link)]

    assert listed == names
    for before, after in itertools.pairwise(names):
        assert after in PAGES[f"docs/guide/{before}"].links
        assert before in PAGES[f"docs/guide/{after}"].links


def _guide_pages(language: str) -> list[Path]:
    suffix = f"{language}.md"
    return sorted(
        path
        for path in GUIDE.glob("[0-9]*.md")
        if path.name.endswith(JAPANESE) == (suffix == JAPANESE)
    )


def test_the_readme_leads_to_both_languages() -> None:
    """Whoever opens the project finds the guide."""
    links = PAGES["README.md"].links

    assert "docs/guide/README.md" in links
    assert "docs/guide/README.ja.md" in links


@pytest.mark.parametrize("name", PAGES)
def test_json_can_be_read(name: str) -> None:
    """A command of an operator is one that the function takes."""
    for block in PAGES[name].blocks:
        if block.info == "json" and "<" not in block.text:
            for line in re.split(r"\n(?=\{)", block.text.strip()):
                content = json.loads(line)
                if "action" in content:
                    Command.parse(content)


@pytest.mark.parametrize("language", ["", ".ja"])
def test_the_key_policy_is_the_one_that_preflight_asks_for(language: str) -> None:
    """For an account of twelve digits."""
    stack = Stack(arn="", partition="aws", region="us-east-1", account="123456789012")
    page = PAGES[f"docs/guide/11-data-protection{language}.md"]
    (policy,) = [json.loads(block.text) for block in page.blocks if block.info == "json"]

    assert policy["Statement"] == needed_policy(stack)
