"""Real senders against `association.serve`."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import pydicom.data
import pynetdicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.receiver.scp import LoopbackScp, wait_until

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
CT = Path(pydicom.data.__file__).parent / "test_files" / "CT_small.dcm"


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False
    )
    # Debian's gdcmscu 3.0.21 ends every C-STORE with an uncaught exception, after its release and
    # against DCMTK's storescp too: what counts is what landed.
    if "--store" not in command:
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("count", [1, 3])
def test_echoscu_is_answered(count: int) -> None:
    """DCMTK's echoscu gets Success for each of its requests."""
    with LoopbackScp() as scp:
        _run("echoscu", "--repeat", str(count), "127.0.0.1", str(scp.port))
        wait_until(lambda: scp.record.events[-1][0] == "association_closed")
        closed = scp.record.events[-1][1]
    assert (closed["echoed"], closed["outcome"]) == (count, "released")


@pytest.mark.parametrize(
    "command",
    [
        ("storescu", "-v", "127.0.0.1", "{port}", "{file}"),
        (
            "storescu",
            "-v",
            "-pdu",
            "16384",
            "--max-send-pdu",
            "4096",
            "127.0.0.1",
            "{port}",
            "{file}",
        ),
        ("storescu", "-v", "-R", "-xs", "127.0.0.1", "{port}", "{file}"),
        ("dcmsend", "-v", "127.0.0.1", "{port}", "{file}"),
        ("gdcmscu", "--store", "-H", "127.0.0.1", "-p", "{port}", "-i", "{file}"),
    ],
    ids=["storescu", "storescu-small-pdus", "storescu-proposing-jpeg", "dcmsend", "gdcmscu"],
)
def test_a_real_sender_stores_its_bytes(command: tuple[str, ...]) -> None:
    """The dataset that lands has the bytes of the file that was sent."""
    with LoopbackScp() as scp:
        _run(*(word.format(port=scp.port, file=CT) for word in command))
        wait_until(lambda: scp.record.counts.get("acked") == 1)
        (stored,) = scp.landing.committed
    file = pydicom.dcmread(CT)
    assert stored.identified is not None
    assert stored.identified.sop_instance_uid == file.SOPInstanceUID
    assert stored.identified.study_instance_uid == file.StudyInstanceUID
    assert stored.identified.series_instance_uid == file.SeriesInstanceUID
    # DCMTK and GDCM may write group lengths and private groups anew; the pixels are the file's.
    landed = pydicom.dcmread(BytesIO(stored.dataset), force=True)
    assert landed.PixelData == file.PixelData


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_a_pynetdicom_scu_stores_in_each_uncompressed_syntax(syntax: pydicom.uid.UID) -> None:
    """Pynetdicom associates, echoes, stores and releases in the transfer syntax that it proposes."""
    file = pydicom.dcmread(CT)
    resent = pydicom.dcmread(CT)
    ae = pynetdicom.AE()
    ae.add_requested_context(CT_IMAGE_STORAGE, syntax)
    ae.add_requested_context(VERIFICATION)
    ae.add_requested_context(WORKLIST_FIND)
    ae.add_requested_context("1.2.3.4.5", [syntax, "9.9.9.9"])
    ae.add_requested_context("1.2.3.4.6", ["9.9.9.9", DeflatedExplicitVRLittleEndian])
    with LoopbackScp() as scp:
        association = ae.associate("127.0.0.1", scp.port)
        assert association.is_established
        results = {c.abstract_syntax: c.result for c in association.rejected_contexts}
        assert results == {WORKLIST_FIND: 3, "1.2.3.4.6": 4}
        assert association.send_c_echo().Status == 0
        _encode_as(resent, syntax)
        assert association.send_c_store(resent).Status == 0
        association.release()
        assert association.is_released
        (stored,) = scp.landing.committed
    assert stored.identity.transfer_syntax_uid == syntax
    assert stored.identified is not None
    assert stored.identified.study_instance_uid == file.StudyInstanceUID


def _encode_as(file: pydicom.FileDataset, syntax: pydicom.uid.UID) -> None:
    file.set_original_encoding(
        is_implicit_vr=syntax.is_implicit_VR, is_little_endian=syntax.is_little_endian
    )
    if not syntax.is_little_endian:
        words = memoryview(bytes(file.PixelData)).cast("H").tolist()
        file.PixelData = b"".join(word.to_bytes(2, "big") for word in words)
    file.file_meta.TransferSyntaxUID = syntax
