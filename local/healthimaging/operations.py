"""The operations of HealthImaging that the product, its tests and its operators use."""

from __future__ import annotations

import gzip
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.healthimaging.faults import Faults
from local.healthimaging.files import ImportedFiles
from local.healthimaging.image_sets import ImageSet, ImageSets
from local.healthimaging.jobs import Job, JobRunner
from local.healthimaging.metadata import describe
from local.healthimaging.paging import page
from local.healthimaging.ports import BucketAccess, EventBus
from local.healthimaging.protocol import ApiError
from local.healthimaging.quotas import Quotas, Throttle
from local.healthimaging.search import matching, summary

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"


@dataclass(slots=True)
class Datastore:
    """A data store with its jobs and image sets."""

    id: str
    name: str
    arn: str
    created_at: datetime
    parameters: dict[str, Any]
    is_active: bool = False
    image_sets: ImageSets = field(default_factory=ImageSets)
    jobs: dict[str, Job] = field(default_factory=dict)
    tokens: dict[str, Job] = field(default_factory=dict)


class HealthImaging:
    """The service's state and operations; thread-safe."""

    def __init__(
        self,
        buckets: BucketAccess,
        events: EventBus,
        files: ImportedFiles,
        *,
        faults: Faults,
        quotas: Quotas | None = None,
        clock: Callable[[], float] = time.monotonic,
        region: str = REGION,
    ) -> None:
        """Start without data stores.

        Args:
            buckets: S3.
            events: Where job events go.
            files: Where imported instances are written.
            faults: The switches.
            quotas: The service's own by default.
            clock: Monotonic seconds, for API rates.
            region: Where its data stores are.
        """
        self._region = region
        self._quotas = quotas or Quotas()
        self._throttle = Throttle(self._quotas.rates, clock)
        self._faults = faults
        self._runner = JobRunner(buckets, events, files, quotas=self._quotas, faults=faults)
        self._lock = threading.RLock()
        self._datastores: dict[str, Datastore] = {}
        self._operations: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "CreateDatastore": self._create_datastore,
            "GetDatastore": self._get_datastore,
            "ListDatastores": self._list_datastores,
            "StartDICOMImportJob": self._start_job,
            "GetDICOMImportJob": self._get_job,
            "ListDICOMImportJobs": self._list_jobs,
            "SearchImageSets": self._search_image_sets,
            "GetImageSet": self._get_image_set,
            "GetImageSetMetadata": self._get_image_set_metadata,
        }

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run an operation.

        Raises:
            ApiError: As the service would answer.
        """
        if not self._throttle.admit(operation) or (
            operation == "StartDICOMImportJob" and self._faults.strikes("throttledStarts")
        ):
            raise ApiError("ThrottlingException", "Rate exceeded")
        method = self._operations.get(operation)
        if method is None:
            raise ApiError("AccessDeniedException", f"{operation} is not part of this double")
        return method(parameters)

    def figures(self) -> dict[str, int]:
        """Return how many jobs and instances there are, over all data stores."""
        with self._lock:
            stores = list(self._datastores.values())
            jobs = [job for store in stores for job in store.jobs.values()]
        return {
            "jobs": len(jobs),
            "activeJobs": sum(not job.status.has_ended for job in jobs),
            "instances": sum(store.image_sets.count_instances() for store in stores),
        }

    def _create_datastore(self, parameters: dict[str, Any]) -> dict[str, Any]:
        store_id = secrets.token_hex(16)
        arn = f"arn:aws:medical-imaging:{self._region}:{ACCOUNT_ID}:datastore/{store_id}"
        name = parameters.get("datastoreName") or f"datastore-{store_id}"
        store = Datastore(store_id, name, arn, datetime.now(UTC), parameters)
        with self._lock:
            self._datastores[store_id] = store
        return {"datastoreId": store_id, "datastoreStatus": "CREATING"}

    def _get_datastore(self, parameters: dict[str, Any]) -> dict[str, Any]:
        store = self._store(parameters)
        store.is_active = True
        optional = ("kmsKeyArn", "lambdaAuthorizerArn", "losslessStorageFormat")
        given = {name: store.parameters[name] for name in optional if name in store.parameters}
        return {"datastoreProperties": _store_summary(store) | given}

    def _list_datastores(self, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            stores = [_store_summary(store) for store in self._datastores.values()]
        wanted = parameters.get("datastoreStatus")
        stores = [s for s in stores if wanted in (None, s["datastoreStatus"])]
        return page("datastoreSummaries", stores, parameters)

    def _start_job(self, parameters: dict[str, Any]) -> dict[str, Any]:
        store = self._store(parameters)
        token = parameters["clientToken"]
        request = {name: value for name, value in parameters.items() if name != "clientToken"}
        with self._lock:
            known = store.tokens.get(token)
            if known is not None and known.parameters != request:
                message = "The client token was used with other parameters"
                raise ApiError("ConflictException", message)
            if known is None:
                self._check_concurrency(store)
        if known is not None:
            return _started(known)
        job_id = secrets.token_hex(16)
        name = parameters.get("jobName") or f"job-{job_id}"
        job = Job(job_id, store.id, store.arn, name, request, datetime.now(UTC))
        with self._lock:
            job = store.tokens.setdefault(token, job)
            is_new = store.jobs.setdefault(job.id, job) is job and job.id == job_id
        answer = _started(job)
        if is_new:
            self._runner.start(job, store.image_sets)
        return answer

    def _check_concurrency(self, store: Datastore) -> None:
        active = sum(not job.status.has_ended for job in store.jobs.values())
        if active >= self._quotas.concurrent_jobs:
            message = f"{self._quotas.concurrent_jobs} import jobs are in progress"
            raise ApiError("ServiceQuotaExceededException", message)

    def _get_job(self, parameters: dict[str, Any]) -> dict[str, Any]:
        job = self._store(parameters).jobs.get(parameters["jobId"])
        if job is None:
            raise ApiError("ResourceNotFoundException", "No such import job")
        properties = _job_summary(job) | {
            "inputS3Uri": job.input_uri,
            "outputS3Uri": job.output_uri,
        }
        return {"jobProperties": properties}

    def _list_jobs(self, parameters: dict[str, Any]) -> dict[str, Any]:
        store = self._store(parameters)
        wanted = parameters.get("jobStatus")
        with self._lock:
            jobs = [job for job in store.jobs.values() if wanted in (None, job.status)]
        jobs.sort(key=lambda job: job.submitted_at, reverse=True)
        return page("jobSummaries", jobs, parameters, _job_summary)

    def _search_image_sets(self, parameters: dict[str, Any]) -> dict[str, Any]:
        found = matching(self._store(parameters).image_sets, parameters.get("searchCriteria") or {})
        answer = page("imageSetsMetadataSummaries", found, parameters, summary)
        sort = (parameters.get("searchCriteria") or {}).get("sort")
        return answer | ({"sort": sort} if sort else {})

    def _get_image_set(self, parameters: dict[str, Any]) -> dict[str, Any]:
        store, image_set = self._image_set(parameters)
        return {
            "datastoreId": store.id,
            "imageSetId": image_set.id,
            "versionId": str(image_set.version),
            "imageSetState": "ACTIVE",
            "imageSetWorkflowStatus": "CREATED" if image_set.version == 1 else "UPDATED",
            "createdAt": image_set.created_at,
            "updatedAt": image_set.updated_at,
            "imageSetArn": f"{store.arn}/imageset/{image_set.id}",
            "isPrimary": image_set.is_primary,
            "storageTier": "FREQUENT_ACCESS",
        }

    def _get_image_set_metadata(self, parameters: dict[str, Any]) -> dict[str, Any]:
        store, image_set = self._image_set(parameters)
        document = json.dumps(describe(store.id, image_set))
        return {
            "imageSetMetadataBlob": gzip.compress(document.encode(), mtime=0),
            "contentType": "application/json",
            "contentEncoding": "gzip",
        }

    def _store(self, parameters: dict[str, Any]) -> Datastore:
        store = self._datastores.get(parameters["datastoreId"])
        if store is None:
            raise ApiError("ResourceNotFoundException", "No such data store")
        return store

    def _image_set(self, parameters: dict[str, Any]) -> tuple[Datastore, ImageSet]:
        store = self._store(parameters)
        image_set = store.image_sets.get(parameters["imageSetId"])
        version = parameters.get("versionId")
        if image_set is None or (version and not 1 <= int(version) <= image_set.version):
            raise ApiError("ResourceNotFoundException", "No such image set or version")
        return store, image_set


def _started(job: Job) -> dict[str, Any]:
    return {
        "datastoreId": job.datastore_id,
        "jobId": job.id,
        "jobStatus": job.status.value,
        "submittedAt": job.submitted_at,
    }


def _store_summary(store: Datastore) -> dict[str, Any]:
    return {
        "datastoreId": store.id,
        "datastoreName": store.name,
        "datastoreStatus": "ACTIVE" if store.is_active else "CREATING",
        "datastoreArn": store.arn,
        "createdAt": store.created_at,
        "updatedAt": store.created_at,
    }


def _job_summary(job: Job) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "jobId": job.id,
        "jobName": job.name,
        "jobStatus": job.status.value,
        "datastoreId": job.datastore_id,
        "dataAccessRoleArn": job.parameters["dataAccessRoleArn"],
        "submittedAt": job.submitted_at,
    }
    if job.ended_at is not None:
        properties["endedAt"] = job.ended_at
    if job.message:
        properties["message"] = job.message
    return properties
