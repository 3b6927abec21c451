"""TransactWriteItems: all of it or nothing, and once for each client request token."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from local.dynamodb.table import Key, Table
from local.dynamodb.values import DynamoError, Item, invalid

MOST_ACTIONS = 100
TOKEN_S = 600.0
"""For so long the same token means the same transaction."""

Request = dict[str, Any]
Written = tuple[Table, Key, Item | None, Item | None]


class Transactions:
    """Serves TransactWriteItems; the caller holds the lock."""

    def __init__(
        self, table: Callable[[Request], Table], write: Callable[[str, Request], Written]
    ) -> None:
        """Keep what finds a table, and what says what a single write would do."""
        self._table = table
        self._write = write
        self._tokens: dict[str, tuple[float, str]] = {}

    def write(self, request: Request) -> Request:
        """Do all actions, or none.

        Raises:
            DynamoError: TransactionCanceledException with a reason for each action, or another.
        """
        token, actions = request.get("ClientRequestToken", ""), request["TransactItems"]
        now, text = time.monotonic(), json.dumps(actions, sort_keys=True)
        known = self._tokens.get(token)
        if token and known is not None and now - known[0] < TOKEN_S:
            if known[1] != text:
                message = "The token was used with other parameters"
                raise DynamoError("IdempotentParameterMismatchException", message)
            return {}
        if not 1 <= len(actions) <= MOST_ACTIONS:
            raise invalid(f"A transaction has 1 to {MOST_ACTIONS} actions")
        for table, key, _, new in self._all(actions):
            table.put(key, new)
        if token:
            self._forget_old(now)
            self._tokens[token] = (now, text)
        return {}

    def _refuse_twice(self, actions: list[dict[str, Request]]) -> None:
        seen: set[tuple[int, Key | None]] = set()
        for action in actions:
            [(kind, request)] = action.items()
            table = self._table(request)
            seen.add((id(table), table.keys.key_of(request["Item" if kind == "Put" else "Key"])))
        if len(seen) < len(actions):
            raise invalid("Transaction request cannot include multiple operations on one item")

    def _all(self, actions: list[dict[str, Request]]) -> list[Written]:
        self._refuse_twice(actions)
        written: list[Written] = []
        reasons: list[dict[str, Any]] = []
        for action in actions:
            [(kind, request)] = action.items()
            try:
                written.append(self._write(kind, request))
                reasons.append({"Code": "None"})
            except DynamoError as error:
                if error.code == "ResourceNotFoundException":
                    raise
                code = error.code.removesuffix("Exception").replace("Validation", "ValidationError")
                reasons.append({"Code": code, "Message": error.message, **error.more})
        if len(written) < len(actions):
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = (
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{codes}]"
            )
            raise DynamoError("TransactionCanceledException", message, CancellationReasons=reasons)
        return written

    def _forget_old(self, now: float) -> None:
        for token in [t for t, (at, _) in self._tokens.items() if now - at >= TOKEN_S]:
            del self._tokens[token]
