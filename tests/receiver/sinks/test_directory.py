"""The directory sink: durable, complete or absent, never replaced."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from awscrt.checksums import crc64nvme

from receiver.ports import ObjectExistsError, StoreError
from receiver.sinks import directory
from receiver.sinks.choose import make_sink
from receiver.sinks.directory import DirectorySink

KEY = "incoming/20261123T22/batch/00/0000/0123456789abcdef.dcm"


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "made" / "landing")


def _put(
    sink: DirectorySink, data: bytes = b"data", key: str = KEY, size: int | None = None
) -> None:
    half = len(data) // 2
    sink.put(
        key,
        [memoryview(data)[:half], memoryview(data)[half:]],
        size=len(data) if size is None else size,
        crc64nvme=crc64nvme(data),
        metadata={},
        deadline=0.0,
    )


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_the_key_is_the_path(tmp_path: Path, sink: DirectorySink) -> None:
    """Bytes lie where the key says, and nothing else is left."""
    _put(sink, os.urandom(600_001))

    assert [tmp_path / "made/landing" / KEY] == _files(tmp_path)
    assert 600_001 == (tmp_path / "made/landing" / KEY).stat().st_size


def test_nothing_is_ever_replaced(tmp_path: Path, sink: DirectorySink) -> None:
    """The second writer of a key is told, the first one's bytes stay."""
    _put(sink, b"first")
    with pytest.raises(ObjectExistsError):
        _put(sink, b"second")

    (path,) = _files(tmp_path)
    assert b"first" == path.read_bytes()


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile what sees the system calls of C and of Python alike."""
    library = tmp_path_factory.mktemp("watcher") / "watcher.so"
    source = Path(__file__).with_name("sync_watcher.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Werror", source, "-o", library, "-ldl"], check=True
    )
    return library


_PUTS = """
import sys
from pathlib import Path
from receiver import native
from receiver.sinks.directory import DirectorySink
native.IS_NATIVE = sys.argv[1] == "True"
sink = DirectorySink(Path(sys.argv[2]))
for key in sys.argv[3:]:
    print("put", file=sys.stderr, flush=True)
    sink.put(key, [memoryview(b"data")], size=4, crc64nvme=0, metadata={}, deadline=0.0)
"""


def _calls(watcher: Path, root: Path, *keys: str, is_native: bool) -> list[list[str]]:
    """Return what each `put` of a process of its own syncs, makes and names, below `root`."""
    process = subprocess.run(
        [sys.executable, "-c", _PUTS, str(is_native), root, *keys],
        env={
            "LD_PRELOAD": str(watcher),
            "PYTHONPATH": os.pathsep.join(("container", ".")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    said = process.stderr.replace(str(root), "").split("put\n")[1:]
    return [part.splitlines() for part in said]


@pytest.mark.parametrize("is_native", [True, False])
def test_file_and_every_new_directory_are_synced(
    tmp_path: Path, watcher: Path, *, is_native: bool
) -> None:
    """Before `put` returns: the file before its name, each directory after its new entry."""
    (calls,) = _calls(watcher, tmp_path, KEY, is_native=is_native)

    made, (synced_file, *last) = calls[:-5], calls[-5:]
    assert "deleted" in synced_file, "the file had no name yet"
    hour = "/incoming/20261123T22"
    shard = f"{hour}/batch/00"
    folders = ["", "/incoming", hour, f"{hour}/batch", shard]
    assert made == [
        line
        for above, folder in itertools.pairwise(folders)
        for line in (f"make {folder}", f"sync {above}")
    ]
    name = KEY.rpartition("/")[2]
    assert last == [
        f"make {shard}/0000",
        f"name {shard}/0000/{name}",
        f"sync {shard}/0000",
        f"sync {shard}",
    ]


@pytest.mark.parametrize("is_native", [True, False])
def test_directories_that_another_process_made_are_synced_too(
    tmp_path: Path, watcher: Path, *, is_native: bool
) -> None:
    """Another worker made the hour's folder and has not synced it, or died before it could."""
    folder = (tmp_path / KEY).parent
    folder.mkdir(parents=True)
    (calls,) = _calls(watcher, tmp_path, KEY, is_native=is_native)

    parents = [path for path in (folder, *folder.parents) if path.is_relative_to(tmp_path)]
    assert {f"sync {str(path).removeprefix(str(tmp_path))}" for path in parents} <= set(calls)


