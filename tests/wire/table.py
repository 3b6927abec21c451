"""The bad-input table: every case of rows 1 to 55."""

from __future__ import annotations

from tests.wire import rows_association, rows_dataset, rows_message, rows_peer

CASES = (*rows_association.ROWS, *rows_message.ROWS, *rows_dataset.ROWS, *rows_peer.ROWS)
LEFT_OUT = {56}
"""TLS in the receiver: it has none yet, the load balancer ends TLS."""
