from __future__ import annotations

import gzip
import json

import pytest
from botocore.exceptions import ClientError

from tests.local.dicom import ROOT, part10
from tests.local.healthimaging.conftest import World


def test_jobs_are_listed_in_pages_by_status(world: World) -> None:
    """Every job is listed once, by pages, newest first."""
    ids = [world.run()["jobId"] for _ in range(3)]
    pages = world.client.get_paginator("list_dicom_import_jobs").paginate(
        datastoreId=world.datastore_id, jobStatus="COMPLETED", PaginationConfig={"PageSize": 2}
    )

    listed = [job["jobId"] for page in pages for job in page["jobSummaries"]]
    assert listed == ids[::-1]


def test_a_data_store_becomes_active(world: World) -> None:
    """A data store is found by its id and in the list."""
    got = world.client.get_datastore(datastoreId=world.datastore_id)["datastoreProperties"]
    listed = world.client.list_datastores(datastoreStatus="ACTIVE")["datastoreSummaries"]

    assert got["datastoreStatus"] == "ACTIVE"
    assert [store["datastoreId"] for store in listed] == [world.datastore_id]


def test_an_unknown_data_store_is_not_found(world: World) -> None:
    """Another id gives ResourceNotFoundException."""
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        world.client.get_datastore(datastoreId="0" * 32)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"DICOMStudyInstanceUID": f"{ROOT}.1"}, 1),
        ({"DICOMStudyInstanceUID": f"{ROOT}.9"}, 0),
        ({"DICOMSeriesInstanceUID": f"{ROOT}.2"}, 1),
        ({"DICOMPatientId": "CANARY"}, 1),
        ({"isPrimary": False}, 0),
    ],
    ids=["study", "other-study", "series", "patient", "non-primary"],
)
def test_image_sets_are_found_by_their_tags(
    world: World, value: dict[str, object], found: int
) -> None:
    """Filters of the model select image sets."""
    world.put(part10())
    world.run()
    answer = world.client.search_image_sets(
        datastoreId=world.datastore_id,
        searchCriteria={"filters": [{"operator": "EQUAL", "values": [value]}]},
    )

    assert len(answer["imageSetsMetadataSummaries"]) == found


def test_metadata_is_gzipped_json_of_the_hierarchy(world: World) -> None:
    """The metadata names the instance under its series."""
    world.put(part10())
    line = world.output(world.run(), "SUCCESS/success.ndjson")[0]
    answer = world.client.get_image_set_metadata(
        datastoreId=world.datastore_id, imageSetId=line["importResponse"]["imageSetId"]
    )
    document = json.loads(gzip.decompress(answer["imageSetMetadataBlob"].read()))

    assert answer["contentEncoding"] == "gzip"
    assert list(document["Study"]["Series"][f"{ROOT}.2"]["Instances"]) == [f"{ROOT}.3"]
