"""Which instances the sealed batches hold."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from contract.keys import BatchId
from contract.manifest import InvalidManifestError, Manifest

MAX_CACHED_ROWS = 100_000
"""Instances of manifests that are kept in memory, about 20 MiB."""


class Manifests:
    """The instances of sealed batches, as many kept as fit.

    Args:
        read: Returns the object of a key, None if there is none.
    """

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._kept: OrderedDict[BatchId, dict[str, str]] = OrderedDict()
        self._rows = 0

    def find(self, uids: Iterable[str], batches: Iterable[BatchId]) -> Mapping[str, str]:
        """Return the SOP classes of those UIDs that the batches name; stops when it has all.

        Raises:
            UnavailableError: A manifest cannot be read.
        """
        wanted = set(uids)
        found: dict[str, str] = {}
        for batch in batches:
            if not wanted:
                break
            instances = self._instances(batch)
            for uid in wanted & instances.keys():
                found[uid] = instances[uid]
            wanted -= found.keys()
        return found

    def _instances(self, batch: BatchId) -> dict[str, str]:
        if (kept := self._kept.get(batch)) is not None:
            self._kept.move_to_end(batch)
            return kept
        body = self._read(batch.manifest_key)
        if body is None:
            return {}  # a batch that Sweep made up of what it found; its manifest will come
        try:
            manifest = Manifest.decode(body)
        except InvalidManifestError:
            return {}  # its instances are quarantined by the importer
        instances = {row.sop_instance_uid: row.sop_class_uid for row in manifest.rows}
        self._kept[batch] = instances
        self._rows += len(instances)
        while self._rows > MAX_CACHED_ROWS and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._rows -= len(dropped)
        return instances
