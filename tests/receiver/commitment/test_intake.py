"""Success of an N-ACTION means that the request is kept; where it is not, the device is told so."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.dsutils import encode

from receiver.commitment.directory import DirectoryArchive
from receiver.commitment.intake import Intake
from receiver.commitment.link import Asker, Frame, Link
from receiver.commitment.ports import UnavailableError
from receiver.status import Status
from tests.builders import CT_IMAGE, new_uid
from tests.receiver.commitment.device import information
from tests.receiver.fake_storage import FakeLog


class _Full(DirectoryArchive):
    """A storage that takes nothing."""

    def write(self, *_: Any) -> bool:
        raise UnavailableError("SlowDown")


class _Taken(DirectoryArchive):
    """A storage in which there is such an object already."""

    def write(self, *_: Any) -> bool:
        return False


@pytest.mark.parametrize(
    ("archive", "status", "accepted"),
    [
        (DirectoryArchive, Status.SUCCESS, 1),
        (_Full, Status.PROCESSING_FAILURE, 0),
        (_Taken, Status.PROCESSING_FAILURE, 0),
    ],
)
def test_what_is_not_kept_is_not_promised(
    tmp_path: Path, archive: type[DirectoryArchive], status: Status, accepted: int
) -> None:
    """0110 where the storage refuses, and nobody goes on with the request."""
    taken: list[object] = []
    done = threading.Event()

    def accept(request: object, link: Link) -> None:
        taken.append(request)
        link.close()
        done.set()

    intake = Intake(archive(tmp_path), accept, keep_s=5.0, log=FakeLog())
    with (
        tempfile.TemporaryDirectory() as short,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(f"{short}/s")
        listener.listen()
        threading.Thread(target=intake.serve, args=(listener,), daemon=True).start()
        link = Link.connect(f"{short}/s".encode(), 30.0)
        asker = Asker(
            association_id="a", calling_ae_title="CT", called_ae_title="S", peer="", implicit=True
        )
        link.send(Frame.ASK, asker.encode())
        link.send(Frame.PIECE, encode(information([(CT_IMAGE, new_uid())]), True, True) or b"")  # noqa: FBT003 - its form
        link.send(Frame.END)
        said = json.loads(link.expect(Frame.STATUS))
        if accepted:
            assert done.wait(30)
        link.close()
        listener.shutdown(socket.SHUT_RDWR)

    assert said["status"] == status
    assert len(taken) == accepted
