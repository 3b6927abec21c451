"""Instances in a directory: durable when `put` returns, complete or not there at all, never replaced.

A file is written without a name (O_TMPFILE) as its bytes come, synced, linked to its name (which fails
if there is one) and its directory is synced: after a crash there is the whole file or none, and nothing
to clean up. File systems without O_TMPFILE get a temporary name at the root.

Metadata is not kept: a directory has no Sweep that would need it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from contract.reasons import WireReason
from receiver.ports import ObjectExistsError, StoreError

MAX_OPEN_DIRECTORIES = 64
"""Descriptors kept: a batch's shard folders take one after the other."""

_NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_WRITE_FLAGS = os.O_RDWR | os.O_CLOEXEC
_ROOT = PurePosixPath()


class DirectorySink:
    """The product's `ports.Sink` for `file:///directory`."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made if it is missing.

        Raises:
            OSError: It cannot be made.
        """
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._directories = _Directories(root)

    def put(
        self,
        key: str,
        body: Sequence[memoryview],
        *,
        size: int,
        crc64nvme: int,
        metadata: Mapping[str, str],
        deadline: float,
    ) -> None:
        """Store one object; `crc64nvme` was computed over this very memory, so the size is compared."""
        del crc64nvme, metadata, deadline
        draft = self.draft()
        try:
            for piece in body:
                draft.append(piece)
            draft.publish(key, size=size)
        finally:
            draft.discard()

    def draft(self) -> _FileDraft:
        """Start a file without a name."""
        with _as_store_error():
            return _FileDraft(self._directories)

    def close(self) -> None:
        """Close the directories that are kept open."""
        self._directories.close()


class _FileDraft:
    """A file without a name; it gets one when it is complete."""

    def __init__(self, directories: _Directories) -> None:
        self._directories = directories
        with directories.open(_ROOT) as root:
            self._fd, self._temporary = _open_unnamed(root)
        self._size = 0
        self._open = True

    def append(self, data: memoryview) -> None:
        """Write the next bytes; what has not reached the disk is the kernel's to hold."""
        with _as_store_error():
            self._size += _write(self._fd, data, self._size)

    def publish(self, key: str, *, size: int) -> None:
        """Sync the file, give it its name and sync the folder."""
        if size != self._size:
            raise StoreError(WireReason.INTERNAL, f"{self._size} of {size} bytes written")
        with _as_store_error(), self._directories.open(_ROOT) as root:
            self._directories.link(self._fd, self._temporary, root, key)

    def discard(self) -> None:
        """Close the file: without a name it is gone."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError), self._directories.open(_ROOT) as root:
                _drop(self._fd, self._temporary, root)


class _Directories:
    """Directories below the root, made durably, the last ones kept open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._kept: dict[PurePosixPath, _Directory] = {}

    @contextlib.contextmanager
    def open(self, path: PurePosixPath) -> Iterator[int]:
        """Lend the descriptor of `path`, which is made if it is missing."""
        with self._lock:
            directory = self._kept.get(path)
            if directory is not None:
                directory.users += 1
        if directory is None:
            directory = self._keep(path, self._make(path))
        try:
            yield directory.fd
        finally:
            self._give_back(directory)

    def link(self, fd: int, temporary: str, root: int, key: str) -> None:
        """Sync a file and give it the name `key`, in a folder that is made durably."""
        folder, name = _split(key)
        os.fsync(fd)
        # Every instance has a folder of its own: its parent is kept open, itself is not.
        with self.open(folder.parent) as parent:
            made = _made(parent, folder.name)
            directory = os.open(folder.name, _DIRECTORY_FLAGS, dir_fd=parent)
            try:
                _link(fd, temporary, root, directory, name)
                os.fsync(directory)
            finally:
                os.close(directory)
            if made:
                os.fsync(parent)

    def close(self) -> None:
        """Close all that nobody uses."""
        with self._lock:
            self._drop(len(self._kept))

    def _make(self, path: PurePosixPath) -> int:
        fd = os.open(self._root, _DIRECTORY_FLAGS)
        try:
            for name in path.parts:
                made = _made(fd, name)
                below = os.open(name, _DIRECTORY_FLAGS, dir_fd=fd)
                if made:
                    os.fsync(fd)
                os.close(fd)
                fd = below
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _keep(self, path: PurePosixPath, fd: int) -> _Directory:
        with self._lock:
            kept = self._kept.get(path)
            if kept is not None:  # another thread was first
                kept.users += 1
                os.close(fd)
                return kept
            self._drop(len(self._kept) - MAX_OPEN_DIRECTORIES + 1)
            directory = self._kept[path] = _Directory(fd)
            return directory

    def _drop(self, surplus: int) -> None:
        idle = (path for path, directory in self._kept.items() if directory.users == 0)
        for path in list(itertools.islice(idle, max(surplus, 0))):
            os.close(self._kept.pop(path).fd)

    def _give_back(self, directory: _Directory) -> None:
        with self._lock:
            directory.users -= 1


class _Directory:
    """An open directory and how many threads use it."""

    __slots__ = ("fd", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 1


def _split(key: str) -> tuple[PurePosixPath, str]:
    """Return folder and name; keys are ours, but a path out of the root must be impossible."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2:  # noqa: PLR2004 -- a/b
        raise StoreError(WireReason.INTERNAL, "not a key")
    return path.parent, path.name


def _made(parent: int, name: str) -> bool:
    try:
        os.mkdir(name, 0o750, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def _open_unnamed(directory: int) -> tuple[int, str]:
    """Return a new file's descriptor and its temporary name, empty if it needs none."""
    try:
        return os.open(".", _WRITE_FLAGS | os.O_TMPFILE, 0o640, dir_fd=directory), ""
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise
    name = f".{os.urandom(8).hex()}.part"
    fd = os.open(name, _WRITE_FLAGS | os.O_CREAT | os.O_EXCL, 0o640, dir_fd=directory)
    return fd, name


def _link(fd: int, temporary: str, root: int, directory: int, name: str) -> None:
    """Give the file its name, create-only."""
    try:
        if temporary:
            os.link(temporary, name, src_dir_fd=root, dst_dir_fd=directory)
        else:
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=directory, follow_symlinks=True)
    except FileExistsError as error:
        raise ObjectExistsError(WireReason.STORAGE_FAILED, "exists") from error


def _drop(fd: int, temporary: str, directory: int) -> None:
    """Close the file and take its temporary name away; if it has no other by now, it is gone."""
    os.close(fd)
    if temporary:
        os.unlink(temporary, dir_fd=directory)


def _write(fd: int, data: memoryview, offset: int) -> int:
    written = os.pwrite(fd, data, offset)
    while written < len(data):  # a signal, a full disk: the next call says which
        written += os.pwrite(fd, data[written:], offset + written)
    return written


@contextlib.contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "OSError")
        raise StoreError(WireReason.STORAGE_FAILED, name) from error
