"""Orthanc as a real storage commitment SCU: a process with a DICOM and an HTTP port of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.builders import Instance
from tests.deadline import wait_until

TITLE = "ORTHANC"
PEER = "storescp"
_SYSTEM_PATH = "/usr/sbin:/usr/local/sbin"


def find_orthanc() -> str | None:
    """Return the program, which Debian keeps where only root looks."""
    return shutil.which("Orthanc") or shutil.which("Orthanc", path=_SYSTEM_PATH)


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc that knows one receiver."""

    http_port: int

    def call(self, path: str, body: object = None) -> Any:
        """Call its REST API; POST with a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (loopback)
            return json.load(answer)

    def store(self, instance: Path) -> None:
        """Take a file, and send it to the receiver by C-STORE."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/instances", data=instance.read_bytes()
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (loopback)
            found = json.load(answer)["ID"]
        self.call(f"/modalities/{PEER}/store", [found])

    def ask(self, instances: Sequence[Instance]) -> str:
        """Ask for storage commitment; return where its report will be."""
        wanted = [
            {"SOPClassUID": i.sop_class_uid, "SOPInstanceUID": i.sop_instance_uid}
            for i in instances
        ]
        asked = self.call(f"/modalities/{PEER}/storage-commitment", {"DicomInstances": wanted})
        return str(asked["Path"])

    def report(self, path: str, *, within_s: float = 30.0) -> dict[str, Any]:
        """Return a report that is no longer pending.

        Raises:
            AssertionError: It still is.
        """

        def arrived() -> dict[str, Any] | None:
            report: dict[str, Any] = self.call(path)
            return report if report["Status"] != "Pending" else None

        return wait_until(arrived, "Orthanc has its report", within_s=within_s)


@contextmanager
def running_orthanc(
    folder: Path, *, dicom_port: int, http_port: int, receiver_port: int
) -> Iterator[Orthanc]:
    """Run Orthanc; its files and its log are in `folder`."""
    program = find_orthanc()
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": TITLE,
        "DicomCheckCalledAet": True,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {
            PEER: {
                "AET": "STORESCP",
                "Host": "127.0.0.1",
                "Port": receiver_port,
                "AllowStorageCommitment": True,
            }
        },
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
        )
        orthanc = Orthanc(http_port)
        try:
            wait_until(lambda: _answers(orthanc, process, folder), "Orthanc answers", within_s=60)
            yield orthanc
        finally:
            process.kill()  # nothing of it is kept
            process.wait(30)


def _answers(orthanc: Orthanc, process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text()[-2000:]
    try:
        return bool(orthanc.call("/system"))
    except OSError:
        return False
