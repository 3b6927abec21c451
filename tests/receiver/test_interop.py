"""Real clients against `python -m receiver`: what they are told, and what then lies in the landing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests import clients
from tests.builders import (
    CT_IMAGE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HTJ2K,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LS,
    PRIVATE_SOP_CLASS,
    RETIRED_ULTRASOUND,
    RLE,
    Instance,
    make_instance,
    new_uid,
    write_part10,
    write_series,
)
from tests.corpus import Fate, Sample
from tests.landed import Landed
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError, send_all
from tests.receiver_process import ReceiverProcess

Start = Callable[..., ReceiverProcess]
SYNTAXES = (
    IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, JPEG_BASELINE, JPEG_LOSSLESS, JPEG_LS, JPEG_2000,
    HTJ2K, RLE,
)  # fmt: skip


def digests(instances: Iterable[Instance]) -> set[tuple[str, str]]:
    return {(instance.sop_instance_uid, instance.sha256()) for instance in instances}


def outcomes(receiver: ReceiverProcess, count: str) -> list[tuple[int, str]]:
    """Return a count and the end of each association, from the log."""
    return [(e[count], e["outcome"]) for e in receiver.events("association_closed")]


@pytest.fixture
def series(tmp_path: Path) -> tuple[Path, list[Instance]]:
    """Write a series of twelve CT images and return its directory and instances."""
    directory = tmp_path / "series"
    directory.mkdir()
    return directory, write_series(directory, 12, size=70_000)


def test_echoscu_is_answered(start_receiver: Start) -> None:
    """DCMTK's and GDCM's C-ECHO succeed, whatever the calling AE title."""
    receiver = start_receiver()

    dcmtk = clients.echoscu(receiver.port, calling="ANYBODY")
    gdcm = clients.gdcmscu(receiver.port, "--echo", "-D")
    receiver.stop()

    assert dcmtk.code == 0, dcmtk.output
    assert [(1, "released")] * 2 == outcomes(receiver, "echoed"), gdcm.output


@pytest.mark.parametrize("syntax", ["-x=", "-xe", "-xb", "-xi"])
def test_storescu_series_is_landed(
    start_receiver: Start, landing: Landed, series: tuple[Path, list[Instance]], syntax: str
) -> None:
    """A series sent by storescu is acknowledged, sealed, and bit for bit where no syntax was changed."""
    directory, instances = series
    receiver = start_receiver()

    outcome = clients.storescu(receiver.port, directory, options=[syntax])
    receiver.stop()

    assert outcome.code == 0, outcome.output
    assert outcome.output.count("Received Store Response (Success)") == len(instances)
    assert {i.sop_instance_uid for i in instances} == {
        row.sop_instance_uid for row in landing.rows()
    }
    if syntax in ("-x=", "-xe"):
        assert digests(instances) == landing.digests()


def test_dcmsend_series_is_landed(
    start_receiver: Start, landing: Landed, series: tuple[Path, list[Instance]]
) -> None:
    """A series sent by dcmsend is acknowledged and its bytes are unchanged."""
    directory, instances = series
    receiver = start_receiver()

    outcome = clients.dcmsend(receiver.port, directory, options=["+sd"])
    receiver.stop()

    assert outcome.code == 0, outcome.output
    assert digests(instances) == landing.digests()


def test_gdcmscu_series_is_landed(
    start_receiver: Start, landing: Landed, series: tuple[Path, list[Instance]]
) -> None:
    """A series sent by GDCM's client is acknowledged and sealed."""
    directory, instances = series
    receiver = start_receiver()

    outcome = clients.gdcmscu(receiver.port, "--store", "-r", "-i", directory)
    receiver.stop()

    assert [(len(instances), "released")] == outcomes(receiver, "stored"), outcome.output
    assert {i.sop_instance_uid for i in instances} == {
        row.sop_instance_uid for row in landing.rows()
    }


def test_pynetdicom_series_is_landed(
    start_receiver: Start, landing: Landed, series: tuple[Path, list[Instance]]
) -> None:
    """A series sent by pynetdicom's storescu is acknowledged and sealed."""
    directory, instances = series
    receiver = start_receiver()

    outcome = clients.pynetdicom_storescu(receiver.port, directory)
    receiver.stop()

    assert outcome.code == 0, outcome.output
    assert {i.sop_instance_uid for i in instances} == {
        row.sop_instance_uid for row in landing.rows()
    }


def test_compressed_originals_stay_as_they_are(
    start_receiver: Start, landing: Landed, tmp_path: Path
) -> None:
    """Encapsulated instances sent by dcmsend land in their own transfer syntax, bytes unchanged."""
    compressed = [
        make_instance(size=9_000, transfer_syntax_uid=syntax)
        for syntax in (JPEG_BASELINE, JPEG_LOSSLESS, JPEG_LS, JPEG_2000, RLE)
    ]
    for number, instance in enumerate(compressed):
        write_part10(instance, tmp_path / f"{number}.dcm")
    receiver = start_receiver()

    outcome = clients.dcmsend(
        receiver.port, tmp_path, options=["+sd", "+sp", "*.dcm", "--decompress-never"]
    )
    receiver.stop()

    assert outcome.code == 0, outcome.output
    assert digests(compressed) == landing.digests()
    assert {i.transfer_syntax_uid for i in compressed} == {
        r.transfer_syntax_uid for r in landing.rows()
    }


