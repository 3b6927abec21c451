"""What is kept of a request: read back as written, refused when it is something else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydicom import config

from contract.keys import (
    CommitmentId,
    CommitmentObject,
    InvalidKeyError,
    transaction_key,
)
from receiver.commitment.action import Reference
from receiver.commitment.documents import (
    DocumentError,
    FailureReason,
    Request,
    Result,
    Transaction,
)
from receiver.commitment.report import encode_report, make_report, take_any_uid
from tests.builders import CT_IMAGE

REQUEST = Request(
    id=CommitmentId("20261125T22", "0" * 32),
    transaction_uid="1.2.3",
    calling_ae_title="CT 1",
    called_ae_title="STORESCP",
    peer="10.0.0.1",
    association_id="a1",
    requested_at=1795646675.125,
    references=(Reference(CT_IMAGE, "1.03"), Reference(CT_IMAGE, "1.4")),
)
RESULT = Result(1795646676.5, {1: FailureReason.NO_SUCH_OBJECT_INSTANCE})


def test_documents_are_read_as_they_were_written() -> None:
    """All of them, fields of later versions ignored."""
    transaction = Transaction(str(REQUEST.id), REQUEST.digest)
    later = json.loads(REQUEST.encode()) | {"new": 1}

    assert Request.decode(REQUEST.encode()) == REQUEST
    assert Request.decode(json.dumps(later).encode()) == REQUEST
    assert Result.decode(RESULT.encode()) == RESULT
    assert Transaction.decode(transaction.encode()) == transaction
    assert transaction.id == REQUEST.id


@pytest.mark.parametrize("kind", [Request, Result, Transaction])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"version":2}', b'{"version":1}', b"\xff"])
def test_anything_else_is_refused(kind: type[Request], body: bytes) -> None:
    """With our own error."""
    with pytest.raises(DocumentError):
        kind.decode(body)


def test_the_same_references_in_another_order_are_the_same_request() -> None:
    """A device that asks again may sort anew."""
    other = Request.decode(REQUEST.encode().replace(b"1.03", b"1.05"))
    turned = json.loads(REQUEST.encode())
    turned["references"].reverse()

    assert Request.decode(json.dumps(turned).encode()).digest == REQUEST.digest
    assert other.digest != REQUEST.digest


def test_keys_say_what_they_are_and_hold_no_text_of_the_wire() -> None:
    """Ids are random, a Transaction UID is digested with its sender."""
    made = CommitmentId.new(1795646675.0)

    for what in CommitmentObject:
        assert CommitmentId.parse_key(made.key(what)) == (made, what)
    with pytest.raises(InvalidKeyError):
        CommitmentId.parse_key(made.key(CommitmentObject.REQUEST) + "x")
    with pytest.raises(InvalidKeyError):
        CommitmentId.parse_key(made.key(CommitmentObject.REQUEST).replace("request", "other"))
    assert made.hour == "20261125T22"
    assert "1.2.3" not in transaction_key("CT1", "1.2.3")
    assert transaction_key("CT1", "1.2.3") != transaction_key("CT2", "1.2.3")


@pytest.fixture
def any_uid() -> Iterator[None]:
    """Let pydicom write what devices write, as the committer does."""
    before = config.settings.reading_validation_mode, config.settings.writing_validation_mode
    take_any_uid()
    yield
    config.settings.reading_validation_mode, config.settings.writing_validation_mode = before


@pytest.mark.usefixtures("any_uid")
def test_a_report_names_what_is_committed_and_what_is_not() -> None:
    """Event type 2 as soon as one failed; UIDs as the device wrote them."""
    event_type, report = make_report(REQUEST, RESULT)

    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == ["1.03"]
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("1.4", 0x0112)
    assert make_report(REQUEST, Result(0.0, {}))[0] == 1
    assert "FailedSOPSequence" not in make_report(REQUEST, Result(0.0, {}))[1]
    assert b"1.03" in encode_report(report, implicit=False)
