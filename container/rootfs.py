"""Make the image's root file system: one Python, the shared objects that it needs, and the receiver.

Runs in the build stage, in the base image. What Python links against is found with ldd, so the same script
serves amd64, arm64 and another Debian. Each Debian package that a file came from is named in
/var/lib/dpkg/status.d (the place where image scanners look when there is no package manager), so nothing
that is shipped is hidden from a scan.
"""

# ruff: noqa: S603, S607 - starts ldd, dpkg-query and chroot of the build stage, with its own file names

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

APPLICATION = Path("opt/storescp")
USER_ID = 10001
EPOCH = 315_532_800
"""1980-01-01: every file has this time, so that equal content makes an equal layer."""

UNUSED_STDLIB = (
    "_pyrepl", "curses", "dbm", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages",
    "dist-packages", "sqlite3", "test", "tkinter", "turtledemo", "turtle.py", "venv", "__pycache__", "config-*",
)  # fmt: skip
UNUSED_EXTENSIONS = (
    "_curses",
    "_dbm",
    "_gdbm",
    "_sqlite3",
    "_test",
    "_tkinter",
    "readline",
    "_ctypes_test",
    "xx",
)
UNUSED_PACKAGES = (
    "bin",
    # Sample images, scanners' palettes and whole applications; the receiver needs the UID tables.
    "pydicom/data/test_files", "pydicom/data/charset_files", "pydicom/data/palettes",
    "pynetdicom/apps", "pynetdicom/benchmarks", "pynetdicom/tests",
)  # fmt: skip
KEPT_SERVICES = ("dynamodb", "s3", "sts")
"""botocore's models: credentials may come from STS; the rest is 27 MB of other services."""
SYSTEM_FILES = ("/etc/debian_version", "/etc/nsswitch.conf", "/etc/os-release", "/usr/lib/os-release",
                "/etc/services", "/etc/protocols", "/etc/ssl/openssl.cnf")  # fmt: skip
DYNAMICALLY_LOADED = ("libgcc_s.so.1",)
"""glibc loads it when a thread ends; no program names it."""
SMOKE = (
    "import ctypes, ssl, zlib, lzma, bz2, hashlib, socket; import receiver.__main__, receiver.sinks.s3, \
receiver.commitment.__main__, receiver.commitment.registry, receiver._native"
)


def main(root: Path) -> None:
    """Fill `root`, which holds the application already."""
    prefix = Path(sys.base_prefix)
    stdlib = Path(sysconfig.get_path("stdlib"))
    copy_python(prefix, stdlib, root)
    prune_application(root / APPLICATION)
    objects = shared_objects(
        [*root.rglob("*.so"), *root.rglob("*.so.*"), *(root / "usr/local/bin").iterdir()]
    )
    for path in [*objects, *map(Path, SYSTEM_FILES)]:
        if path.exists():
            copy_with_links(path, root)
    write_certificates(
        Path("/usr/share/ca-certificates"), root / "etc/ssl/certs/ca-certificates.crt"
    )
    write_accounts(root)
    describe_packages([*objects, *map(Path, SYSTEM_FILES)], root)
    compile_everything(root)
    # libpython lies in /usr/local/lib, which the loader knows through its cache only.
    (root / "etc/ld.so.conf").write_text("/usr/local/lib\n")
    subprocess.run(["/sbin/ldconfig", "-r", root], check=True)
    same_time(root)
    # Fails the build, not a hospital's task, when a shared object is missing.
    subprocess.run(
        [
            "/usr/sbin/chroot",
            f"--userspec={USER_ID}:{USER_ID}",
            root,
            "/usr/local/bin/python",
            "-B",
            "-c",
            SMOKE,
        ],
        env={"PYTHONPATH": f"/{APPLICATION}"},
        check=True,
    )


def copy_python(prefix: Path, stdlib: Path, root: Path) -> None:
    """Copy the interpreter to /usr/local and the standard library beside it, less what is not used."""
    target = root / "usr/local"
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (target / "bin").mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), target / "bin" / name)
    for alias in ("python", "python3"):
        (target / "bin" / alias).symlink_to(name)
    ignored = shutil.ignore_patterns(*UNUSED_STDLIB, *(f"{name}*.so" for name in UNUSED_EXTENSIONS))
    shutil.copytree(stdlib, target / "lib" / name, ignore=ignored, symlinks=False)
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib" / library.name, follow_symlinks=False)