@pytest.mark.parametrize("is_native", [True, False])
def test_known_directories_cost_nothing(tmp_path: Path, watcher: Path, *, is_native: bool) -> None:
    """The second instance of a shard syncs its file and its two directories, no more."""
    next_key = KEY.replace("/0000/", "/0001/")
    _, calls = _calls(watcher, tmp_path, KEY, next_key, is_native=is_native)

    assert 3 == sum(call.startswith("sync") for call in calls)


@pytest.mark.parametrize("key", ["../x/y", "/abs/x", "a/../../x/y", "plain"])
def test_a_key_out_of_the_root_is_refused(tmp_path: Path, sink: DirectorySink, key: str) -> None:
    """Keys are ours, and still."""
    with pytest.raises(StoreError, match="not a key"):
        _put(sink, key=key)
    assert [] == _files(tmp_path)


def test_a_wrong_size_leaves_no_file(tmp_path: Path, sink: DirectorySink) -> None:
    """What is not whole gets no name."""
    with pytest.raises(StoreError):
        _put(sink, b"data", size=5)
    assert [] == _files(tmp_path)


def test_a_full_disk_is_an_error_by_name(
    tmp_path: Path, sink: DirectorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC in the log, no file, no descriptor left behind."""
    _put(sink)
    open_before = _open_descriptors()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreError, match="ENOSPC"):
        _put(sink, key=KEY.replace("/0000/", "/0001/"))

    assert 1 == len(_files(tmp_path))
    assert open_before == _open_descriptors()


def test_short_writes_are_continued(
    tmp_path: Path, sink: DirectorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that takes a little at a time gets it all."""
    pwritev = os.pwritev
    monkeypatch.setattr(
        os, "pwritev", lambda fd, pieces, offset: pwritev(fd, [pieces[0][:1000]], offset)
    )
    data = os.urandom(10_500)
    _put(sink, data)

    (path,) = _files(tmp_path)
    assert data == path.read_bytes()


def test_a_file_system_without_unnamed_files_works_too(
    tmp_path: Path, sink: DirectorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary name instead, gone afterwards, and just as create-only."""
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # opening a directory to write: EISDIR
    _put(sink, b"first")
    with pytest.raises(ObjectExistsError):
        _put(sink, b"second")

    assert b"first" == (tmp_path / "made/landing" / KEY).read_bytes()
    assert 1 == len(_files(tmp_path))


def test_open_directories_are_bounded(tmp_path: Path, sink: DirectorySink) -> None:
    """Thousands of shards do not use up the descriptors."""
    open_before = _open_descriptors()
    for n in range(3 * directory.MAX_OPEN_DIRECTORIES):
        _put(sink, key=KEY.replace("/00/", f"/s{n}/"))

    assert _open_descriptors() - open_before <= directory.MAX_OPEN_DIRECTORIES
    sink.close()
    assert open_before - 1 == _open_descriptors(), "the root's is closed too"
    assert 3 * directory.MAX_OPEN_DIRECTORIES == len(_files(tmp_path))


def test_threads_store_side_by_side(tmp_path: Path, sink: DirectorySink) -> None:
    """Into the same new directories at once."""

    def store(number: int) -> None:
        for n in range(20):
            _put(sink, key=KEY.replace("/0000/", f"/{number:02d}{n:02d}/"))

    threads = [threading.Thread(target=store, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 160 == len(_files(tmp_path))


def test_a_draft_appears_when_it_is_published(tmp_path: Path, sink: DirectorySink) -> None:
    """Nothing has a name before its last byte, then the whole has."""
    pieces = [os.urandom(100_000), os.urandom(7)]
    draft = sink.draft()
    for piece in pieces:
        draft.append(memoryview(piece))
    assert [] == _files(tmp_path)
    draft.publish(KEY, size=100_007)
    draft.discard()

    (path,) = _files(tmp_path)
    assert b"".join(pieces) == path.read_bytes()


def test_a_draft_that_lacks_a_byte_is_no_file(tmp_path: Path, sink: DirectorySink) -> None:
    """The size that the caller counted must be what was written."""
    draft = sink.draft()
    draft.append(memoryview(b"abc"))
    with pytest.raises(StoreError, match="3 of 4"):
        draft.publish(KEY, size=4)
    draft.discard()
    draft.discard()

    assert [] == _files(tmp_path)


def test_the_url_chooses_the_sink(tmp_path: Path) -> None:
    """file:// is a directory, with escapes resolved; another scheme is refused."""
    make_sink(f"file://{tmp_path}/with%20blank")

    assert (tmp_path / "with blank").is_dir()
    with pytest.raises(ValueError, match="no sink"):
        make_sink("ftp://host/x")
