"""`python -m local.aws`: every emulated AWS API on one port, in a process of its own.

Writes one line, `listening <url>`, to standard output when it answers, and ends when standard input does:
so it cannot outlive the process that started it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from pydicom import config as pydicom_config

from local.dynamodb.layer import DynamoDBLayer
from local.emulated_ports import EmulatedBuckets, EmulatedEvents
from local.gateway import Gateway
from local.healthimaging.application import api, control
from local.healthimaging.faults import Faults
from local.healthimaging.files import ImportedFiles
from local.healthimaging.operations import REGION, HealthImaging
from local.healthimaging.quotas import Quotas
from local.s3.layer import S3Layer
from local.web import Application, Server, one_at_a_time

EMULATED: tuple[Any, ...] = ("s3", "sqs", "dynamodb", "events")
"""Services that the product uses, by signing name; others are loaded when first called."""
ONE_AT_A_TIME = ("s3",)
"""Its conditional writes are not atomic in the emulator, and threads only wait for each other there.

Not SQS: a long poll would stop the others.
"""


def build_gateway(imported: Path, faults: Faults, quotas: Quotas | None = None) -> Gateway:
    """Return the application that serves every API.

    Args:
        imported: Folder for the imported instances.
        faults: The HealthImaging double's switches.
        quotas: The service's own by default.
    """
    services, s3 = emulated_services()
    service = health_imaging(s3, imported, faults, quotas=quotas)
    return Gateway(
        services | {"medical-imaging": api(service)},
        control=control(service, faults),
        default=DomainDispatcherApplication(create_backend_app),
    )


def emulated_services() -> tuple[dict[str, Application], S3Layer]:
    """Return the emulated services in use by signing name, and the layer over S3 that is one of them."""
    # Straight to the services in use: the emulator's own dispatcher tries hundreds of patterns under a
    # lock for each request, which was nine tenths of all time.
    services: dict[str, Application] = {name: create_backend_app(name) for name in EMULATED}
    for name in ONE_AT_A_TIME:
        services[name] = one_at_a_time(services[name])
    s3 = S3Layer(services["s3"])
    return services | {"s3": s3, "dynamodb": DynamoDBLayer(services["dynamodb"])}, s3


def health_imaging(
    s3: S3Layer,
    imported: Path,
    faults: Faults,
    *,
    quotas: Quotas | None = None,
    region: str = REGION,
) -> HealthImaging:
    """Return the HealthImaging double of a Region, over the emulated S3 and event bus.

    Args:
        s3: The layer over S3, which knows the keys.
        imported: Folder for the imported instances.
        faults: The double's switches.
        quotas: The service's own by default.
        region: Whose data stores and events.
    """
    # An import reads what a modality sent, not what the Standard allows.
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    return HealthImaging(
        EmulatedBuckets(s3.index),
        EmulatedEvents(region),
        ImportedFiles(imported),
        faults=faults,
        quotas=quotas,
        region=region,
    )


def main() -> int:
    """Serve until standard input ends."""
    logging.basicConfig(level=logging.WARNING)
    port = int(os.environ["AWS_PORT"])
    faults = Faults.from_document(json.loads(os.environ.get("HEALTHIMAGING_FAULTS") or "{}"))
    gateway = build_gateway(Path(os.environ["DATA_DIR"]) / "imported", faults)
    with Server(port, gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"listening {server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
