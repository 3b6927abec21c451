"""A real client: Orthanc stores, asks, and is answered, also by a receiver that was started afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from local.ports import free_port
from tests.builders import make_instance, write_part10
from tests.deadline import wait_until
from tests.landed import Landed
from tests.orthanc import TITLE, running_orthanc
from tests.receiver_process import ReceiverProcess

Start = Callable[..., ReceiverProcess]


def test_orthanc_is_answered_before_and_after_a_restart(
    start: Start, landing: Landed, tmp_path: Path
) -> None:
    """One request at once; another is kept, everything is killed, and the next receiver answers it."""
    dicom_port, http_port, receiver_port = free_port(), free_port(), free_port()
    peers = {
        "COMMITMENT_PEERS": f"{TITLE}=127.0.0.1:{dicom_port}",
        "SCP_PORT": receiver_port,
        "REQUIRE_CALLED_AE_TITLE": "true",
    }
    good, missing = make_instance(), make_instance()
    first = start(**peers)
    with running_orthanc(
        tmp_path / "orthanc",
        dicom_port=dicom_port,
        http_port=http_port,
        receiver_port=receiver_port,
    ) as orthanc:
        orthanc.store(write_part10(good, tmp_path / "good.dcm"))
        wait_until(landing.rows, "the batch is sealed")

        at_once = orthanc.report(orthanc.ask([good]))
        asked = orthanc.ask([good, missing])
        first.kill()
        pending = orthanc.call(asked)
        start(**peers)
        deferred = orthanc.report(asked)

    assert (at_once["Status"], at_once["RemoteAET"]) == ("Success", "STORESCP")
    assert pending["Status"] == "Pending"
    assert deferred["Status"] == "Failure"
    assert [s["SOPInstanceUID"] for s in deferred["Success"]] == [good.sop_instance_uid]
    assert [(f["SOPInstanceUID"], f["FailureReason"]) for f in deferred["Failures"]] == [
        (missing.sop_instance_uid, 0x0112)
    ]
