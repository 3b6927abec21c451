"""The directory for logs and imported instances: one run at a time, each starts empty."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO

LOGS = "logs"
IMPORTED = "imported"


class DataDirError(Exception):
    """The directory cannot be used; the message says why."""


class DataDir:
    """The directory, held by a lock as long as this object is open."""

    def __init__(self, path: Path) -> None:
        """Take the directory and empty what an earlier run left.

        Raises:
            DataDirError: It cannot be written, or another run uses it.
        """
        self.path = path.resolve()
        self.logs = self.path / LOGS
        self.imported = self.path / IMPORTED
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_what_is_not_ours()
            self._lock = self._take_lock()
            self.was_used = self.imported.exists() and any(self.imported.iterdir())
            for folder in (self.logs, self.imported):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
        except OSError as error:
            raise DataDirError(
                f"{self.path} cannot be used ({error.strerror}): set DATA_DIR to another directory."
            ) from None

    def _refuse_what_is_not_ours(self) -> None:
        """Empty folders of an earlier run only: the lock file is the sign of one."""
        if self._lock_path.exists():
            return
        for folder in (self.logs, self.imported):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise DataDirError(
                    f"{folder} is not of an earlier run and would be emptied: "
                    "set DATA_DIR to another directory."
                )

    @property
    def _lock_path(self) -> Path:
        return self.path / "lock"

    def _take_lock(self) -> IO[str]:
        lock = self._lock_path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DataDirError(
                f"{self.path} is used by another `make run`: stop it or set DATA_DIR."
            ) from None
        return lock

    def close(self) -> None:
        """Let another run use it."""
        self._lock.close()
