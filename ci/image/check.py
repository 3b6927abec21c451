"""`python -m ci.image.check`: build the image, run it hardened against a local S3, and prove what it must do.

Each check prints a line; the first that fails ends the run with exit code 1. Nothing is left behind.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ci.emulated_aws import client, emulated_aws, settings
from ci.image import container as containers
from ci.image.build import build, keep
from ci.image.container import Container, wait_until
from ci.image.contents import check_contents
from ci.image.engine import Engine, EngineError, install, open_engine
from ci.image.landed import Landed, dataset_bytes, landed_objects, manifest_rows
from ci.image.sample import write_sample
from ci.image.scu import TEMPORARILY, open_association, rejection, store
from template_gen.product import read_release

BUCKET = "image-test-landing"
AE_TITLE = "STORESCP"
LEAST_USER_ID = 10_000
"""Below it lie the accounts of systems: a host's user must not own what a container may touch."""
NO_CAPABILITY = "0000000000000000"
DRAIN_BEGINS_S = 30.0
"""From the stop to the health port's answer; it takes milliseconds, and a build machine may be slow."""
SUCCESS = 0x0000
"""PS3.4 B.2.3."""


class CheckFailedError(Exception):
    """The image does not do what it must."""


def require(what: str, holds: object, found: object = "") -> None:
    """Print `what` when it holds.

    Raises:
        CheckFailedError: It does not.
    """
    if not holds:
        raise CheckFailedError(f"not so: {what} {found}")
    print(f"image-test: ok  {what}", flush=True)


def main() -> int:
    """Run all checks; return the exit code."""
    try:
        install({"storescu": "dcmtk", "echoscu": "dcmtk"})
        with open_engine() as engine, emulated_aws(engine.folder / "aws") as url:
            s3 = client("s3", url)
            s3.create_bucket(Bucket=BUCKET)
            image = build(engine)
            check_contents(engine, image, require)
            check_archive(engine, image)
            container = containers.start(engine, image, _environment(url))
            try:
                check_hardening(container)
                first, second = (write_sample(engine.folder / f"{n}.dcm") for n in range(2))
                check_service(container, first, s3)
                check_drain(container, (first, second), s3)
            except (CheckFailedError, EngineError) as error:
                raise CheckFailedError(
                    f"{error}\nThe container's log:\n{container.logs()}"
                ) from None
            size = int(
                engine.run("podman", "image", "inspect", "--format", "{{.Size}}", image).stdout
            )
    except (CheckFailedError, EngineError) as error:
        print(f"image-test: FAILED  {error}", file=sys.stderr)
        return 1
    print(
        f"image-test: size {size / 2**20:.0f} MiB, healthy {container.started_in_s:.1f} s after the start"
    )
    return 0


def check_archive(engine: Engine, image: str) -> None:
    """Prove that what `make image` keeps is this image, with its version and its bill of materials."""
    described = json.loads(engine.run("podman", "image", "inspect", image).stdout)[0]
    version = read_release().version
    labelled = described["Labels"]["org.opencontainers.image.version"]
    require("carries the version of this tree", labelled == version, labelled)
    kept = keep(engine, image)
    engine.run("podman", "untag", image)
    engine.run("podman", "load", "--input", kept.archive)
    loaded = json.loads(engine.run("podman", "image", "inspect", image).stdout)[0]["Id"]
    require("is the same image after it was saved and loaded", loaded == described["Id"], loaded)
    listed = {component["name"] for component in json.loads(kept.bill.read_text())["components"]}
    require(
        "has a bill of materials with Python's and Debian's packages",
        {"pynetdicom", "awscrt", "libc6", "libssl3"} <= listed,
        listed,
    )


def check_hardening(container: Container) -> None:
    """Prove that the kernel holds the process as the task definition asks."""
    status = container.kernel_status()
    user_id = int(status["Uid"].split()[0])
    require("runs as a user that is not root", user_id >= LEAST_USER_ID, user_id)
    require(
        "has no capability", status["CapEff"] == status["CapBnd"] == NO_CAPABILITY, status["CapBnd"]
    )
    require("cannot gain privileges", status["NoNewPrivs"] == "1")
    require(
        "stops by SIGTERM", container.inspect()["Config"]["StopSignal"] in (15, "SIGTERM", "15")
    )


def check_service(container: Container, sample: Path, s3: Any) -> None:
    """Prove C-ECHO and C-STORE by DCMTK, and that what was acknowledged has landed."""
    peer = ["-v", "-aec", AE_TITLE, "127.0.0.1", str(container.port)]
    _client("answers C-ECHO", ["echoscu", *peer])
    _client("answers C-STORE", ["storescu", *peer, str(sample)])
    landed = landed_objects(s3, BUCKET)
    require("has one object in S3 when the sender is told Success", len(landed) == 1, landed)
    require("landed the dataset's bytes unchanged", _datasets(landed) == [_dataset(sample)])


def check_drain(container: Container, samples: Sequence[Path], s3: Any) -> None:
    """Prove that a stop finishes what is open, refuses what is new, seals, and ends with 0.

    Args:
        container: What is stopped.
        samples: All that was sent by the end; the last one is sent here, after the stop began.
        s3: Client of the landing bucket's S3.
    """
    with ThreadPoolExecutor(1) as stopper, open_association(container.port, AE_TITLE) as open_one:
        ending = stopper.submit(container.stop)
        wait_until(lambda: container.health() == HTTPStatus.SERVICE_UNAVAILABLE, DRAIN_BEGINS_S)
        require("says on its health port that it drains", container.health() != HTTPStatus.OK)
        refused = rejection(container.port, AE_TITLE)
        require("refuses a new association while it drains", refused == TEMPORARILY, refused)
        status = store(open_one, samples[-1])
        require("still stores what an open association sends", status == SUCCESS, status)
        open_one.release()
        code = ending.result()
    require("drains on SIGTERM and exits 0", code == 0, f"(exit code {code})")
    landed, rows = landed_objects(s3, BUCKET), manifest_rows(s3, BUCKET)
    require(
        "landed everything that it said Success to",
        _datasets(landed) == sorted(map(_dataset, samples)),
    )
    require(
        "sealed its batches: the manifests name every object, with the checksum that S3 verified",
        sorted((row.key, row.crc64nvme) for row in rows)
        == sorted((one.key, one.crc64nvme) for one in landed),
        rows,
    )


def _dataset(part10: Path) -> bytes:
    return dataset_bytes(part10.read_bytes())


def _datasets(landed: Sequence[Landed]) -> list[bytes]:
    return sorted(dataset_bytes(one.content) for one in landed)


def _client(what: str, command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    require(
        what,
        result.returncode == 0,
        f"(exit code {result.returncode})\n{result.stdout}{result.stderr}",
    )


def _environment(url: str) -> dict[str, str]:
    return {**settings(url), "LANDING_URL": f"s3://{BUCKET}", "AE_TITLE": AE_TITLE, "WORKERS": "1"}


if __name__ == "__main__":
    sys.exit(main())
