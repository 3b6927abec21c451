"""A patient's data is where images are, and nowhere else: not in a log, key, tag, metric, message, row or page.

Every text element holds a marker, where its VR allows it and where it does not. The instances take every way
through the product: imported, warned, apart, quarantined, driven again, released, refused at the wire, broken off.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Writer, new_uid
from tests.deadline import wait_until
from tests.pipeline.conftest import Product, start_product, stop_product
from tests.pipeline.emulated import (
    body_of,
    buckets,
    client,
    keys_of,
    landing_bucket,
    operate,
    table,
)
from tests.receiver import wire
from tests.wire.datasets import ITEM, LITTLE, UNDEFINED, WRITERS, image, marker, nested, sent_as
from tests.wire.peer import Peer
from tests.wire.row import (
    CANARY,
    ON_BIG_ENDIAN,
    ON_EXPLICIT,
    ON_IMPLICIT,
    PROPOSAL,
    Sent,
)

pytestmark = pytest.mark.slow

TEXT_VRS = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")  # fmt: skip
CONTEXTS = (ON_EXPLICIT, ON_IMPLICIT, ON_BIG_ENDIAN)
SYNTAXES = {
    ON_EXPLICIT: EXPLICIT_LITTLE,
    ON_IMPLICIT: IMPLICIT_LITTLE,
    ON_BIG_ENDIAN: EXPLICIT_BIG,
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Lend a product of its own, which says all it can say."""
    running = start_product(tmp_path_factory.mktemp("canary"), LOG_LEVEL="DEBUG")
    yield running
    stop_product(running)


def every_text_element(write: Writer) -> bytes:
    """Return a private group with an element of each text VR, then a sequence with the same inside."""
    creator = write.text(0x00090010, "LO", CANARY)
    elements = b"".join(
        write.text(0x00091000 + n, vr, f"{CANARY}{n}") for n, vr in enumerate(TEXT_VRS)
    )
    if write.order == ">":
        return creator + elements
    inside = marker(ITEM, len(elements)) + elements
    return creator + elements + write.head(0x00091100, "SQ", len(inside)) + inside


def accepted() -> list[Sent]:
    """Return instances that are acknowledged, whatever the import makes of them."""
    found = []
    for context_id in CONTEXTS:
        write = WRITERS[context_id]
        plain = {"write": write, "before_study": every_text_element(write)}
        for odd in (
            {"study": new_uid(), "series": new_uid()},
            {"study": new_uid(), "series": new_uid(), "patient": every_patient_element(write)},
            {"study": CANARY, "series": new_uid()},
            {"study": new_uid(), "series": f"{CANARY} 1"},
            # HealthImaging refuses it: quarantine.
            {"study": "1." * 150 + "1", "series": new_uid()},
        ):
            uid = new_uid()
            found.append(sent_as(image(uid, **plain, **odd), uid, context_id))  # type: ignore[arg-type]
    apart = new_uid()
    for n in range(2):  # one series, two patients
        uid, patient = new_uid(), LITTLE.text(0x00100020, "LO", f"{CANARY}{n}")
        found.append(sent_as(image(uid, study=apart, series=apart, patient=patient), uid))
    return found


def every_patient_element(write: Writer) -> bytes:
    """Return a patient of whom nothing is valid."""
    return b"".join(
        (
            write.text(0x00100010, "PN", f"{CANARY}^^^^^^^^={CANARY}=\\{CANARY}"),
            write.text(0x00100020, "LO", CANARY * 20),
            write.text(0x00100030, "DA", CANARY),
            write.text(0x00100040, "CS", CANARY.lower()),
            write.text(0x00101010, "AS", CANARY),
            write.text(0x00101030, "DS", CANARY),
        )
    )


def refused() -> list[Sent]:
    """Return instances that are refused at the wire, and kept."""
    uid = new_uid()
    whole = image(uid)
    return [
        sent_as(whole, CANARY),
        sent_as(whole, f"../../{CANARY}"),
        sent_as(whole, f"1.2\\{CANARY}"),
        sent_as(image(CANARY), uid),
        sent_as(image(uid, sop_class=CANARY), uid),
        sent_as(image(uid, before_study=LITTLE.text(0x00020010, "UI", CANARY)), uid),
        sent_as(image(uid, before_study=LITTLE.text(0x00000902, "LO", CANARY)), uid),
        sent_as(whole[: whole.index(CANARY.encode()) + 5], uid),
        sent_as(LITTLE.text(0x00100010, "PN", CANARY), uid),
        sent_as(nested(100) + whole, uid),
        sent_as(whole, uid, ON_IMPLICIT),
        sent_as(LITTLE.head(0x00081140, "SQ", UNDEFINED) + CANARY.encode() * 9, uid),
        sent_as(CANARY.encode() * 9, uid),
    ]


