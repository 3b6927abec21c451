"""The tables of what the code itself says: Preflight, metrics, states, statuses, reason codes, log events.

Everything that the code has must have its meaning, and the reverse: a code that nobody has explained stops
`make template`, so no page can lack it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from contract.metrics import Metric
from contract.reasons import QuarantineReason, WireReason
from contract.states import InstanceState
from contract.text import Text
from importer.preflight.problems import Severity
from receiver.status import Status
from template_gen.meanings.connection_reasons import CONNECTION_REASONS
from template_gen.meanings.events import IMPORTER_EVENTS, RECEIVER_EVENTS
from template_gen.meanings.found import log_events, preflight_sentences
from template_gen.meanings.instance_reasons import INSTANCE_REASONS, quarantine_meaning
from template_gen.meanings.metrics import METRICS
from template_gen.meanings.reason import Reason
from template_gen.meanings.states import STATES, STATUSES
from template_gen.table import head, in_language, row

_CODE = Text("Code", "コード")
_MEANING = Text("Meaning", "意味")
_REMEDY = Text("What to do", "対処")
_EVENTS = {"receiver": RECEIVER_EVENTS, "importer": IMPORTER_EVENTS}
_SEVERITIES = {
    Severity.FAULT: Text("stops the stack", "スタックを停止"),
    Severity.WARNING: Text("only said", "通知のみ"),
}
_ANSWERED_CLOSED = Text("connection closed", "接続を切断")

_K = TypeVar("_K")
_V = TypeVar("_V")


class UnexplainedError(Exception):
    """The code and what is said of it differ; the message names what."""


def explained(codes: Iterator[_K], meanings: Mapping[_K, _V]) -> Iterator[tuple[_K, _V]]:
    """Return each code with its meaning, in the codes' order.

    Raises:
        UnexplainedError: A code has no meaning, or a meaning no code.
    """
    known = list(dict.fromkeys(codes))
    unexplained = [str(code) for code in known if code not in meanings]
    gone = [str(code) for code in meanings if code not in known]
    if unexplained or gone:
        raise UnexplainedError(f"template_gen/meanings: not explained {unexplained}, gone {gone}")
    for code in known:
        yield code, meanings[code]


def code_tables(language: str) -> dict[str, list[str]]:
    """Return the lines of every table in a language ("en", "ja") by its name in the marks.

    Raises:
        UnexplainedError: A code has no meaning, or the reverse.
    """
    makers: dict[str, Callable[[str], Iterator[str]]] = {
        "preflight": _preflight,
        "metrics": _metrics,
        "states": _states,
        "statuses": _statuses,
        "connection_reasons": _connection_reasons,
        "instance_reasons": _instance_reasons,
        "quarantine_reasons": _quarantine_reasons,
        "receiver_events": lambda language: _events("receiver", language),
        "importer_events": lambda language: _events("importer", language),
    }
    # One enum, two tables: both together must name every code once.
    for _ in explained(iter(WireReason), {**CONNECTION_REASONS, **INSTANCE_REASONS}):
        pass
    return {name: list(make(language)) for name, make in makers.items()}


def _preflight(language: str) -> Iterator[str]:
    columns = (Text("What Preflight says", "Preflightの説明"), Text("Effect", "影響"))
    yield from head(columns, language)
    for sentence in sorted(preflight_sentences(), key=lambda one: one.severity.value):
        effect = in_language(_SEVERITIES[sentence.severity], language)
        yield row(in_language(sentence.text, language), effect)


def _metrics(language: str) -> Iterator[str]:
    yield from head((Text("Metric", "メトリクス"), Text("Unit", "単位"), _MEANING), language)
    for metric, text in explained(iter(Metric), METRICS):
        yield row(f"`{metric}`", metric.unit.value, in_language(text, language))


def _states(language: str) -> Iterator[str]:
    yield from head((Text("State", "状態"), _MEANING), language)
    for state, text in explained(iter(InstanceState), STATES):
        yield row(f"`{state}`", in_language(text, language))


def _statuses(language: str) -> Iterator[str]:
    yield from head((Text("Status", "ステータス"), _MEANING), language)
    for status, text in explained(iter(Status), STATUSES):
        yield row(f"`0x{status:04X}`", in_language(text, language))


def _connection_reasons(language: str) -> Iterator[str]:
    yield from _reasons(CONNECTION_REASONS, language)


def _instance_reasons(language: str) -> Iterator[str]:
    yield from _reasons(INSTANCE_REASONS, language)


def _reasons(reasons: Mapping[WireReason, Reason], language: str) -> Iterator[str]:
    yield from head((_CODE, Text("Answer", "応答"), _MEANING, _REMEDY), language)
    for code, said in reasons.items():
        answers = said.answer.replace("closed", in_language(_ANSWERED_CLOSED, language))
        texts = (in_language(said.meaning, language), in_language(said.remedy, language))
        yield row(f"`{code}`", answers, *texts)


def _quarantine_reasons(language: str) -> Iterator[str]:
    yield from head((_CODE, _MEANING, _REMEDY), language)
    for code in QuarantineReason:
        meaning, remedy = quarantine_meaning(code)
        yield row(f"`{code}`", in_language(meaning, language), in_language(remedy, language))


def _events(process: str, language: str) -> Iterator[str]:
    found = {event.name: event for event in log_events() if event.process == process}
    yield from head((Text("Event", "イベント"), Text("Level", "レベル"), _MEANING), language)
    for name, text in explained(iter(found), _EVENTS[process]):
        yield row(f"`{name}`", ", ".join(found[name].levels), in_language(text, language))
