"""The custom widget's HTML: the sum, the newest batches, what is quarantined and why.

CloudWatch strips scripts and most attributes from a widget's HTML, so it is plain tables. Everything
that is shown is escaped, because UIDs and keys may be hostile; nothing of a dataset is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from contract.reasons import QuarantineReason
from contract.text import Text
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.records import Quarantined

MEANINGS = {
    QuarantineReason.IMPORT_REFUSED: Text(
        "HealthImaging refused the file", "HealthImagingがファイルを拒否しました"
    ),
    QuarantineReason.JOB_FAILED: Text(
        "every import of it failed as a whole", "この画像を含む取り込みジョブがすべて失敗しました"
    ),
    QuarantineReason.NO_ANSWER: Text(
        "HealthImaging did not answer for it, even when imported alone",
        "単独で取り込んでも、HealthImagingから結果が得られませんでした",
    ),
    QuarantineReason.UNREADABLE_MANIFEST: Text(
        "its batch's manifest cannot be read", "バッチのマニフェストを読み取れません"
    ),
    QuarantineReason.TOO_BIG_FOR_IMPORT: Text(
        "larger than one import may be", "1回の取り込みの上限を超える大きさです"
    ),
}
"""What each code means; docs/ have both languages."""


def figures(counts: Counts) -> dict[str, int]:
    """Return the sum by the names of /api/status, as far as the ledger knows it."""
    return {
        "imported": counts.imported,
        "importedWithWarning": counts.imported_with_warning,
        "importedNonPrimary": counts.imported_non_primary,
        "quarantined": counts.quarantined,
        "importJobs": counts.jobs,
    }


def render(counts: Counts, batches: Sequence[Batch], quarantined: Sequence[Quarantined]) -> str:
    """Return the page's HTML, without the document around it."""
    return "\n".join(
        (
            "<h2>Images</h2>",
            _table(
                ("landed", "imported", "with a warning", "non-primary", "quarantined", "in flight"),
                [
                    (
                        counts.landed,
                        counts.imported,
                        counts.imported_with_warning,
                        counts.imported_non_primary,
                        counts.quarantined,
                        counts.in_flight,
                    )
                ],
            ),
            "<h2>Newest batches</h2>",
            _table(("batch", "state", "images", "terminal", "jobs"), map(_batch_row, batches))
            if batches
            else "<p>No batch yet.</p>",
            "<h2>Quarantine</h2>",
            _table(
                ("since", "SOP Instance UID", "reason", "key"), map(_quarantine_row, quarantined)
            )
            if quarantined
            else "<p>Nothing is quarantined.</p>",
        )
    )


def _batch_row(batch: Batch) -> tuple[object, ...]:
    counts = batch.counts
    return (batch.id, batch.state.value, counts.landed, counts.terminal, counts.jobs)


def _quarantine_row(record: Quarantined) -> tuple[object, ...]:
    since = datetime.fromtimestamp(record.quarantined_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    reason = f"{record.reason.value}: {MEANINGS[record.reason].en}"
    if record.exception_type:
        reason += f" ({record.exception_type})"
    if record.elements:
        reason += f" {', '.join(record.elements)}"
    return (since, record.sop_instance_uid or "unknown", reason, record.key)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["<table>", _row("th", head)]
    lines.extend(_row("td", row) for row in rows)
    lines.append("</table>")
    return "\n".join(lines)


def _row(tag: str, cells: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
