"""CloudWatch metrics: the namespace, the one dimension, and every name.

The stack is the only dimension; figures per sender come from the ledger, because a dimension per AE
title would let any peer create metrics. Receiver and importer write them in embedded metric format,
alarms and dashboard read them by the same constants.
"""

from __future__ import annotations

from enum import StrEnum

NAMESPACE = "StoreSCP"
DIMENSION = "Stack"


class Unit(StrEnum):
    """CloudWatch's own unit names."""

    COUNT = "Count"
    BYTES = "Bytes"
    MILLISECONDS = "Milliseconds"
    SECONDS = "Seconds"


class Metric(StrEnum):
    """Every metric of the product."""

    # Receiver
    INSTANCES_STORED = "InstancesStored"
    BYTES_STORED = "BytesStored"
    DUPLICATES_ANSWERED = "DuplicatesAnswered"
    """The same bytes had been stored a moment ago: Success, and no second object."""
    STORE_LATENCY = "StoreLatency"
    """From the last PDV read to the sink's confirmation."""
    FAILED_STORES = "FailedStores"
    REFUSED_INSTANCES = "RefusedInstances"
    ASSOCIATIONS_ACCEPTED = "AssociationsAccepted"
    ASSOCIATIONS_REJECTED = "AssociationsRejected"
    ASSOCIATIONS_ABORTED = "AssociationsAborted"
    ASSOCIATIONS_OPEN = "AssociationsOpen"
    TLS_HANDSHAKES_FAILED = "TLSHandshakesFailed"
    """Of the receiver's own TLS; the load balancer's counts its own."""
    BATCHES_SEALED = "BatchesSealed"
    WORKER_RESTARTS = "WorkerRestarts"
    LOG_LINES_DROPPED = "LogLinesDropped"
    COMMITMENTS_REQUESTED = "CommitmentsRequested"
    COMMITMENTS_ANSWERED = "CommitmentsAnswered"
    COMMITMENTS_UNDELIVERED = "CommitmentsUndelivered"
    """Answers that nobody tries to deliver any more."""
    COMMITMENTS_OPEN = "CommitmentsOpen"
    """Requests that are not answered; every server reports those of all."""
    # Importer
    IMPORT_JOBS_STARTED = "ImportJobsStarted"
    IMPORT_JOBS_FAILED = "ImportJobsFailed"
    IMPORT_STARTS_THROTTLED = "ImportStartsThrottled"
    INSTANCES_IMPORTED = "InstancesImported"
    INSTANCES_IMPORTED_WITH_WARNING = "InstancesImportedWithWarning"
    INSTANCES_IMPORTED_NON_PRIMARY = "InstancesImportedNonPrimary"
    INSTANCES_QUARANTINED = "InstancesQuarantined"
    DUPLICATE_INSTANCES = "DuplicateInstances"
    CONFLICTING_INSTANCES = "ConflictingInstances"
    """Other bytes were recorded with the same SOP Instance UID."""
    INSTANCES_IN_TWO_STUDIES = "InstancesInTwoStudies"
    """The same SOP Instance UID was recorded in two studies: perhaps two patients."""
    INSTANCES_REDRIVEN = "InstancesRedriven"
    """An operator had them imported again out of quarantine."""
    INSTANCES_RELEASED = "InstancesReleased"
    """An operator let their originals expire."""
    IMPORT_LATENCY = "ImportLatency"
    """From acknowledgement to the recorded outcome, the oldest of a batch."""
    OLDEST_UNIMPORTED_AGE = "OldestUnimportedAge"
    UNACCOUNTED_INSTANCES = "UnaccountedInstances"
    FULL_PROOF_AGE = "FullProofAge"
    """Since every hour, closed ones too, was last compared with the bucket."""
    BATCHES_ADOPTED = "BatchesAdopted"

    @property
    def unit(self) -> Unit:
        """Its CloudWatch unit."""
        return _UNITS.get(self, Unit.COUNT)


_UNITS = {
    Metric.BYTES_STORED: Unit.BYTES,
    Metric.STORE_LATENCY: Unit.MILLISECONDS,
    Metric.IMPORT_LATENCY: Unit.SECONDS,
    Metric.OLDEST_UNIMPORTED_AGE: Unit.SECONDS,
    Metric.FULL_PROOF_AGE: Unit.SECONDS,
}
