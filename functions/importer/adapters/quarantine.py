"""The operator's list in DynamoDB: quarantined objects with their attempts and redrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from contract import schema
from contract.keys import BatchId
from contract.states import InstanceState
from importer.adapters import items
from importer.adapters.clients import error_code, in_parallel
from importer.adapters.items import Item
from importer.adapters.updates import CONDITION_FAILED, Updates
from importer.domain.records import Quarantined, Redrive

_EXISTS = "attribute_exists(pk)"
_MAY_QUARANTINE = "attribute_not_exists(#state) OR #state = :quarantined"
"""A state never goes back: a late repetition of the first answer must not undo a redrive's."""


class QuarantineItems:
    """Quarantined objects; attempts and redrives are sets, so that noting one twice changes nothing."""

    def __init__(self, client: Any, table: str) -> None:
        """Write to the ledger's table."""
        self._updates = Updates(client)
        self._table = table

    def write(self, records: Sequence[Quarantined]) -> list[Quarantined]:
        """Write records; return them with their history, without those that were imported after all."""
        return _found(in_parallel(self._write, records))

    def take_off(self, batch_id: BatchId, states: Mapping[str, InstanceState]) -> list[Quarantined]:
        """Give objects their final state, out of the index; return their records."""

        def take(key: str) -> Quarantined | None:
            return self._update(
                items.quarantine_key(str(batch_id), key),
                sets={"state": items.text(states[key].value)},
                removes=(schema.STATE_SHARD, schema.STATE_TIME),
                condition=_EXISTS,
            )

        return _found(in_parallel(take, list(states)))

    def note_redrives(
        self, batch_id: BatchId, redrives: Mapping[str, Redrive]
    ) -> list[Quarantined]:
        """Add redrives to objects' records; return the records."""

        def note(key: str) -> Quarantined | None:
            return self._update(
                items.quarantine_key(str(batch_id), key),
                adds=items.quarantine_history((), [redrives[key]]),
                condition=_EXISTS,
            )

        return _found(in_parallel(note, list(redrives)))

    def _write(self, record: Quarantined) -> Quarantined | None:
        return self._update(
            items.quarantine_key(record.batch, record.key),
            sets=items.quarantine_values(record),
            adds=items.quarantine_history(record.attempts, record.redrives),
            condition=_MAY_QUARANTINE if record.state is InstanceState.QUARANTINED else "",
        )

    def _update(
        self,
        key: Item,
        *,
        sets: Item | None = None,
        adds: Item | None = None,
        removes: Sequence[str] = (),
        condition: str,
    ) -> Quarantined | None:
        """Update an item and return what it is then; None if the condition did not hold."""
        sets, adds = sets or {}, adds or {}
        clauses = []
        if sets:
            clauses.append("SET " + ", ".join(f"#{name} = :{name}" for name in sets))
        if adds:
            clauses.append("ADD " + ", ".join(f"#{name} :{name}" for name in adds))
        if removes:
            clauses.append("REMOVE " + ", ".join(f"#{name}" for name in removes))
        names = [*sets, *adds, *removes]
        values = {f":{name}": value for name, value in (sets | adds).items()}
        if condition == _MAY_QUARANTINE:
            values[":quarantined"] = items.text(InstanceState.QUARANTINED.value)
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": key,
            "UpdateExpression": " ".join(clauses),
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "ReturnValues": "ALL_NEW",
        }
        if values:
            request["ExpressionAttributeValues"] = values
        if condition:
            request["ConditionExpression"] = condition
        try:
            response = self._updates.update_item(**request)
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                return None
            raise
        return items.quarantined_of(response["Attributes"])


def _found(records: Sequence[Quarantined | None]) -> list[Quarantined]:
    return [record for record in records if record is not None]
