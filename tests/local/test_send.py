"""The built-in sender's exit code and words: what it says is what became of the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from local import send
from local.scu import Candidate, Outcome, Receiver, Result
from local.status import TERMINAL
from tests.local.dicom import part10

BEFORE = {
    "acked": 3,
    "landed": 3,
    "inFlight": 0,
    **dict.fromkeys(TERMINAL, 0),
    "imported": 2,
    "quarantined": 1,
}


def run(
    monkeypatch: pytest.MonkeyPatch, folder: Path, outcome: Outcome, **after: int
) -> tuple[int, list[Path]]:
    """Send one file, whose outcome is given; return the exit code."""
    (folder / "a.dcm").write_bytes(part10())
    sent: list[Path] = []
    statuses = iter([BEFORE, {**BEFORE, "acked": 4, "landed": 4, **after}])

    def fake_send(
        candidates: Sequence[Candidate], receiver: Receiver, progress: Callable[[Result], None]
    ) -> None:
        del receiver
        for candidate in candidates:
            sent.append(candidate.path)
            progress(Result(candidate.path, outcome, "" if outcome is Outcome.STORED else "why"))

    monkeypatch.setattr(send, "send", fake_send)
    monkeypatch.setattr(send, "FRESH_S", 0)
    monkeypatch.setattr(send, "_status", lambda _: next(statuses))
    return send.main([str(folder)]), sent


def test_all_imported_is_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Earlier quarantined files of others are not ours."""
    code, sent = run(monkeypatch, tmp_path, Outcome.STORED, imported=3)

    assert (code, sent) == (0, [tmp_path / "a.dcm"])


def test_what_was_sent_a_moment_ago_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Acknowledged and not stored again: said, and over at once."""
    code, _ = run(monkeypatch, tmp_path, Outcome.STORED, acked=3, landed=3)

    assert code == 0
    assert "a moment ago" in capsys.readouterr().out


def test_a_quarantined_file_is_no_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was acknowledged and is not lost, but it is not imported."""
    code, _ = run(monkeypatch, tmp_path, Outcome.STORED, quarantined=2)

    assert code == send.EXIT_REFUSED
    assert "quarantined is on the console page" in capsys.readouterr().out


def test_a_refused_file_is_no_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its reason and its path are on one line, however long."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    code, _ = run(monkeypatch, folder, Outcome.REFUSED)

    assert code == send.EXIT_REFUSED
    assert f"1 refused: why (for example {folder / 'a.dcm'})" in capsys.readouterr().out


def test_an_impossible_ae_title_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is connected, nothing is a traceback."""
    (tmp_path / "a.dcm").write_bytes(part10())
    code = send.main([str(tmp_path), "--port", "1", "--called-ae-title", "X" * 17])

    assert code == send.EXIT_REFUSED
    assert "cannot be called: 1 to 16 ASCII characters" in capsys.readouterr().out
