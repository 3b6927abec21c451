from __future__ import annotations

from pathlib import Path

from local.scu import MAX_CONTEXTS, Candidate, find, plan
from tests.local.dicom import EXPLICIT_LITTLE_ENDIAN, SECONDARY_CAPTURE, part10


def test_files_are_found_by_content(tmp_path: Path) -> None:
    """Names do not matter; what is no Part 10 file, or names no class or syntax, is left out."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "no-extension").write_bytes(part10())
    (folder / "liar.dcm").write_bytes(b"text")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "no-syntax.dcm").write_bytes(part10(without=("TransferSyntaxUID",)))

    assert list(find([tmp_path])) == [
        Candidate(folder / "no-extension", SECONDARY_CAPTURE, EXPLICIT_LITTLE_ENDIAN)
    ]


def test_no_association_needs_more_contexts_than_there_are() -> None:
    """130 kinds of files need two associations, and a known kind goes where its context is."""
    kinds = [Candidate(Path(str(n)), f"1.2.{n}", "1.2.840.10008.1.2") for n in range(130)]
    again = Candidate(Path("again"), "1.2.0", "1.2.840.10008.1.2")
    first, second = plan([*kinds, again])

    assert len({candidate.context for candidate in first}) == MAX_CONTEXTS
    assert first[-1] == again
    assert len(second) == 2
