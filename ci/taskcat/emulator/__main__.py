"""`python -m ci.taskcat.emulator REGION...`: every emulated AWS API, mended for whole stacks in several Regions.

Writes one line, `listening <url>`, to standard output when it answers, and ends when standard input does.
Environment: AWS_PORT, DATA_DIR (logs of custom resources and, to look at, imported instances), BALANCER_NETWORK
(addresses of the loopback interface for load balancers).
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from ci.taskcat.emulator import buckets, datastores, functions, network, recorded, stacks
from local.aws import emulated_services, health_imaging
from local.gateway import Gateway
from local.healthimaging.application import api, control
from local.healthimaging.faults import Faults
from local.web import Application, Environ, Server, StartResponse, one_at_a_time, respond

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/")


def main(regions: Sequence[str]) -> int:
    """Serve until standard input ends."""
    logging.basicConfig(level=logging.WARNING)
    data = Path(os.environ["DATA_DIR"])
    faults = Faults.from_document({})
    services, s3 = emulated_services()
    # The layer that serves tables for `make run` knows those that are made by API, not by a stack.
    services["dynamodb"] = one_at_a_time(create_backend_app("dynamodb"))
    imaging = {
        region: health_imaging(s3, data / "imported" / region, faults, region=region)
        for region in regions
    }
    answers = stacks.Answers()
    gateway = Gateway(
        services | {"medical-imaging": _by_region({r: api(one) for r, one in imaging.items()})},
        control=control(imaging[regions[0]], faults),
        default=_with_answers(answers, DomainDispatcherApplication(create_backend_app)),
    )
    with Server(int(os.environ["AWS_PORT"]), gateway) as server:
        recorded.install()
        datastores.install(imaging)
        buckets.install()
        functions.install()
        network.install(ipaddress.IPv4Network(os.environ["BALANCER_NETWORK"]))
        stacks.install(server.url, answers, data)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"listening {server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


def _by_region(applications: Mapping[str, Application]) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        match = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        return applications[match[1] if match else ""](environ, start_response)

    return application


def _with_answers(answers: stacks.Answers, others: Application) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(stacks.ANSWERS):
            return answers(environ, start_response)
        try:
            return others(environ, start_response)
        except NotImplementedError as error:
            # An answer that no client asks for again, instead of a connection that ends.
            document = {"__type": "UnknownOperationException", "message": str(error)}
            return respond(start_response, 400, json.dumps(document).encode())

    return application


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
