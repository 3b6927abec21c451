from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.local.dicom import ROOT, part10
from tests.local.healthimaging.conftest import World, until


def change(world: World, **faults: object) -> None:
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{world.url}/_double/faults", json.dumps(faults).encode(), method="PUT"
    )
    urllib.request.urlopen(request).close()  # noqa: S310 (loopback)


def test_a_lost_event_leaves_the_job_finished(world: World) -> None:
    """With every event lost the job still completes and its output is there."""
    change(world, lostEvents={"probability": 1})
    world.put(part10())
    job = world.run()

    assert world.bus.events == []
    assert world.output(job, "job-output-manifest.json")["numberOfImportedFiles"] == 1


def test_a_duplicated_event_is_told_twice(world: World) -> None:
    """The next event comes twice, later ones once."""
    change(world, duplicatedEvents={"next": 1})
    world.run()

    until(lambda: len(world.bus.events) == 4)
    assert [name for name, _, _ in world.bus.events].count("Import Job Submitted") == 2


def test_a_late_manifest_comes_after_the_event(world: World) -> None:
    """COMPLETED is told while the output is not there yet."""
    change(world, lateManifestSeconds=0.3)
    world.put(part10())
    job = world.run()

    assert not [key for key in world.buckets.objects if key[0] == "results"]
    until(lambda: bool([key for key in world.buckets.objects if key[1].endswith("manifest.json")]))
    assert world.output(job, "job-output-manifest.json")["numberOfImportedFiles"] == 1


def test_a_failed_job_imports_nothing(world: World) -> None:
    """The next job is FAILED with a message, the one after it completes."""
    change(world, failedJobs={"next": 1})
    world.put(part10())
    failed, good = world.run(), world.run()

    assert (failed["jobStatus"], good["jobStatus"]) == ("FAILED", "COMPLETED")
    assert failed["message"]


def test_a_failed_file_is_a_server_error(world: World) -> None:
    """One file of two fails by the service's own fault."""
    change(world, failedFiles={"next": 1})
    world.put(part10(), part10(sop=f"{ROOT}.4"))
    summary = world.output(world.run(), "job-output-manifest.json")

    assert summary["numberOfFilesWithServerError"] == 1
    assert summary["numberOfImportedFiles"] == 1


def test_a_throttling_storm_refuses_starts(world: World) -> None:
    """The next start is throttled whatever the rate."""
    change(world, throttledStarts={"next": 1})
    with pytest.raises(ClientError, match="ThrottlingException"):
        world.start()

    world.start()


def test_an_unknown_switch_changes_nothing(world: World) -> None:
    """A misspelt switch is refused, and those beside it stay as they were."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        change(world, lostEvents={"next": 5}, misspelt=1)
    caught.value.close()

    assert world.faults.document()["lostEvents"]["next"] == 0