def test_any_storage_class_and_syntax_lands_unchanged(
    start_receiver: Start, landing: Landed
) -> None:
    """Standard, retired and private classes in every kind of syntax: same bytes, one manifest row each."""
    instances = [
        make_instance(size=5_000, sop_class_uid=sop_class_uid, transfer_syntax_uid=syntax)
        for sop_class_uid in (CT_IMAGE, RETIRED_ULTRASOUND, PRIVATE_SOP_CLASS)
        for syntax in SYNTAXES
    ]
    receiver = start_receiver()

    acks = send_all(receiver.port, instances, associations=3, window=8)
    receiver.stop()

    assert digests(instances) == acks.digests == landing.digests()
    assert len(landing.rows()) == len(landing.keys()) == len(instances)


def test_every_pydicom_file_meets_its_fate(
    start_receiver: Start, landing: Landed, corpus: list[Sample]
) -> None:
    """Each of pydicom's files is accepted or refused as the bad-input table says; acked bytes landed."""
    receiver = start_receiver()
    met: dict[str, tuple[Fate, object]] = {}
    acked: set[tuple[str, str]] = set()

    sendable = [sample for sample in corpus if sample.instance is not None]
    for sample in sendable:
        assert sample.instance is not None
        context = (sample.instance.sop_class_uid, sample.instance.transfer_syntax_uid)
        with RawAssociation(receiver.port, [context]) as association:
            if association.is_accepted(*context):
                answer: object = hex(association.store(sample.instance))
                acked |= association.acks.digests
            else:
                answer = "context"
        met[str(sample.path)] = (sample.fate, answer)
    receiver.stop()

    expected = dict.fromkeys(Fate, "0xc000") | {
        Fate.ACKED: "0x0",
        Fate.CONTEXT_REFUSED: "context",
    }
    assert {} == {name: found for name, found in met.items() if found[1] != expected[found[0]]}
    assert len([s for s in sendable if s.fate is Fate.ACKED]) > 150
    landing.assert_holds(acked)
    assert acked == landing.digests()
    refused = [
        s.fate.name.lower() for s in sendable if s.fate in (Fate.UID_MISSING, Fate.TS_MISMATCH)
    ]
    assert sorted(refused) == sorted(record["reason"] for record in landing.refusals())


def test_every_pydicom_file_by_dcmsend(
    start_receiver: Start, landing: Landed, corpus: list[Sample], tmp_path: Path
) -> None:
    """What dcmsend makes of pydicom's files lands; what it garbles itself (a bad VR) is refused."""
    for number, sample in enumerate(corpus):
        if sample.fate is Fate.ACKED and sample.is_part10:
            shutil.copy(sample.path, tmp_path / f"{number:03d}.dcm")
    receiver = start_receiver()

    outcome = clients.dcmsend(
        receiver.port, tmp_path, options=["+sd", "--decompress-never", "--no-uid-checks"]
    )
    known = receiver.get("/status")[1]["counters"]["duplicates_answered"]
    receiver.stop()

    answers = re.findall(r"Received C-STORE Response \((.*)\)", outcome.output)
    garbled = outcome.output.count("SOP Class UID in dataset differs")
    assert len(answers) > 150, outcome.output
    assert {"Success", "Refused: SOPClassNotSupported"} == set(answers)
    assert garbled == answers.count("Refused: SOPClassNotSupported") <= 2
    assert answers.count("Success") == len(landing.rows()) + known


def test_mismatched_instance_is_refused_and_kept(start_receiver: Start, landing: Landed) -> None:
    """A dataset that is another instance than its command gets A900 and is kept under refused/."""
    wrong = make_instance(dataset_uid=new_uid())
    right = make_instance()
    receiver = start_receiver()

    with RawAssociation(receiver.port) as association:
        statuses = association.store_all([wrong, right])
    receiver.stop()

    assert [0xA900, SUCCESS] == statuses
    assert digests([right]) == landing.digests()
    assert ["uid_mismatch"] == [record["reason"] for record in landing.refusals()]


@pytest.mark.parametrize(
    ("settings", "called", "calling", "reason"),
    [
        ({"REQUIRE_CALLED_AE_TITLE": "true"}, "OTHER", "CT1", (1, 1, 7)),
        ({"REQUIRE_CALLING_AE_TITLE": "CT1,MR1"}, "STORESCP", "CT2", (1, 1, 3)),
    ],
    ids=["called", "calling"],
)
def test_unknown_ae_title_is_rejected(
    start_receiver: Start,
    settings: dict[str, str],
    called: str,
    calling: str,
    reason: tuple[int, int, int],
) -> None:
    """An AE title that the settings exclude gets the A-ASSOCIATE-RJ of its kind, for DCMTK too."""
    receiver = start_receiver(**settings)

    with pytest.raises(RejectedError) as error:
        RawAssociation(receiver.port, called=called, calling=calling)
    refused = clients.echoscu(receiver.port, called=called, calling=calling)
    served = clients.echoscu(receiver.port, called="STORESCP", calling="CT1")

    assert reason == error.value.reason
    assert refused.code != 0
    assert served.code == 0, served.output


def test_supported_classes_are_exactly_those_listed(start_receiver: Start) -> None:
    """With SUPPORTED_SOP_CLASS_UIDS set, any other class's context is refused; Verification never is."""
    receiver = start_receiver(SUPPORTED_SOP_CLASS_UIDS=f"{CT_IMAGE}, {PRIVATE_SOP_CLASS}")
    contexts = [(uid, EXPLICIT_LITTLE) for uid in (CT_IMAGE, PRIVATE_SOP_CLASS, RETIRED_ULTRASOUND)]

    with RawAssociation(receiver.port, contexts) as association:
        accepted = [association.is_accepted(*context) for context in contexts]

    assert [True, True, False] == accepted
    assert clients.echoscu(receiver.port).code == 0
