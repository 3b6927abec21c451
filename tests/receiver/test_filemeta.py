"""The file meta: read back by pydicom, and frozen."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pydicom
import pytest

from receiver.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, file_meta


def _meta(uid: str = "1.2.3.4") -> bytes:
    return file_meta(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )


def test_pydicom_reads_every_element(tmp_path: Path) -> None:
    """Group 2 is complete, in order, and says what was given."""
    (tmp_path / "meta").write_bytes(_meta())
    meta = pydicom.filereader.read_file_meta_info(tmp_path / "meta")

    assert [0x00020000 + n for n in (0, 1, 2, 3, 0x10, 0x12, 0x13)] == [e.tag for e in meta]
    assert "1.2.840.10008.5.1.4.1.1.2" == meta.MediaStorageSOPClassUID
    assert "1.2.3.4" == meta.MediaStorageSOPInstanceUID
    assert "1.2.840.10008.1.2.1" == meta.TransferSyntaxUID
    assert IMPLEMENTATION_CLASS_UID == meta.ImplementationClassUID
    assert IMPLEMENTATION_VERSION_NAME == meta.ImplementationVersionName
    assert b"\x00\x01" == meta.FileMetaInformationVersion


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34", "01.2..x y", "1." * 31 + "11"])
def test_group_length_and_padding_are_right(uid: str) -> None:
    """Odd and even, conforming and not: the group length ends exactly at the dataset."""
    data = _meta(uid)

    assert bytes(128) + b"DICM" == data[:132]
    assert len(data) - 144 == int.from_bytes(data[140:144], "little")
    assert 0 == len(data) % 2
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    assert padded in data


def test_it_is_frozen() -> None:
    """The bytes are those of the first release: a change would make known instances look new."""
    digest = hashlib.sha256(_meta()).hexdigest()

    assert "1425dd0f4c7eb9db32f28f75a823f75b95692ed1bde7ac566d66db210461bd5a" == digest
