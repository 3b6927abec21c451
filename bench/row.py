"""A benchmark's result: one figure, and what it is compared with in the same run."""

from __future__ import annotations

from typing import TypedDict


class Row(TypedDict):
    """One line of the table.

    Keys:
        name: What was measured.
        value: Ours (or the peer's own, in rows about a peer).
        unit: Of the value.
        peer: Whom or what the ratio is to; empty for none.
        ratio: Value to peer's value, 0 for none; `name` or `peer` says whether more is better.
    """

    name: str
    value: float
    unit: str
    peer: str
    ratio: float