def send(product: Product, *instances: Sent) -> list[int]:
    """Send each over an association of its own; return the statuses."""
    found = []
    for instance in instances:
        with Peer(product.scp_port, "127.0.0.1") as peer:
            peer.send(PROPOSAL)
            assert peer.answer().what == "A-ASSOCIATE-AC"
            peer.send(instance.pdus(1) + wire.RELEASE)
            found.append(peer.answer().numbers[0])
            assert peer.answer().what == "A-RELEASE-RP"
    return found


def break_off(product: Product) -> None:
    """Be no sender: garbage, a web browser, a data set that is broken off, a broken command."""
    half = sent_as(image(uid := new_uid()), uid).pdus(1)
    for pieces in (
        [CANARY.encode() * 3],
        [f"GET /{CANARY} HTTP/1.1\r\n\r\n".encode()],
        [PROPOSAL, half[:-40]],
        [PROPOSAL, half[:40] + CANARY.encode() + half[51:]],
        [PROPOSAL, wire.data(wire.pdv(1, 3, CANARY.encode() * 2))],
    ):
        with Peer(product.scp_port, "127.0.0.1") as peer:
            peer.send(b"".join(pieces))


def said(product: Product) -> Iterator[tuple[str, str]]:
    """Yield everything that is not an image, by name: what an operator, a bill or an auditor may see."""
    for path in [product.output, *Path(product.environ["DATA_DIR"], "logs").rglob("*")]:
        if path.is_file():
            yield str(path), path.read_text(errors="replace")
    s3 = client(product, "s3")
    for bucket in buckets(product):
        for key in keys_of(product, bucket):
            head = s3.head_object(Bucket=bucket, Key=key)
            yield f"key and metadata of {bucket}/{key}", key + json.dumps(head["Metadata"])
            tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
            yield f"tags of {key}", json.dumps(tags)
            if not key.endswith(".dcm") and "results" not in bucket.lower():
                yield f"{bucket}/{key}", body_of(product, bucket, key).decode(errors="replace")
    for page in (
        client(product, "dynamodb").get_paginator("scan").paginate(TableName=table(product))
    ):
        for item in page["Items"]:
            packed = [bytes(value["B"]) for value in item.values() if "B" in value]
            yield "a row of the ledger", str(item) + "".join(map(_unpacked, packed))
    sqs = client(product, "sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        yield url, json.dumps([m["Body"] for m in messages.get("Messages", ())])
    imaging = client(product, "medical-imaging")
    (store,) = imaging.list_datastores()["datastoreSummaries"]
    jobs = imaging.list_dicom_import_jobs(datastoreId=store["datastoreId"])["jobSummaries"]
    assert jobs
    yield "import jobs", str(jobs)
    yield "the page", product.page()
    yield "the figures", json.dumps(product.status())


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_patients_data_is_in_images_and_nowhere_else(product: Product) -> None:
    """After every way through the product the marker stands in objects' bytes alone."""
    good, bad = accepted(), refused()

    assert set(send(product, *good)) == {0}
    assert 0 not in send(product, *bad)
    break_off(product)
    figures = product.at_rest(len(good))
    assert figures["quarantined"] > 0
    printed = operate(product, "importer.redrive", "--operator", "j.doe", "--all")
    assert f'"asked": {figures["quarantined"]}' in printed
    wait_until(lambda: _redriven(product) >= figures["importJobs"] + 1, "driven again", within_s=60)
    after = product.at_rest(len(good))
    landing = landing_bucket(product)
    originals = list(keys_of(product, landing, "incoming/"))
    printed += operate(
        product,
        "importer.redrive",
        "--operator",
        "j.doe",
        "--action",
        "release",
        "--key",
        originals[0],
    )

    assert figures["landed"] == len(good) == after["landed"]
    assert figures["importedWithWarning"] + figures["importedNonPrimary"] > 0
    found = [name for name, text in [("printed", printed), *said(product)] if CANARY in text]
    assert found == []
    # The search would find it: it is in the images, and they are what was sent.
    assert all(CANARY.encode() in body_of(product, landing, key) for key in originals)
    kept = [key for key in keys_of(product, landing, "refused/") if key.endswith(".dcm")]
    assert len(kept) >= len(bad)


def _unpacked(value: bytes) -> str:
    """Return what a row holds packed; nothing if it is no text."""
    try:
        return zlib.decompress(value).decode()
    except (zlib.error, UnicodeDecodeError):
        return ""


def _redriven(product: Product) -> int:
    return product.status()["importJobs"]
