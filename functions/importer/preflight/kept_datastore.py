"""Custom resource KeptDatastore: an update that would go on with another data store fails, and says so.

Every property of a data store is create-only, the stack's own tags among them, so an update that seems
harmless can replace it by an empty one. The resource's name is the data store that was accepted last, so a
rollback, which asks for that one again, is always let through and nothing need be asked of anybody.
"""

from __future__ import annotations

from dataclasses import replace

from importer.preflight.answer import FAILED, SUCCESS, Answer
from importer.preflight.checks.lasting import replaced
from importer.preflight.properties import DATASTORE
from importer.preflight.request import Request
from importer.preflight.verdict import CREATE, UPDATE

RESOURCE_TYPE = "Custom::KeptDatastore"
IN_USE = "DatastoreID"
"""Property: the data store that the stack would use."""


def answer_to(request: Request) -> tuple[Request, Answer]:
    """Return the answer, and the request as whose it is given: a change of name says what was accepted."""
    asked = str(request.properties.get(IN_USE, ""))
    if request.kind not in (CREATE, UPDATE) or not asked:
        return request, Answer(status=SUCCESS)
    if request.kind == UPDATE and asked != request.physical_id and not _was_chosen(request):
        return request, Answer(status=FAILED, reason=str(replaced(request.physical_id, asked).text))
    return replace(request, physical_id=asked), Answer(status=SUCCESS)


def _was_chosen(request: Request) -> bool:
    """Tell whether somebody gave or took back an existing data store: that is meant."""
    return bool(request.properties.get(DATASTORE, "") != request.previous.get(DATASTORE, ""))
