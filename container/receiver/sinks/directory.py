"""Instances in a directory: durable when `put` returns, complete or not there at all, never replaced.

A file is written without a name (O_TMPFILE) as its bytes come, synced, linked to its name (which fails
if there is one) and its directory is synced: after a crash there is the whole file or none, and nothing
to clean up. File systems without O_TMPFILE get a temporary name at the root.

Metadata is not kept: a directory has no Sweep that would need it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from contract.reasons import WireReason
from receiver import native
from receiver.ports import Directory, ObjectExistsError, StoreError

MAX_OPEN_DIRECTORIES = 64
"""Descriptors kept: a batch's shard folders take one after the other."""

_NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_WRITE_FLAGS = os.O_RDWR | os.O_CLOEXEC


class DirectorySink:
    """The product's `ports.DraftSink` for `file:///directory`."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made if it is missing.

        Raises:
            OSError: It cannot be made.
        """
        root.mkdir(parents=True, exist_ok=True)
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
        try:
            fd, temporary = _open_unnamed(self._directories.root)
        except OSError as error:
            raise _store_error(error) from error
        return _FileDraft(self._directories, fd, temporary=temporary)

    @property
    def root(self) -> int:
        """Descriptor of the root."""
        return self._directories.root

    def adopt(self, fd: int, size: int) -> _FileDraft:
        """Take over a file without a name."""
        return _FileDraft(self._directories, fd, size)

    def publish(self, fd: int, key: str) -> Directory:
        """Give a file its name."""
        try:
            return self._directories.link(fd, "", key)
        except OSError as error:
            raise _store_error(error) from error

    def close(self) -> None:
        """Close the directories that are kept open."""
        self._directories.close()


class _FileDraft:
    """A file without a name; it gets one when it is complete."""

    __slots__ = ("_directories", "_fd", "_open", "_size", "_temporary")

    def __init__(
        self, directories: _Directories, fd: int, size: int = 0, temporary: str = ""
    ) -> None:
        self._directories = directories
        self._fd = fd
        self._temporary = temporary
        self._size = size
        self._open = True

    def append(self, data: memoryview) -> None:
        """Write the next bytes; what has not reached the disk is the kernel's to hold."""
        try:
            written = os.pwrite(self._fd, data, self._size)
            while written < len(data):  # a signal, a full disk: the next call says which
                written += os.pwrite(self._fd, data[written:], self._size + written)
        except OSError as error:
            raise _store_error(error) from error
        self._size += written

    def publish(self, key: str, *, size: int) -> None:
        """Sync the file, give it its name and sync the folder."""
        if size != self._size:
            raise StoreError(WireReason.INTERNAL, f"{self._size} of {size} bytes written")
        try:
            self._directories.link(self._fd, self._temporary, key)
        except OSError as error:
            raise _store_error(error) from error

    def discard(self) -> None:
        """Close the file: without a name it is gone."""
        if self._open:
            self._open = False
            os.close(self._fd)
            if self._temporary:
                with contextlib.suppress(OSError):
                    os.unlink(self._temporary, dir_fd=self._directories.root)


class _Directory:
    """An open directory; closed when nobody has it any more."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class _Directories:
    """Directories below the root, made durably, the last ones kept open.

    Attributes:
        root: Descriptor of the root.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.open(root, _DIRECTORY_FLAGS)
        self._lock = threading.Lock()
        self._kept: dict[str, _Directory] = {}

    def close(self) -> None:
        """Close the root and all that nobody uses."""
        with self._lock:
            self._kept.clear()
        os.close(self.root)

    def link(self, fd: int, temporary: str, key: str) -> _Directory:
        """Sync a file and give it the name `key`, create-only, in a folder that is made durably.

        Returns:
            What is above that folder.

        Args:
            fd: The file.
            temporary: Its name at the root, empty if it has none.
            key: Folder, instance's folder, name.

        Raises:
            OSError: It may not be durable.
            StoreError: There is such a file, or `key` leads out of the root.
        """
        above, _, name = key.rpartition("/")
        path, _, folder = above.rpartition("/")
        if not folder or not name or key[0] == "/" or ".." in key:
            raise StoreError(WireReason.INTERNAL, "not a key")  # keys are ours, and still
        # Every instance has a folder of its own: its parent is kept open, itself is not.
        parent = self._kept.get(path) or self._open(path)
        try:
            if temporary or not native.IS_NATIVE:
                self._name(fd, temporary, parent.fd, folder, name)
            else:
                native.name_file(fd, parent.fd, folder, name)
        except FileExistsError as error:
            raise ObjectExistsError(WireReason.STORAGE_FAILED, "exists") from error
        return parent

    def _name(self, fd: int, temporary: str, parent: int, folder: str, name: str) -> None:
        """Do in seven system calls what the part in C does in one call."""
        os.fsync(fd)
        _make_folder(parent, folder)
        directory = os.open(folder, _DIRECTORY_FLAGS, dir_fd=parent)
        try:
            if temporary:
                os.link(temporary, name, src_dir_fd=self.root, dst_dir_fd=directory)
            else:
                os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=directory, follow_symlinks=True)
            os.fsync(directory)
        finally:
            os.close(directory)
        os.fsync(parent)

    def _open(self, path: str) -> _Directory:
        directory = _Directory(self._make(path))
        with self._lock:
            # Whoever uses one that is dropped here still has it.
            while len(self._kept) >= MAX_OPEN_DIRECTORIES:
                del self._kept[next(iter(self._kept))]
            return self._kept.setdefault(path, directory)

    def _make(self, path: str) -> int:
        fd = os.dup(self.root)
        try:
            for name in path.split("/") if path else ():
                _make_folder(fd, name)
                below = os.open(name, _DIRECTORY_FLAGS, dir_fd=fd)
                # Also when it was there: whoever made it may not have come to its sync yet, or have died.
                os.fsync(fd)
                os.close(fd)
                fd = below
        except BaseException:
            os.close(fd)
            raise
        return fd


def _make_folder(parent: int, name: str) -> None:
    try:  # a context manager would cost as much as the call
        os.mkdir(name, 0o750, dir_fd=parent)
    except FileExistsError:
        return


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


def _store_error(error: OSError) -> StoreError:
    return StoreError(WireReason.STORAGE_FAILED, errno.errorcode.get(error.errno or 0, "OSError"))
