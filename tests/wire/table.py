"""The bad-input table: every case of its 56 rows."""

from __future__ import annotations

from tests.wire import rows_association, rows_dataset, rows_message, rows_peer, rows_tls

CASES = (
    *rows_association.ROWS,
    *rows_message.ROWS,
    *rows_dataset.ROWS,
    *rows_peer.ROWS,
    *rows_tls.ROWS,
)
