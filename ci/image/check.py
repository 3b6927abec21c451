"""`python -m ci.image.check`: build the image, run it hardened against a local S3, and prove what it must do.

Each check prints a line; the first that fails ends the run with exit code 1. Nothing is left behind.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from ci.emulated_aws import client, emulated_aws, settings
from ci.image import container as containers
from ci.image.build import build
from ci.image.container import Container
from ci.image.contents import check_contents
from ci.image.engine import EngineError, install, open_engine
from ci.image.landed import dataset_bytes, landed_object, manifest_row
from ci.image.sample import write_sample

BUCKET = "image-test-landing"
AE_TITLE = "STORESCP"
LEAST_USER_ID = 10_000
"""Below it lie the accounts of systems: a host's user must not own what a container may touch."""
NO_CAPABILITY = "0000000000000000"


class CheckFailedError(Exception):
    """The image does not do what it must."""


def require(what: str, holds: object, found: object = "") -> None:
    """Print `what` when it holds.

    Raises:
        CheckFailedError: It does not.
    """
    if not holds:
        raise CheckFailedError(f"not so: {what} {found}")
    print(f"image-test: ok  {what}")


def main() -> int:
    """Run all checks; return the exit code."""
    try:
        install({"storescu": "dcmtk", "echoscu": "dcmtk"})
        with open_engine() as engine, emulated_aws(engine.folder / "aws") as url:
            s3 = client("s3", url)
            s3.create_bucket(Bucket=BUCKET)
            image = build(engine)
            check_contents(engine, image, require)
            container = containers.start(engine, image, _environment(url))
            try:
                check_hardening(container)
                check_service(container, write_sample(engine.folder / "sample.dcm"), s3)
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
    """Prove C-ECHO, C-STORE, the landed bytes, the drain, and the manifest that it writes."""
    peer = ["-v", "-aec", AE_TITLE, "127.0.0.1", str(container.port)]
    _client("answers C-ECHO", ["echoscu", *peer])
    _client("answers C-STORE", ["storescu", *peer, str(sample)])
    landed = landed_object(s3, BUCKET)
    require("has one object in S3 when the sender is told Success", landed is not None)
    if landed is None:
        return
    require(
        "landed the dataset's bytes unchanged",
        dataset_bytes(landed.content) == dataset_bytes(sample.read_bytes()),
    )
    code = container.stop()
    require("drains on SIGTERM and exits 0", code == 0, f"(exit code {code})")
    row = manifest_row(s3, BUCKET)
    require(
        "sealed its batch: the manifest names the object", row is not None and row.key == landed.key
    )
    require(
        "its checksum is the one that S3 verified",
        row is not None and row.crc64nvme == landed.crc64nvme,
    )


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
