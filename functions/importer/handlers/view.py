"""Lambda View: the dashboard's custom widget, and the figures of the local status page. Reads only."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Any

from importer.adapters.clients import client
from importer.adapters.ledger import Ledger
from importer.domain.view import figures, render
from importer.environment import ViewSettings

BATCHES_SHOWN = 20
QUARANTINED_SHOWN = 50
_DESCRIPTION = "StoreSCP: where every image is. Takes no parameters."


def handler(event: dict[str, Any], _context: Any) -> str | dict[str, int]:
    """Return the widget's HTML; its description or the figures alone when the event asks for them.

    Args:
        event: CloudWatch's own (`describe` asks for the widget's documentation), or `{"figures": true}`.
        _context: Not used.
    """
    if event.get("describe"):
        return _DESCRIPTION
    ledger = _ledger()
    if event.get("figures"):
        return figures(ledger.totals())
    return render(
        ledger.totals(),
        ledger.recent_batches(BATCHES_SHOWN),
        ledger.quarantined(QUARANTINED_SHOWN),
    )


@cache
def _ledger() -> Ledger:
    settings = ViewSettings.from_env(os.environ)
    return Ledger(client("dynamodb"), settings.table_name, time.time)
