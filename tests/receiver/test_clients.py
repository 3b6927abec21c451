"""Real senders against `association.serve`."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
import pynetdicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from tests.receiver.scp import LoopbackScp, wait_until

CT = Path(str(get_testdata_file("CT_small.dcm")))


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False
    )
    # Debian's gdcmscu 3.0.21 ends every C-STORE with an uncaught exception, after its release and
    # against DCMTK's storescp too: what counts is what landed.
    if "--store" not in command:
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _dataset_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    stream = BytesIO(data)
    pydicom.filereader.read_preamble(stream, force=False)
    pydicom.filereader._read_file_meta_info(stream)
    return data[stream.tell() :]


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
    if command[0] != "gdcmscu":  # it sorts and drops elements
        assert (
            pydicom.dcmread(BytesIO(stored.dataset), force=True).PixelData == file.PixelData
        )  # DCMTK writes group lengths anew
