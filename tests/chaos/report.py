"""A run's figures as tables in docs/, in two languages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.run import Result

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
START, END = "<!-- chaos: start -->", "<!-- chaos: end -->"
_HEADS = {"reliability.md": ("what", "figure"), "reliability.ja.md": ("項目", "値")}
_KILLS = ("kill before", "kill after")


def write(result: Result) -> None:
    """Put the figures between the marks of each page."""
    for name, head in _HEADS.items():
        page = DOCS / name
        before, _, rest = page.read_text(encoding="utf-8").partition(START)
        after = rest.partition(END)[2]
        text = f"{before}{START}\n{table(result, head)}\n{END}{after}"
        page.write_text(text, encoding="utf-8")


def table(result: Result, head: tuple[str, str]) -> str:
    """Return the table under these two column heads."""
    column = 0 if head == _HEADS["reliability.md"] else 1
    rows = [(names[column], value) for names, value in figures(result).items()]
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in rows])


def figures(result: Result) -> Mapping[tuple[str, str], str]:
    """Return what is told of a run, by its names in both languages."""
    last = result.figures
    kills = sum(n for name, n in result.struck.items() if name.endswith(_KILLS))
    hurt = sum(result.struck.values()) - kills
    return {
        ("command", "コマンド"): f"`make chaos SECONDS={result.seconds:.0f} SEED={result.seed}`",
        ("processors", "プロセッサ数"): str(os.cpu_count()),
        ("images acknowledged", "成功を応答した画像"): f"{result.acknowledged:,}",
        ("objects landed", "受信バケットのオブジェクト"): f"{last['landed']:,}",
        ("imported", "取り込み済み"): f"{last['imported']:,}",
        ("imported with a warning", "警告付きで取り込み済み"): f"{last['importedWithWarning']:,}",
        ("non-primary", "非プライマリ"): f"{last['importedNonPrimary']:,}",
        ("quarantined", "隔離"): f"{last['quarantined']:,}",
        ("in flight at rest", "静止時の処理中"): f"{last['inFlight']:,}",
        ("requests to AWS hurt", "障害を与えたAWSへの要求"): f"{hurt:,}",
        ("processes killed at a request", "要求の前後で強制終了したプロセス"): f"{kills:,}",
        ("killed or restarted at random", "任意の時点での強制終了・再起動"): (
            f"{sum(result.blows.values()):,}"
        ),
        ("from the last image to rest", "最後の画像から静止まで"): f"{result.rest_s:.0f} s",
        ("violations", "違反"): str(len(result.violations)),
    }
