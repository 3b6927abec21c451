"""Whether the existing data store can be imported into."""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.problems import Problem, fault
from importer.preflight.properties import DATASTORE

ACTIVE = "ACTIVE"


def check_datastore(datastore_id: str, status: str | None) -> Iterator[Problem]:
    """Check its status, None if there is no such data store."""
    if status is None:
        yield fault(
            DATASTORE,
            en=f"{DATASTORE}: this account and Region have no data store {datastore_id}; copy its id again, "
            "or leave it empty for a new one.",
            ja=f"{DATASTORE}のデータストア（{datastore_id}）がこのアカウント・リージョンに存在しないため、"
            "IDを確認するか、新規作成する場合は空にしてください。",
        )
    elif status != ACTIVE:
        yield fault(
            DATASTORE,
            en=f"{DATASTORE}: data store {datastore_id} is {status}, not {ACTIVE}; choose an active one, or "
            "leave it empty for a new one.",
            ja=f"{DATASTORE}のデータストア（{datastore_id}）の状態が{ACTIVE}ではなく{status}であるため、"
            "利用可能なデータストアを指定するか、新規作成する場合は空にしてください。",
        )
