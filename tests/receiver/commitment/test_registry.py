"""The ledger as the importer writes it, read by the receiver; and who answers a request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.keys import CommitmentId, CommitmentObject
from contract.states import InstanceState
from importer.adapters.contents import ContentLedger
from importer.adapters.ledger import Ledger
from importer.domain.answers import Answer
from importer.domain.batch import Batch, Wanted
from importer.domain.records import InstanceRecord
from receiver.commitment.manifests import MAX_CACHED_ROWS, Manifests
from receiver.commitment.ports import LEASE_S, Known, UnavailableError
from receiver.commitment.registry import LedgerRegistry
from receiver.commitment.s3 import S3Archive, make_client
from tests.builders import CT_IMAGE
from tests.importer.builders import NOW, make_batch_id, make_manifest, make_row
from tests.importer.conftest import Aws
from tests.receiver.fake_storage import FakeSink

BATCH = make_batch_id()
IMPORTED, QUARANTINED = InstanceState.IMPORTED, InstanceState.QUARANTINED
COMMITMENT = CommitmentId("20261118T00", "a" * 32)


def archive_of(aws: Aws) -> S3Archive:
    """Return the archive of the emulated landing bucket."""
    return S3Archive(FakeSink(), aws.landing, aws.client("s3"))


def registry_of(aws: Aws, owner: str = "me", table: str = "") -> LedgerRegistry:
    """Return the registry of the emulated ledger."""
    client = aws.client("dynamodb")
    return LedgerRegistry(client, table or aws.table, archive_of(aws), owner, lambda: NOW)


def test_what_record_outcome_wrote_is_known(aws: Aws) -> None:
    """By UID, also of more than are asked at once, and both contents where there are two."""
    rows = [make_row(BATCH, n) for n in range(3)]
    answers = [Answer(state=IMPORTED), Answer(state=QUARANTINED), Answer(state=IMPORTED)]
    other = replace(rows[2], size=1, key=make_row(BATCH, 9).key)
    ledger = ContentLedger(aws.client("dynamodb"), aws.table)
    ledger.record([InstanceRecord(row=r, answer=a) for r, a in zip(rows, answers, strict=True)])
    ledger.record([InstanceRecord(row=other, answer=Answer(state=QUARANTINED))])
    first, second, third = (row.sop_instance_uid for row in rows)

    known = registry_of(aws).known([first, second, third, "1.9"])

    assert known == {
        first: (Known(CT_IMAGE, IMPORTED),),
        second: (Known(CT_IMAGE, QUARANTINED),),
        third: (Known(CT_IMAGE, IMPORTED), Known(CT_IMAGE, QUARANTINED)),
    }


def test_open_batches_and_fresh_manifests_are_landed(aws: Aws) -> None:
    """An old batch by the ledger's index, a fresh one by its manifest alone, one that is done by neither."""
    old, fresh, done = (
        make_batch_id(random=random * 12, now=NOW - age_s)
        for random, age_s in (("a", 86_400), ("b", 60), ("c", 86_400))
    )
    s3, ledger = aws.client("s3"), Ledger(aws.client("dynamodb"), aws.table, lambda: NOW)
    for n, batch in enumerate((old, fresh, done)):
        manifest = make_manifest(batch, [make_row(batch, 0, uid=f"1.{n}")])
        s3.put_object(Bucket=aws.landing, Key=batch.manifest_key, Body=manifest.encode())
    for batch in (old, done):
        new = Batch.new(batch, rows=1, extras=[], oldest_received_at=NOW)
        planned = ledger.commit(None, new.plan([Wanted(prefix="")], NOW))
        if batch == done:
            ledger.commit(planned, planned.answer(0, {0: IMPORTED}))

    landed = registry_of(aws).landed(["1.0", "1.1", "1.2", "1.3"])

    assert landed == {"1.0": CT_IMAGE, "1.1": CT_IMAGE}


def test_one_owner_at_a_time(aws: Aws) -> None:
    """The second hears how long the first has it; it gets it when that is over, or given back."""
    first, second = registry_of(aws, "first"), registry_of(aws, "second")

    assert first.lease(COMMITMENT, NOW) == 0
    assert second.lease(COMMITMENT, NOW + 1) == NOW + LEASE_S
    assert first.lease(COMMITMENT, NOW + 10) == 0
    assert second.lease(COMMITMENT, NOW + 11) == NOW + 10 + LEASE_S
    second.release(COMMITMENT)
    assert second.lease(COMMITMENT, NOW + 12) == NOW + 10 + LEASE_S
    first.release(COMMITMENT)
    assert second.lease(COMMITMENT, NOW + 13) == 0
    assert first.lease(COMMITMENT, NOW + 13 + LEASE_S + 1) == 0


def test_an_aws_that_does_not_answer_is_one_error(aws: Aws) -> None:
    """Whatever it was, it is tried again; giving back is best effort."""
    registry = registry_of(aws, table="missing")

    for ask in (
        lambda: registry.known(["1.1"]),
        lambda: registry.landed(["1.1"]),
        lambda: registry.lease(COMMITMENT, NOW),
    ):
        with pytest.raises(UnavailableError):
            ask()
    registry.release(COMMITMENT)


def test_the_archive_lists_and_reads_what_is_there(aws: Aws) -> None:
    """Requests since an hour, in order; what is no request is left out; no object is None."""
    s3, archive = aws.client("s3"), archive_of(aws)
    old = CommitmentId("20261117T00", "b" * 32)
    for key in (
        COMMITMENT.key(CommitmentObject.REQUEST),
        COMMITMENT.key(CommitmentObject.RESULT),
        old.key(CommitmentObject.REQUEST),
        "commitments/requests/notes.txt",
        "commitments/transactions/x.json",
    ):
        s3.put_object(Bucket=aws.landing, Key=key, Body=b"{}")

    assert list(archive.commitments("20261118T00")) == [
        (COMMITMENT, CommitmentObject.REQUEST),
        (COMMITMENT, CommitmentObject.RESULT),
    ]
    assert len(list(archive.commitments(""))) == 3
    assert archive.read(COMMITMENT.key(CommitmentObject.RESULT)) == b"{}"
    assert archive.read(COMMITMENT.key(CommitmentObject.DELIVERED)) is None


def test_the_region_goes_by_either_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """ECS sets AWS_REGION, which botocore does not read."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    assert make_client("dynamodb", {"AWS_REGION": "eu-west-2"}).meta.region_name == "eu-west-2"


def test_manifests_are_kept_within_bounds_and_read_once() -> None:
    """A manifest never changes; a broken one has no instances."""
    reads: list[str] = []
    good, broken, big = (make_batch_id(random=letter * 12) for letter in "abc")
    bodies = {
        good.manifest_key: make_manifest(good, [make_row(good, 0, uid="1.1")]).encode(),
        broken.manifest_key: b"{",
    }

    def read(key: str) -> bytes | None:
        reads.append(key)
        return bodies.get(key)

    manifests = Manifests(read)
    for _ in range(2):
        assert manifests.find(["1.1", "1.2"], [good, broken, big]) == {"1.1": CT_IMAGE}

    assert reads.count(good.manifest_key) == 1
    assert MAX_CACHED_ROWS >= 50_000
