"""Credentials that cannot be had are a failure of the storage, whatever botocore calls it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.credentials import RefreshableCredentials

from contract.reasons import WireReason
from receiver.ports import StoreError
from receiver.sinks.s3 import Credentials


def test_keys_that_have_expired_when_they_come_are_a_failed_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An endpoint that gives old keys, or a slow one: the sender is told A700, not that we have a bug."""
    old = {
        "access_key": "testing",
        "secret_key": "testing",
        "token": "testing",
        "expiry_time": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
    }
    found = RefreshableCredentials.create_from_metadata(old, lambda: old, "test")
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: found)

    with pytest.raises(StoreError) as raised:
        Credentials().get()

    assert raised.value.reason is WireReason.STORAGE_FAILED
