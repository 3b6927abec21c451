"""The DynamoDB adapters against an emulated table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.reasons import QuarantineReason
from contract.states import BatchState, InstanceState
from importer.adapters.contents import ContentLedger
from importer.adapters.ledger import Ledger
from importer.domain.answers import Answer
from importer.domain.batch import Batch, Wanted
from importer.domain.counts import Counts
from importer.domain.errors import LedgerConflictError
from importer.domain.records import (
    ContentId,
    InstanceRecord,
    KnownContent,
    Quarantined,
    Recorded,
    Redrive,
)
from tests.importer.builders import NOW, make_batch_id, make_row
from tests.importer.conftest import Aws

BATCH = make_batch_id()
IMPORTED = Answer(state=InstanceState.IMPORTED, image_set_id="a" * 32)
REFUSED = Answer(state=InstanceState.QUARANTINED, reason=QuarantineReason.IMPORT_REFUSED)


@pytest.fixture
def ledger(aws: Aws) -> Ledger:
    return Ledger(aws.client("dynamodb"), aws.table, lambda: NOW)


@pytest.fixture
def contents(aws: Aws) -> ContentLedger:
    return ContentLedger(aws.client("dynamodb"), aws.table)


def new_batch(rows: int = 3) -> Batch:
    return Batch.new(
        BATCH, rows=rows, extras=[f"{BATCH.prefix}00/0009/{9:016x}.dcm"], oldest_received_at=NOW
    )


def test_a_batch_reads_back_as_written(ledger: Ledger) -> None:
    """Every field of a batch survives the table."""
    batch = new_batch().plan([Wanted(prefix=""), Wanted(prefix="03/", tries=2)], NOW)
    batch = batch.start(0, "job1", NOW).answer(
        1, {0: InstanceState.IMPORTED, 3: InstanceState.QUARANTINED}
    )

    written = ledger.commit(None, batch)

    assert written == replace(batch, version=1)
    assert written == ledger.batch(BATCH)


def test_a_stale_writer_is_refused(ledger: Ledger) -> None:
    """Of two writers that read the same version one wins, with and without a change of the totals."""
    first = ledger.commit(None, new_batch())

    with pytest.raises(LedgerConflictError):
        ledger.commit(None, new_batch())
    second = ledger.commit(first, replace(first, proved=True))
    with pytest.raises(LedgerConflictError):
        ledger.commit(first, replace(first, proved=True))
    with pytest.raises(LedgerConflictError):
        ledger.commit(first, first.answer(0, {0: InstanceState.IMPORTED}))
    ledger.commit(second, second.answer(0, {0: InstanceState.IMPORTED}))

    assert ledger.totals() == Counts(landed=4, imported=1)


def test_open_batches_leave_the_index_when_done(ledger: Ledger) -> None:
    """The sparse index holds a batch until every object of it is terminal."""
    first = ledger.commit(None, new_batch(0).plan([Wanted(prefix="")], NOW))
    before = list(ledger.open_batches())

    done = ledger.commit(first, first.answer(0, {0: InstanceState.IMPORTED}))

    assert before == [BATCH]
    assert done.state is BatchState.DONE
    assert list(ledger.open_batches()) == []
    assert list(ledger.batches_of(BATCH.hour)) == [done]
    assert ledger.recent_batches(5) == [done]


def test_cursor_never_moves_back(ledger: Ledger) -> None:
    """Two Sweeps at once leave the later hour."""
    assert ledger.cursor() is None
    for hour in ("20260101T05", "20260101T04", "20260101T06", "20260101T05"):
        ledger.move_cursor(hour)

    assert ledger.cursor() == "20260101T06"


def test_a_closed_hour_keeps_its_proof(ledger: Ledger) -> None:
    """The counts of a closed hour can be read back."""
    ledger.close_hour(BATCH.hour, Counts(landed=5, imported=5, jobs=1))

    assert ledger.closed_hour(BATCH.hour) == Counts(landed=5, imported=5, jobs=1)
    assert ledger.closed_hour("20260101T00") is None


def test_a_new_instance_is_recorded_and_known(contents: ContentLedger) -> None:
    """One record per content answers by UID, size and checksum."""
    row = make_row(BATCH, 1)

    assert contents.record([InstanceRecord(row=row, answer=IMPORTED)]) == [Recorded()]
    assert contents.known([ContentId.of(row)]) == {
        ContentId.of(row): KnownContent(state=InstanceState.IMPORTED, image_set_id="a" * 32)
    }
    assert contents.known([ContentId.of(replace(row, size=1))]) == {}


def test_recording_again_is_no_duplicate(contents: ContentLedger) -> None:
    """A repeated step is told apart from a second object with the same bytes."""
    row = make_row(BATCH, 1)
    again = replace(row, key=make_row(BATCH, 2).key)
    contents.record([InstanceRecord(row=row, answer=IMPORTED)])

    repeated = contents.record([InstanceRecord(row=row, answer=IMPORTED)])
    duplicate = contents.record([InstanceRecord(row=again, answer=IMPORTED)])
    duplicate_repeated = contents.record([InstanceRecord(row=again, answer=IMPORTED)])

    assert repeated == [Recorded(first_time=False)]
    assert duplicate == [Recorded(duplicate=True)]
    assert duplicate_repeated == [Recorded(duplicate=True, first_time=False)]


def test_a_state_never_goes_back(contents: ContentLedger) -> None:
    """Quarantine gives way to an import; an import does not give way to quarantine."""
    row = make_row(BATCH, 1)
    for answer in (REFUSED, IMPORTED, REFUSED):
        contents.record([InstanceRecord(row=row, answer=answer)])

    assert contents.known([ContentId.of(row)])[ContentId.of(row)].state is InstanceState.IMPORTED


def test_other_bytes_with_the_same_uid_conflict(contents: ContentLedger) -> None:
    """Both contents are kept; neither counts as known, because the latest import is the current one."""
    row = make_row(BATCH, 1)
    other = replace(row, crc64nvme="other", key=make_row(BATCH, 2).key)
    contents.record([InstanceRecord(row=row, answer=IMPORTED)])

    first = contents.record([InstanceRecord(row=other, answer=IMPORTED)])
    again = contents.record([InstanceRecord(row=other, answer=IMPORTED)])
    back = contents.record([InstanceRecord(row=row, answer=IMPORTED)])

    assert first == [Recorded(conflicting=True)]
    assert again == [Recorded(conflicting=True, first_time=False)]
    assert back == [Recorded(conflicting=True, first_time=False)]
    assert contents.known([ContentId.of(row), ContentId.of(other)]) == {}


def test_the_quarantine_list(ledger: Ledger, contents: ContentLedger) -> None:
    """Quarantined objects are listed newest first, with what an operator sees, until released."""
    keys = [make_row(BATCH, n).key for n in range(12)]
    records = [
        Quarantined(
            batch=str(BATCH),
            key=key,
            reason=QuarantineReason.IMPORT_REFUSED,
            exception_type="ValidationException",
            elements=("PatientID", "StudyDate"),
            sop_instance_uid="1.2",
            quarantined_at=NOW + n,
        )
        for n, key in enumerate(keys)
    ]

    for _ in range(2):
        contents.quarantine(records)
    contents.take_off(BATCH, {keys[11]: InstanceState.IMPORTED})

    listed = ledger.quarantined(3)
    assert [record.key for record in listed] == [keys[10], keys[9], keys[8]]
    assert listed[0].elements == ("PatientID", "StudyDate")
    assert [record.quarantined_at for record in listed] == [NOW + 10, NOW + 9, NOW + 8]
    assert len(ledger.quarantined(100)) == 11
    assert pages(ledger, 5) == sorted(keys[:11])


def pages(ledger: Ledger, limit: int) -> list[str]:
    """Return the keys of the whole quarantine list, read page by page."""
    found: list[str] = []
    after = ""
    while True:
        page, after = ledger.quarantined_page(limit, after)
        assert len(page) <= limit
        found.extend(record.key for record in page)
        if not after:
            return sorted(found)


def test_a_strange_place_in_the_list_is_refused(ledger: Ledger) -> None:
    """A place that was not given out here is said to be so."""
    for token in ("x", "bnVsbA==", "WzEsIFsyXV0="):
        with pytest.raises(ValueError, match="not a place"):
            ledger.quarantined_page(5, token)


def test_quarantine_keeps_its_history(contents: ContentLedger) -> None:
    """Attempts and redrives are added up, whoever writes them how often; the end is a state, not a gap."""
    key = make_row(BATCH, 0).key
    record = Quarantined(
        batch=str(BATCH), key=key, reason=QuarantineReason.IMPORT_REFUSED, attempts=(0,)
    )
    asked = Redrive(NOW + 5, 1, "j. doe")

    contents.quarantine([record])
    noted = [contents.note_redrives(BATCH, {key: asked}) for _ in range(2)][1]
    again = contents.quarantine([replace(record, attempts=(1,), redrives=(asked,))])
    ended = contents.take_off(BATCH, {key: InstanceState.IMPORTED_WITH_WARNING})
    late = contents.quarantine([record])

    assert noted == [replace(record, redrives=(asked,))]
    assert again == [replace(record, attempts=(0, 1), redrives=(asked,))]
    assert ended == [replace(again[0], state=InstanceState.IMPORTED_WITH_WARNING)]
    assert late == []


def test_one_uid_in_two_studies_is_said(contents: ContentLedger) -> None:
    """Other bytes in another study are told apart from other bytes in the same one."""
    row = replace(make_row(BATCH, 0), study_instance_uid="1.2.1")
    same = replace(row, crc64nvme="b", key=make_row(BATCH, 1).key)
    unknown = replace(row, crc64nvme="c", key=make_row(BATCH, 2).key, study_instance_uid="")
    other = replace(row, crc64nvme="d", key=make_row(BATCH, 3).key, study_instance_uid="1.2.2")

    found = [
        contents.record([InstanceRecord(row=r, answer=IMPORTED)])[0]
        for r in (row, same, unknown, other)
    ]

    assert [f.conflicting for f in found] == [False, True, True, True]
    assert [f.two_studies for f in found] == [False, False, False, True]
