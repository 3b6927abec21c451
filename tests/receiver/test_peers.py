"""COMMITMENT_PEERS: read, refused with what to do, and not without what it needs."""

from __future__ import annotations

import pytest

from contract.settings import SettingsError
from receiver.peers import Peer
from receiver.settings import Settings


def read(peers: str, **others: str) -> Settings:
    """Return the settings of an environment."""
    environment = {"LANDING_URL": "s3://landing", "TABLE_NAME": "ledger", **others}
    return Settings.from_env({**environment, "COMMITMENT_PEERS": peers})


def test_titles_hosts_and_ports_are_read() -> None:
    """Blanks around them do not count, blanks in a title do."""
    settings = read(" CT 1=10.0.0.1:104 ,MR-2 = mr.hospital.local:11112")

    assert settings.commitment_peer("CT 1") == Peer("CT 1", "10.0.0.1", 104)
    assert settings.commitment_peer("MR-2") == Peer("MR-2", "mr.hospital.local", 11112)
    assert settings.commitment_peer("MR") is None
    assert read("").commitment_peers == ()


@pytest.mark.parametrize(
    ("peers", "says"),
    [
        ("CT1", "must match"),
        ("CT1=10.0.0.1", "must match"),
        ("CT1=:104", "must match"),
        ("SEVENTEEN-LETTERS=10.0.0.1:104", "must match"),
        ("CT1=10.0.0.1:0", "has port 0"),
        ("CT1=10.0.0.1:65536", "has port 65536"),
        ("CT1=10.0.0.1:104,CT1=10.0.0.2:104", "names CT1 twice"),
    ],
)
def test_what_is_wrong_is_said(peers: str, says: str) -> None:
    """In one line, with the variable's name."""
    with pytest.raises(SettingsError, match=f"COMMITMENT_PEERS=.*{says}"):
        read(peers)


def test_commitment_needs_something_to_answer_from() -> None:
    """Without an import nothing can be imported, without the ledger nobody knows it."""
    with pytest.raises(SettingsError, match="COMMITMENT_WHEN=landed"):
        read("CT1=10.0.0.1:104", LANDING_URL="file:///tmp/x")
    with pytest.raises(SettingsError, match="TABLE_NAME"):
        read("CT1=10.0.0.1:104", TABLE_NAME="")
    read("CT1=10.0.0.1:104", LANDING_URL="file:///tmp/x", COMMITMENT_WHEN="landed")
