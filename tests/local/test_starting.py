from __future__ import annotations

import socket
from pathlib import Path

import pytest

from local.data_dir import DataDir, DataDirError
from local.environment import base_environment, function_environment, receiver_environment
from local.ports import PortTakenError, claim, free_port, require_distinct
from tests.local.test_function import function


def test_a_free_port_is_taken_as_it_is() -> None:
    """A port that nobody uses is claimed; 0 gives one."""
    port = claim("SCP_PORT", 0)

    assert claim("SCP_PORT", port) == port


def test_free_ports_are_not_those_of_outgoing_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is another one, and lies below the range that the system gives away."""
    system = tmp_path / "range"
    system.write_text("20000\t60999\n")
    monkeypatch.setattr("local.ports._EPHEMERAL", system)
    found = [free_port() for _ in range(50)]

    assert len(set(found)) == len(found)
    assert max(found) < 20_000


def test_a_taken_port_names_its_variable() -> None:
    """The sentence says which variable to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTakenError, match="set AWS_PORT"):
            claim("AWS_PORT", taken.getsockname()[1])


def test_two_variables_with_one_port_are_named() -> None:
    """Each alone is free; the second part to listen would fail."""
    require_distinct({"SCP_PORT": 1, "AWS_PORT": 2})
    with pytest.raises(PortTakenError, match="SCP_PORT and AWS_PORT are both 1"):
        require_distinct({"SCP_PORT": 1, "CONSOLE_PORT": 3, "AWS_PORT": 1})


def test_a_run_starts_empty_and_says_so(tmp_path: Path) -> None:
    """What an earlier run imported is gone, other files in the directory stay."""
    first = DataDir(tmp_path)
    (first.imported / "a.dcm").write_bytes(b"")
    (tmp_path / "mine.txt").write_text("kept")
    first.close()
    second = DataDir(tmp_path)
    second.close()

    assert (first.was_used, second.was_used) == (False, True)
    assert not list(second.imported.iterdir())
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize("folder", ["imported", "logs"])
def test_folders_that_are_not_ours_are_never_emptied(tmp_path: Path, folder: str) -> None:
    """A DATA_DIR that was chosen by mistake loses nothing."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "mine.txt").write_text("kept")

    with pytest.raises(DataDirError, match=f"{folder} is not of an earlier run"):
        DataDir(tmp_path)
    assert (tmp_path / folder / "mine.txt").read_text() == "kept"


def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second is told to take another one."""
    first = DataDir(tmp_path)
    with pytest.raises(DataDirError, match="DATA_DIR"):
        DataDir(tmp_path)
    first.close()


def test_a_directory_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    """A path that cannot be a directory is refused by name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="set DATA_DIR"):
        DataDir(tmp_path / "file")


def test_no_part_sees_the_persons_aws_account() -> None:
    """Profiles and keys of a real account never reach a part."""
    environ = {"AWS_PROFILE": "hospital", "AWS_SECRET_ACCESS_KEY": "real", "PATH": "/bin"}
    made = base_environment(environ, 4566)

    assert made["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert "AWS_PROFILE" not in made
    assert "real" not in made.values()


def test_the_receivers_place_wins_over_the_template_and_its_settings_over_both() -> None:
    """Ports and PROXY are this machine's, other settings the person's, the rest the template's."""
    made = receiver_environment(
        {
            "SCP_PORT": "11112",
            "PROXY_PROTOCOL": "true",
            "BATCH_IDLE": "10",
            "LANDING_URL": "s3://b",
        },
        {"BATCH_IDLE": "1", "LANDING_URL": "file:///elsewhere", "HOME": "/"},
        {"BATCH_IDLE": None, "LANDING_URL": None, "SCP_PORT": None},
        scp_port=1,
        health_port=2,
    )

    assert made == {
        "SCP_PORT": "1",
        "HEALTH_PORT": "2",
        "PROXY_PROTOCOL": "false",
        "BATCH_IDLE": "1",
        "LANDING_URL": "s3://b",
        "STOP_TIMEOUT": "10",
    }


def test_a_functions_settings_can_be_changed_by_name() -> None:
    """A variable that the template gives a function may be overridden, others stay out."""
    made = function_environment(
        function(environment={"POLL_AFTER": "300"}), {"POLL_AFTER": "1", "OTHER": "x"}
    )

    assert made["POLL_AFTER"] == "1"
    assert "OTHER" not in made
