"""`python -m ci.taskcat.check --region R --stack S [--expect STATE]`: prove that a stack receives and imports.

Waits for the stack, reads its outputs, sends C-ECHO and C-STORE to the address that they name, and waits until
the ledger says what became of the instance and HealthImaging has it. Exit code 1, and why, if anything differs.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from pydicom import dcmread

from ci.image.sample import write_sample
from ci.taskcat import dicom
from ci.taskcat.deployed import Deployed, DeployedError, await_stack
from contract import schema
from contract.states import TERMINAL_STATES, InstanceState

ATTEMPTS = 10
"""Of a call to AWS: six checks ask at once."""
POLL_S = 1.0
DEVICE = "TASKCAT"

Client = Callable[[str], Any]


def main(arguments: list[str] | None = None) -> int:
    """Check one stack; return the exit code."""
    options = _parser().parse_args(arguments)
    config = Config(retries={"total_max_attempts": ATTEMPTS, "mode": "standard"})

    def client(service: str) -> Any:
        return boto3.client(service, region_name=options.region, config=config)

    said = f"{options.stack} in {options.region}"
    try:
        stack = await_stack(client("cloudformation"), options.stack)
        report = check(stack, client, InstanceState(options.expect), options.timeout_s)
    except (DeployedError, dicom.RefusedError) as error:
        print(f"check: FAILED {said}: {error}", flush=True)
        return 1
    print(f"check: ok     {said}: {', '.join(report)}", flush=True)
    if options.report:
        options.report.write_text(f"{said}\n")
    return 0


def check(stack: Deployed, client: Client, expected: InstanceState, timeout_s: float) -> list[str]:
    """Prove it, and return what was seen.

    Raises:
        DeployedError: The instance did not become what is expected.
        RefusedError: The server does not answer as it must.
    """
    deadline = time.monotonic() + timeout_s
    server = _server(stack, client)
    dicom.echo(server, deadline)
    rejected = dicom.see_refused(
        server,
        deadline,
        called=stack.parameters["RequireCalledAETitle"] == "true",
        calling=bool(stack.parameters["RequireCallingAETitle"]),
    )
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample(Path(folder) / "sample.dcm")
        dicom.store(server, sample)
        dataset = dcmread(sample, stop_before_pixels=True)
    uid, study = str(dataset.SOPInstanceUID), str(dataset.StudyInstanceUID)
    table = stack.output("LedgerTableName")
    state = _await_fate(client("dynamodb"), table, uid, deadline)
    if state is not expected:
        raise DeployedError(f"the ledger says {state} of the instance, expected was {expected}")
    _require_imported(client("medical-imaging"), stack.output("DatastoreID"), study, uid)
    return [
        f"C-ECHO and C-STORE to {server.host}:{server.port}{' by TLS' if server.certificate else ''}",
        *(f"another {name} AE title rejected" for name in rejected),
        f"{state} in {table}",
    ]


def _server(stack: Deployed, client: Client) -> dicom.Server:
    arn = stack.parameters["TLSCertificateARN"]
    certificate = client("acm").get_certificate(CertificateArn=arn)["Certificate"] if arn else ""
    devices = stack.parameters["RequireCallingAETitle"].split(",")
    return dicom.Server(
        host=stack.output("NetworkLoadBalancerDNS"),
        port=int(stack.output("DICOMPort")),
        called_ae_title=stack.output("DICOMAETitle"),
        calling_ae_title=devices[0] or DEVICE,
        certificate=certificate,
    )


def _await_fate(dynamodb: Any, table: str, uid: str, deadline: float) -> InstanceState:
    key = {schema.PARTITION_KEY: {"S": f"UID#{uid}"}, schema.SORT_KEY: {"S": "FIRST"}}
    while True:
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if item and (state := InstanceState(item["state"]["S"])) in TERMINAL_STATES:
            return state
        if time.monotonic() > deadline:
            raise DeployedError(f"{table} does not know the instance's fate in time")
        time.sleep(POLL_S)


def _require_imported(imaging: Any, datastore: str, study: str, uid: str) -> None:
    wanted = {"values": [{"DICOMStudyInstanceUID": study}], "operator": "EQUAL"}
    found = imaging.search_image_sets(datastoreId=datastore, searchCriteria={"filters": [wanted]})[
        "imageSetsMetadataSummaries"
    ]
    for image_set in found:
        answer = imaging.get_image_set_metadata(
            datastoreId=datastore, imageSetId=image_set["imageSetId"]
        )
        if uid in gzip.decompress(answer["imageSetMetadataBlob"].read()).decode():
            return
    raise DeployedError(f"HealthImaging data store {datastore} does not have the instance")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("check", description=__doc__)
    parser.add_argument("--region", required=True)
    parser.add_argument("--stack", required=True, help="its name")
    states = [state.value for state in TERMINAL_STATES]
    parser.add_argument("--expect", default=InstanceState.IMPORTED.value, choices=states)
    parser.add_argument("--timeout-s", type=float, default=1_200.0, help="once the stack is there")
    parser.add_argument("--report", type=Path, help="file to write once all is proved")
    return parser


if __name__ == "__main__":
    sys.exit(main())
