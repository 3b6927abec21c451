from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from local.healthimaging.quotas import Quotas, Rate
from tests.local.dicom import ROOT, part10
from tests.local.healthimaging.conftest import World, until

IMPLAUSIBLE_SYNTAX = "1.2.840.10008.1.2.1.98"
AGAIN = "the-same-token"


def test_a_job_goes_through_its_states_and_tells_each(world: World) -> None:
    """Submitted, in progress and completed are events with the documented detail."""
    world.put(part10())
    started = world.start()
    job = world.wait(started["jobId"])

    assert started["jobStatus"] == "SUBMITTED"
    until(lambda: len(world.bus.events) == 3)
    assert [name for name, _, _ in world.bus.events] == [
        "Import Job Submitted",
        "Import Job In Progress",
        "Import Job Completed",
    ]
    _, resource, detail = world.bus.events[-1]
    assert resource.endswith(f":datastore/{world.datastore_id}")
    assert detail == {
        "imagingVersion": "1.0",
        "datastoreId": world.datastore_id,
        "jobId": job["jobId"],
        "jobName": job["jobName"],
        "jobStatus": "COMPLETED",
        "inputS3Uri": "s3://landing/in/",
        "outputS3Uri": "s3://results/out/",
    }


def test_the_output_is_the_documented_files(world: World) -> None:
    """Manifest, success, failure and warning files stand in the job's folder and agree."""
    world.put(part10(), b"not DICOM", part10(sop=f"{ROOT}.04"))
    job = world.run()

    folder = f"s3://results/out/{world.datastore_id}-DicomImport-{job['jobId']}/"
    assert job["outputS3Uri"] == folder
    summary = world.output(job, "job-output-manifest.json")
    assert summary["successOutputS3Uri"] == f"{folder}SUCCESS/"
    assert summary["numberOfScannedFiles"] == 3
    assert summary["numberOfImportedFiles"] == 2
    assert summary["numberOfFilesWithCustomerError"] == 1
    assert summary["numberOfFilesWithServerError"] == 0
    (image_set,) = summary["imageSetsSummary"]
    assert image_set["numberOfMatchedSOPInstances"] == 2
    successes = world.output(job, "SUCCESS/success.ndjson")
    assert [line["inputFile"] for line in successes] == ["in/0000/x.dcm", "in/0002/x.dcm"]
    assert successes[0]["importResponse"] == {
        "imageSetId": image_set["imageSetId"],
        "isPrimary": True,
    }
    (failure,) = world.output(job, "FAILURE/failure.ndjson")
    assert failure["inputFile"] == "in/0001/x.dcm"
    (warning,) = world.output(job, "WARNING/warning.ndjson")
    assert warning["importResponse"]["warnings"][0]["warning_reason_code"] == 45570


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is not a DICOM P10 file"),
        (b"\0" * 200, "The file is not a DICOM P10 file"),
        (
            part10(without=("TransferSyntaxUID",)),
            "DICOM attribute TransferSyntaxUID does not exist",
        ),
        (part10(without=("StudyInstanceUID",)), "DICOM attribute StudyInstanceUID does not exist"),
        (
            part10(without=("SeriesInstanceUID",)),
            "DICOM attribute SeriesInstanceUID does not exist",
        ),
        (part10(without=("SOPInstanceUID",)), "DICOM attribute SOPInstanceUID does not exist"),
        (
            part10(description="x" * 257),
            "DICOM attribute StudyDescription is longer than 256 characters",
        ),
    ],
    ids=["empty", "zeros", "syntax", "study", "series", "instance", "too-long"],
)
def test_a_file_that_cannot_be_imported_is_a_failure_line(
    world: World, content: bytes, message: str
) -> None:
    """What the service refuses stands in failure.ndjson, the job completes."""
    world.put(content)
    job = world.run()

    assert job["jobStatus"] == "COMPLETED"
    (line,) = world.output(job, "FAILURE/failure.ndjson")
    assert line["exception"] == {"exceptionType": "ValidationException", "message": message}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (part10(transfer_syntax=IMPLAUSIBLE_SYNTAX), 45344),
        (part10(study=f"{ROOT}..1"), 45570),
        (part10(accession_number="1" * 17), 45571),
    ],
    ids=["syntax", "uid", "length"],
)
def test_a_nonconforming_file_is_imported_with_a_warning(
    world: World, content: bytes, code: int
) -> None:
    """A documented warning code stands in warning.ndjson, the file is a success as well."""
    world.put(content)
    job = world.run()

    (line,) = world.output(job, "WARNING/warning.ndjson")
    assert [w["warning_reason_code"] for w in line["importResponse"]["warnings"]] == [code]
    assert len(world.output(job, "SUCCESS/success.ndjson")) == 1


