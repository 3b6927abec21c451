"""StartImport and RecordOutcome on the fakes, with messages delivered by hand."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from contract.keys import BatchId
from contract.manifest import Row
from importer.domain.commands import Command, Report
from importer.domain.errors import OutputNotReadyError, RetryLaterError
from importer.domain.full_proof import FullProof
from importer.domain.messages import announced_batches, inquiry_of
from importer.domain.planning import JobQuota
from importer.domain.record_outcome import Inquiry, RecordOutcome
from importer.domain.redrive import Redriving
from importer.domain.start_import import StartImport
from importer.domain.sweep import Sweep, SweepPolicy
from tests.importer.builders import make_manifest
from tests.importer.fake_aws import (
    LANDING,
    FakeClock,
    FakeHealthImaging,
    FakeLanding,
    FakeLedger,
    FakeQueues,
    FakeTelemetry,
)


@dataclass
class FakePipeline:
    """Everything between the landing bucket and HealthImaging, in memory."""

    clock: FakeClock = field(default_factory=FakeClock)
    landing: FakeLanding = field(default_factory=FakeLanding)
    queues: FakeQueues = field(default_factory=FakeQueues)
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)
    quota: JobQuota = field(default_factory=JobQuota)

    def __post_init__(self) -> None:
        self.ledger = FakeLedger(self.clock)
        self.service = FakeHealthImaging(self.landing, self.clock, self.quota.max_files)

    @property
    def start_import(self) -> StartImport:
        return StartImport(
            manifests=self.landing,
            batches=self.ledger,
            contents=self.ledger,
            service=self.service,
            announcements=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            quota=self.quota,
            unreadable_after=3,
        )

    @property
    def record_outcome(self) -> RecordOutcome:
        return RecordOutcome(
            manifests=self.landing,
            instances=self.landing,
            results=self.service,
            batches=self.ledger,
            contents=self.ledger,
            service=self.service,
            announcements=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            landing_bucket=LANDING,
            output_grace_s=900,
        )

    @property
    def redriving(self) -> Redriving:
        return Redriving(
            manifests=self.landing,
            instances=self.landing,
            batches=self.ledger,
            contents=self.ledger,
            quarantine=self.ledger,
            announcements=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            quota=self.quota,
        )

    def command(self, action: str = "redrive", for_s: float = 60, **target: object) -> Report:
        """Let an operator ask for something."""
        command = Command.parse({"action": action, "operator": "j.doe", **target})
        return self.redriving.run(command, until=self.clock.now + for_s)

    def land(self, batch: BatchId, rows: int | list[Row]) -> list[str]:
        """Land and seal a batch, without announcing it; return its keys."""
        manifest = make_manifest(batch, rows)
        self.landing.land(manifest.rows)
        assert self.landing.seal(manifest)
        return [row.key for row in manifest.rows]

    def start(self, batch: BatchId, deliveries: int = 1) -> None:
        self.start_import.run(batch, deliveries=deliveries)

    def record(self, job_id: str) -> None:
        self.record_outcome.run(Inquiry(job_id=job_id))

    def sweep(self, for_s: float = 60) -> None:
        Sweep(
            landing=self.landing,
            manifests=self.landing,
            instances=self.landing,
            batches=self.ledger,
            progress=self.ledger,
            announcements=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            policy=SweepPolicy(
                reannounce_after_s=300, poll_after_s=300, adopt_after_s=600, close_after_s=7200
            ),
        ).run(until=self.clock.now + for_s)

    def prove_fully(self, for_s: float = 60) -> None:
        FullProof(
            landing=self.landing,
            archive=self.landing,
            manifests=self.landing,
            progress=self.ledger,
            proofs=self.ledger,
            announcements=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            settled_after_s=7200,
        ).run(until=self.clock.now + for_s)

    def settle(self, hours: int = 24) -> None:
        """Let Sweep run every five minutes, messages served and jobs run, events all lost."""
        first = self.landing.first_hour()
        for _ in range(hours * 12):
            self.clock.now += 300
            self.sweep()
            self.drain(events=False)
            if first in self.ledger.closed:
                return

    def drain(self, rounds: int = 50, *, events: bool = True) -> None:
        """Run jobs and deliver messages until nothing moves."""
        for _ in range(rounds):
            ended = self.service.run_jobs()
            for job_id in ended if events else ():
                self.record(job_id)
            messages, self.queues.outcomes = self.queues.outcomes, []
            for body in messages:
                inquiry = inquiry_of(body)
                assert inquiry is not None
                with suppress(OutputNotReadyError):
                    self.record_outcome.run(inquiry)
            announced, self.queues.imports = self.queues.imports, []
            for body in announced:
                self._deliver(body)
            if not (ended or messages or announced):
                return
        raise AssertionError("the pipeline does not come to rest")

    def _deliver(self, body: str) -> None:
        for batch in announced_batches(body):
            try:
                self.start(batch)
            except RetryLaterError:
                self.queues.imports.append(body)
