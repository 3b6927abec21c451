"""What lies in a landing directory: objects, manifests, refusals, and the sum of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.keys import BATCHES_PREFIX, INCOMING_PREFIX, REFUSED_PREFIX, batch_of_manifest_key
from contract.manifest import Manifest, Row
from tests.part10 import parse


@dataclass(frozen=True, slots=True)
class Landed:
    """A landing directory, read anew at each call."""

    root: Path

    def keys(self, prefix: str = INCOMING_PREFIX) -> list[str]:
        """Return the object keys below `prefix`."""
        folder = self.root / prefix
        files = (path for path in folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in files)

    def manifests(self) -> list[Manifest]:
        """Return every manifest, each checked against its key."""
        found = []
        for key in self.keys(BATCHES_PREFIX):
            manifest = Manifest.decode((self.root / key).read_bytes())
            assert manifest.batch == batch_of_manifest_key(key)
            found.append(manifest)
        return found

    def rows(self) -> list[Row]:
        """Return the rows of all manifests; no key is named twice."""
        rows = [row for manifest in self.manifests() for row in manifest.rows]
        assert len({row.key for row in rows}) == len(rows)
        return rows

    def dataset(self, row: Row) -> bytes:
        """Return the dataset bytes of a landed instance, after checking its file meta and size."""
        data = (self.root / row.key).read_bytes()
        file = parse(data)
        assert len(data) == row.size
        assert file.uid(0x0003) == row.sop_instance_uid
        assert file.uid(0x0002) == row.sop_class_uid
        assert file.uid(0x0010) == row.transfer_syntax_uid
        return file.dataset

    def digests(self) -> set[tuple[str, str]]:
        """Return (SOP Instance UID, SHA-256 of the dataset) of everything that a manifest names."""
        return {
            (row.sop_instance_uid, hashlib.sha256(self.dataset(row)).hexdigest())
            for row in self.rows()
        }

    def refusals(self) -> list[dict[str, Any]]:
        """Return the records of refused instances."""
        keys = [key for key in self.keys(REFUSED_PREFIX) if key.endswith(".json")]
        return [json.loads((self.root / key).read_bytes()) for key in keys]

    def assert_holds(self, acked: set[tuple[str, str]]) -> None:
        """Hold the oracle: whatever was acknowledged is named by a manifest and has the same bytes."""
        missing = acked - self.digests()
        assert not missing, f"{len(missing)} of {len(acked)} acknowledged instances are not there"
