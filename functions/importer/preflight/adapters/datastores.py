"""Data stores, from HealthImaging."""

from __future__ import annotations

from typing import Any

from importer.adapters.clients import error_code

_GONE = ("DELETED", "CREATE_FAILED")


class HealthImagingDatastores:
    """`ports.DatastoreSource`."""

    def __init__(self, medical_imaging: Any) -> None:
        self._medical_imaging = medical_imaging

    def status(self, datastore_id: str) -> str | None:
        """Return a data store's status, None if there is none of that id."""
        try:
            found = self._medical_imaging.get_datastore(datastoreId=datastore_id)
        except Exception as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return str(found["datastoreProperties"]["datastoreStatus"])

    def active_count(self) -> int:
        """Return how many data stores there are."""
        pages = self._medical_imaging.get_paginator("list_datastores").paginate()
        return sum(
            item["datastoreStatus"] not in _GONE
            for page in pages
            for item in page["datastoreSummaries"]
        )
