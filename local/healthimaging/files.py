"""The imported instances as plain files, to look at: imported/<study>/<series>/<instance>.dcm."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from local.healthimaging.instances import Instance

_SAFE = re.compile(r"[0-9][0-9.]{0,63}")


class ImportedFiles:
    """A folder of imported instances, original bytes."""

    def __init__(self, root: Path) -> None:
        """Write below `root`."""
        self._root = root

    def write(self, instance: Instance, content: bytes, *, apart: str) -> Path:
        """Write an instance and return its path.

        The latest copy has the plain name; an earlier one with other bytes is kept beside it under its
        digest.

        Args:
            instance: What was read from `content`.
            content: The whole file.
            apart: Image set id of a non-primary instance, empty for a primary one.
        """
        folder = self._root / "non-primary" / apart if apart else self._root
        folder = folder / safe_name(instance.study_instance_uid)
        folder = folder / safe_name(instance.series_instance_uid)
        folder.mkdir(parents=True, exist_ok=True)
        name = safe_name(instance.sop_instance_uid)
        path = folder / f"{name}.dcm"
        if path.exists():
            earlier = path.read_bytes()
            if earlier != content:
                digest = hashlib.sha256(earlier).hexdigest()[:12]
                path.rename(folder / f"{name}.earlier-{digest}.dcm")
        path.write_bytes(content)
        return path


def safe_name(uid: str) -> str:
    """Return `uid` as a file name; one that is not digits and dots becomes its digest."""
    if _SAFE.fullmatch(uid) and not uid.endswith("."):
        return uid
    return "x" + hashlib.sha256(uid.encode()).hexdigest()[:32]
