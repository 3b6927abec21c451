"""`python -m importer.rebuild_ledger` (`make rebuild-ledger`): the ledger anew from S3 and HealthImaging.

For a table that was lost or emptied (made again with the same keys and index); batches that the ledger
has are left as they are, so it can be stopped and run again. Needs the rights to read both buckets and
HealthImaging's jobs, and to write the table. Sweep does the rest within minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence

from importer.adapters.archive import Archive
from importer.adapters.clients import client
from importer.adapters.contents import ContentLedger
from importer.adapters.healthimaging import HealthImaging
from importer.adapters.ledger import Ledger
from importer.adapters.results import ResultsBucket
from importer.adapters.s3 import LandingBucket
from importer.domain.rebuild import Rebuild
from importer.observability import PowertoolsTelemetry
from importer.resources import NotFoundError, environment_of, target_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild, print what was done, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m importer.rebuild_ledger", description=__doc__)
    parser.add_argument("--stack", default="", help="name of the stack; the local product if empty")
    options = parser.parse_args(arguments)
    try:
        sys.stderr.write(f"rebuild-ledger: {target_of(options.stack)}\n")
        rebuild = make_rebuild(environment_of(options.stack))
    except NotFoundError as error:
        _say({"error": str(error)})
        return 1
    done = rebuild.run()
    _say(
        {
            "batches": done.batches,
            "present": done.present,
            "left": done.left,
            "landed": done.landed,
            **{state.value: number for state, number in done.states.items()},
        }
    )
    return 0


def _say(document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def make_rebuild(environment: Mapping[str, str]) -> Rebuild:
    """Return the work on the resources that a stack's functions are given."""
    s3, dynamodb = client("s3"), client("dynamodb")
    table, bucket = environment["TABLE_NAME"], environment["LANDING_BUCKET"]
    datastore = environment["DATASTORE_ID"]
    landing = LandingBucket(s3, bucket)
    return Rebuild(
        archive=Archive(s3, bucket),
        manifests=landing,
        instances=landing,
        results=ResultsBucket(s3, datastore_id=datastore, bucket=environment["RESULTS_BUCKET"]),
        service=HealthImaging(client("medical-imaging"), datastore_id=datastore),
        batches=Ledger(dynamodb, table, time.time),
        contents=ContentLedger(dynamodb, table),
        telemetry=PowertoolsTelemetry(
            stack_name=environment.get("STACK_NAME", "local"), log_level="ERROR"
        ),
        clock=time.time,
        landing_bucket=bucket,
    )


if __name__ == "__main__":
    sys.exit(main())
