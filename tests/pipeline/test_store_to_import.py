from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.scu import Receiver, Result, find, send
from local.status import TERMINAL
from tests.builders import JPEG_2000, make_instance, write_part10
from tests.clients import Outcome, dcmsend, echoscu, pynetdicom_storescu, storescu
from tests.corpus import Fate, Sample
from tests.part10 import parse
from tests.pipeline.conftest import Product

Client = Callable[[int, Path], Outcome]

CLIENTS: dict[str, Client] = {
    "storescu": storescu,
    "dcmsend": lambda port, folder: dcmsend(port, folder, options=["+sd"]),
    "pynetdicom": pynetdicom_storescu,
}


def datasets(folder: Path) -> list[bytes]:
    """Return the dataset bytes of every imported file, sorted."""
    return sorted(parse(path.read_bytes()).dataset for path in folder.rglob("*.dcm"))


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_what_a_client_sends_is_imported_unchanged(
    product: Product, tmp_path: Path, client: Client
) -> None:
    """Every instance of a real client ends imported, its dataset's bytes read back identical."""
    made = [make_instance() for _ in range(3)]
    for n, instance in enumerate(made):
        write_part10(instance, tmp_path / f"{n}.dcm")
    before = product.status()

    outcome = client(product.scp_port, tmp_path)
    assert outcome.code == 0, outcome.output
    after = product.at_rest(before["landed"] + 3)

    assert after["acked"] == before["acked"] + 3
    assert after["imported"] == before["imported"] + 3
    for instance in made:
        (path,) = product.imported.rglob(f"{instance.sop_instance_uid}.dcm")
        assert parse(path.read_bytes()).dataset == instance.dataset


def test_a_malformed_uid_is_imported_with_a_warning(product: Product, tmp_path: Path) -> None:
    """A series UID with a leading zero is no reason to lose an image, and no secret."""
    instance = make_instance(series_instance_uid="1.2.03.4")
    write_part10(instance, tmp_path / "a.dcm")
    before = product.status()

    assert storescu(product.scp_port, tmp_path).code == 0
    after = product.at_rest(before["landed"] + 1)
    assert after["importedWithWarning"] == before["importedWithWarning"] + 1


def test_conflicting_metadata_is_kept_apart(product: Product, tmp_path: Path) -> None:
    """Two instances of one series with other PatientIDs: one primary, one not."""
    first = make_instance()
    for n in range(2):  # the builder gives each a PatientID of its own
        instance = make_instance(study_instance_uid="2.25.11", series_instance_uid="2.25.12")
        write_part10(instance, tmp_path / f"{n}.dcm")
    write_part10(first, tmp_path / "other.dcm")
    before = product.status()

    assert storescu(product.scp_port, tmp_path).code == 0
    after = product.at_rest(before["landed"] + 3)
    assert after["importedNonPrimary"] == before["importedNonPrimary"] + 1


def test_an_instance_that_cannot_be_imported_is_quarantined(
    product: Product, tmp_path: Path
) -> None:
    """An overlong study UID, acknowledged, ends in quarantine with its reason on the page."""
    instance = make_instance(study_instance_uid="1." * 150 + "1")
    write_part10(instance, tmp_path / "a.dcm")
    before = product.status()

    outcome = storescu(product.scp_port, tmp_path)
    figures = product.at_rest(before["landed"] + (outcome.code == 0))
    if outcome.code == 0:
        assert figures["quarantined"] == before["quarantined"] + 1
        assert "import_refused" in product.page()
    else:
        assert figures["acked"] == before["acked"]


def test_the_built_in_sender_sends_compressed_files_as_they_are(
    product: Product, tmp_path: Path
) -> None:
    """The built-in sender keeps a JPEG 2000 dataset's bytes."""
    instance = make_instance(transfer_syntax_uid=JPEG_2000, size=5000)
    write_part10(instance, tmp_path / "a.dcm")
    before = product.status()
    results: list[Result] = []

    receiver = Receiver("127.0.0.1", product.scp_port, "STORESCP")
    send(list(find([tmp_path])), receiver, results.append)
    product.at_rest(before["landed"] + 1)

    assert [result.reason for result in results] == [""]
    (path,) = product.imported.rglob(f"{instance.sop_instance_uid}.dcm")
    assert parse(path.read_bytes()).dataset == instance.dataset


def test_echo_is_answered(product: Product) -> None:
    """C-ECHO succeeds and lands nothing."""
    assert echoscu(product.scp_port).code == 0


def test_every_corpus_file_is_accounted_for(product: Product, corpus: list[Sample]) -> None:
    """Each acknowledged file of pydicom's own ends imported or quarantined, its bytes identical."""
    samples = [s for s in corpus if s.is_part10 and s.fate is Fate.ACKED]
    before = product.status()
    results: list[Result] = []

    receiver = Receiver("127.0.0.1", product.scp_port, "STORESCP")
    send(list(find([sample.path for sample in samples])), receiver, results.append)
    stored = [result.path for result in results if not result.reason]
    # Two of the files are the same: the second is answered from memory.
    contents = {path.read_bytes() for path in stored}
    after = product.at_rest(before["landed"] + len(contents))

    assert len(contents) > 50
    gained = {name: after[name] - before[name] for name in TERMINAL}
    assert sum(gained.values()) == after["landed"] - before["landed"]
    found = set(datasets(product.imported))
    quarantined = [path for path in stored if parse(path.read_bytes()).dataset not in found]
    assert len(quarantined) <= gained["quarantined"]


def test_the_page_shows_the_sum(product: Product) -> None:
    """The console page is the widget's HTML with the ledger's numbers."""
    figures = product.at_rest(0)

    assert f"<td>{figures['landed']}</td><td>{figures['imported']}</td>" in product.page()