def prune_application(application: Path) -> None:
    """Remove what the packages bring and the receiver never reads."""
    for name in UNUSED_PACKAGES:
        shutil.rmtree(application / name, ignore_errors=True)
    for service in (application / "botocore/data").iterdir():
        if service.is_dir() and service.name not in KEPT_SERVICES:
            shutil.rmtree(service)
    for cache in list(application.rglob("__pycache__")):
        shutil.rmtree(cache)


def shared_objects(programs: Iterable[Path]) -> list[Path]:
    """Return every shared object of the system that `programs` load, the loader included."""
    found: set[Path] = set()
    for program in programs:
        if program.is_symlink():
            continue
        listing = subprocess.run(
            ["ldd", program], capture_output=True, text=True, check=True
        ).stdout
        found.update(_objects_in(listing))
    cache = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout
    for line in cache.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.split(" ")[0] in DYNAMICALLY_LOADED:
            found.add(Path(path))
    return sorted(path for path in found if not path.is_relative_to("/usr/local"))


def _objects_in(listing: str) -> Iterable[Path]:
    for line in listing.splitlines():
        if "not found" in line:
            raise SystemExit(f"rootfs: a shared object is missing: {line.strip()}")
        for word in line.split():
            if word.startswith("/") and not word.startswith("/rootfs"):
                yield Path(word)


def copy_with_links(path: Path, root: Path) -> None:
    """Copy the file that `path` leads to, and every link on the way, directories' links included."""
    current = Path("/")
    for part in path.parts[1:]:
        current /= part
        target = root / current.relative_to("/")
        if current.is_symlink():
            if not target.is_symlink():
                target.symlink_to(current.readlink())
            copy_with_links(Path(os.path.normpath(current.parent / current.readlink())), root)
        elif current.is_dir():
            target.mkdir(exist_ok=True)
        elif not target.exists():
            shutil.copy2(current, target)


def write_certificates(certificates: Path, bundle: Path) -> None:
    """Write the package's certificates as one file: the build machine's own authorities stay outside."""
    bundle.parent.mkdir(parents=True, exist_ok=True)
    parts = [path.read_bytes().rstrip() + b"\n" for path in sorted(certificates.rglob("*.crt"))]
    if not parts:
        raise SystemExit("rootfs: the base image lacks ca-certificates")
    bundle.write_bytes(b"".join(parts))


def write_accounts(root: Path) -> None:
    """Write the accounts: root, which nothing runs as, and the receiver's own."""
    (root / "etc/passwd").write_text(
        f"root:x:0:0:root:/:/sbin/nologin\nstorescp:x:{USER_ID}:{USER_ID}:storescp:/:/sbin/nologin\n"
    )
    (root / "etc/group").write_text(f"root:x:0:\nstorescp:x:{USER_ID}:\n")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def describe_packages(files: Iterable[Path], root: Path) -> None:
    """Write dpkg's record of each package that one of `files` came from, and of ca-certificates."""
    names = {"ca-certificates"}
    for path in files:
        # dpkg knows a file by the name that its package gave it, before or after the merge of /usr.
        for candidate in {path, path.resolve(), Path("/usr") / path.relative_to("/")}:
            query = subprocess.run(
                ["dpkg-query", "--search", candidate], capture_output=True, text=True, check=False
            )
            if query.returncode == 0:
                names.update(query.stdout.partition(": ")[0].split(", "))
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for name in sorted(names):
        record = subprocess.run(
            ["dpkg-query", "--status", name], capture_output=True, check=True
        ).stdout
        (status / name.partition(":")[0]).write_bytes(record)


def compile_everything(root: Path) -> None:
    """Compile all modules; nothing checks their times again, since nothing can change them."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for tree in (root / "usr/local/lib", root / APPLICATION):
        if not compileall.compile_dir(
            tree, quiet=1, stripdir=str(root), prependdir="/", invalidation_mode=unchecked
        ):
            raise SystemExit(f"rootfs: a module under {tree} does not compile")


def same_time(root: Path) -> None:
    """Give every file the same time and no right to write."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o1777 & ~0o022 if path.name != "tmp" else 0o1777)
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