def test_a_conflicting_instance_goes_to_a_set_apart(world: World) -> None:
    """Another PatientID in the same series makes a non-primary image set."""
    world.put(part10(), part10(sop=f"{ROOT}.4", patient_id="OTHER"))
    job = world.run()

    first, second = world.output(job, "SUCCESS/success.ndjson")
    assert [first["importResponse"]["isPrimary"], second["importResponse"]["isPrimary"]] == [
        True,
        False,
    ]
    assert first["importResponse"]["imageSetId"] != second["importResponse"]["imageSetId"]


def test_the_same_instance_again_makes_a_version(world: World) -> None:
    """Two jobs with one instance leave one image set of version 2."""
    world.put(part10())
    first = world.output(world.run(), "SUCCESS/success.ndjson")[0]
    second = world.output(world.run(), "SUCCESS/success.ndjson")[0]

    assert first == second
    image_set = world.client.get_image_set(
        datastoreId=world.datastore_id, imageSetId=first["importResponse"]["imageSetId"]
    )
    assert image_set["versionId"] == "2"
    assert image_set["isPrimary"] is True


def test_imported_bytes_are_files_with_safe_names(world: World) -> None:
    """A hostile UID cannot name a file, the bytes are the sender's."""
    plain, hostile = part10(), part10(sop="../../../etc/passwd")
    world.put(plain, hostile)
    world.run()

    files = [path for path in world.imported.rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in files) == sorted([plain, hostile])
    assert world.imported / f"{ROOT}.1" / f"{ROOT}.2" / f"{ROOT}.3.dcm" in files


def test_an_empty_prefix_completes_with_nothing(world: World) -> None:
    """A prefix without files scans none."""
    summary = world.output(world.run("nothing/"), "job-output-manifest.json")

    assert summary["numberOfScannedFiles"] == 0


def test_a_prefix_does_not_match_its_longer_neighbour(world: World) -> None:
    """`in/` never reads `inner/`, whatever the end of the URI was."""
    world.put(part10())
    world.put(part10(), prefix="inner/")
    job = world.run("in")

    assert world.output(job, "job-output-manifest.json")["numberOfScannedFiles"] == 1


def test_a_client_token_starts_one_job(world: World) -> None:
    """The same token and parameters give the same job; other parameters a conflict."""
    first = world.start(token=AGAIN)
    again = world.start(token=AGAIN)

    assert first["jobId"] == again["jobId"]
    with pytest.raises(ClientError, match="ConflictException"):
        world.start("other/", token=AGAIN)


def test_parameters_outside_the_model_are_refused(world: World) -> None:
    """The model's own limits are checked on the server's side."""
    with pytest.raises(ClientError, match="ValidationException") as caught:
        world.client.get_dicom_import_job(datastoreId="NOT-AN-ID", jobId="a")

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


class TestQuotas:
    """A job above a quota."""

    @pytest.fixture
    def quotas(self) -> Quotas:
        """Small ones."""
        return Quotas(rates={}, job_files=2, job_bytes=10_000, concurrent_jobs=1)

    def test_too_many_files_fail_the_job(self, world: World) -> None:
        """One file above the quota fails the job and imports nothing."""
        world.put(part10(), part10(), part10())
        job = world.run()

        assert job["jobStatus"] == "FAILED"
        assert job["message"].startswith("FILE_COUNTS_LIMIT")
        assert not list(world.imported.rglob("*.dcm"))

    def test_too_many_bytes_fail_the_job(self, world: World) -> None:
        """A byte above the quota fails the job."""
        world.put(bytes(10_001))

        assert world.run()["message"].startswith("JOB_SIZE_LIMIT")

    def test_a_job_above_the_concurrent_ones_is_refused(self, world: World) -> None:
        """The quota of concurrent jobs is an error of its own."""
        world.faults.change({"jobSeconds": 0.5})
        world.start()
        with pytest.raises(ClientError, match="ServiceQuotaExceededException") as caught:
            world.start()

        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 402


class TestThrottling:
    """Calls above a rate."""

    @pytest.fixture
    def quotas(self) -> Quotas:
        """A burst of two, then nothing for long."""
        return Quotas(rates={"StartDICOMImportJob": Rate(per_second=0.001, burst=2)})

    def test_starts_above_the_rate_are_throttled(self, world: World) -> None:
        """After the burst the answer is 429."""
        world.start()
        world.start()
        with pytest.raises(ClientError, match="ThrottlingException") as caught:
            world.start()

        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
