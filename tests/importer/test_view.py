from __future__ import annotations

from contract.keys import BatchId
from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.batch import Batch
from importer.domain.counts import Counts
from importer.domain.records import Quarantined
from importer.domain.view import MEANINGS, figures, render

COUNTS = Counts(landed=7, imported=3, imported_with_warning=1, quarantined=2, jobs=2)


def test_an_empty_ledger_says_so() -> None:
    """Without batches and quarantine there are sentences, not empty tables."""
    page = render(Counts(), [], [])

    assert "No batch yet." in page
    assert "Nothing is quarantined." in page


def test_the_sum_is_shown() -> None:
    """Each number of the sum stands in its order, what is in flight last."""
    numbers = "".join(f"<td>{n}</td>" for n in (7, 3, 1, 0, 2, 1))

    assert f"<tr>{numbers}</tr>" in render(COUNTS, [], [])


def test_a_batch_is_shown_with_its_state() -> None:
    """A batch's row has its id, state, images, terminal images and jobs."""
    batch_id = BatchId.parse("20261123T10-1700000000-n-0123456789ab")
    batch = Batch.new(batch_id, rows=2, extras=(), oldest_received_at=0.0)
    batch = batch.answer(0, {0: InstanceState.IMPORTED})

    row = f"<td>{batch_id}</td><td>SEALED</td><td>2</td><td>1</td><td>0</td>"
    assert row in render(COUNTS, [batch], [])


def test_hostile_values_are_escaped() -> None:
    """Markup in a UID is text."""
    record = Quarantined(
        batch="b",
        key="k",
        reason=QuarantineReason.IMPORT_REFUSED,
        sop_instance_uid="<script>alert(1)</script>",
    )

    page = render(COUNTS, [], [record])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "import_refused" in page


def test_every_reason_has_a_meaning() -> None:
    """No quarantine reason is shown without words."""
    assert set(MEANINGS) == set(QuarantineReason)


def test_figures_have_the_names_of_the_status() -> None:
    """The ledger's part of /api/status."""
    assert figures(COUNTS) == {
        "imported": 3,
        "importedWithWarning": 1,
        "importedNonPrimary": 0,
        "quarantined": 2,
        "importJobs": 2,
    }
