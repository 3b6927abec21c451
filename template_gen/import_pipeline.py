"""From a sealed batch to its recorded outcome: functions, event source mappings, event rule, schedule.

Where a function's failures go:

| function | invoked | what fails is | dead-letter queue | alarm besides its error rate |
|---|---|---|---|---|
| StartImport | by ImportQueue | received again | ImportDeadLetterQueue | the queue's, OldestUnimportedAlarm |
| RecordOutcome | by OutcomeQueue | received again | OutcomeDeadLetterQueue | the queue's, OldestUnimportedAlarm |
| Sweep | by the schedule | done by the next run: an event says nothing but "now" | none, nothing would be in it | SweepSilentAlarm |
| Redrive, View | by whoever waits for the answer | told to them | none | none |
| PreflightFunction | by CloudFormation | run again twice, then the stack is refused | none: the stack's events tell | none, and no error rate: it runs once |

Nothing runs in parallel for speed: HealthImaging starts one job a second for the whole account, and what Sweep
does twice at once it does once (every write is conditional).
"""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import Template
from troposphere.dynamodb import Table
from troposphere.events import DeadLetterConfig, Rule, Target
from troposphere.events import RetryPolicy as EventRetryPolicy

from contract import schema
from contract.keys import BATCHES_PREFIX, INCOMING_PREFIX
from importer.domain.messages import JOB_EVENT_SOURCE
from importer.handlers import record_outcome, redrive, start_import, sweep, view
from template_gen import bindings, permissions
from template_gen.datastore import DataStore
from template_gen.functions import FunctionMaker, Made, Plan
from template_gen.parameters import Parameters
from template_gen.permissions import arn_of
from template_gen.queues import Queues, let_rule_send
from template_gen.storage import Storage

START_IMPORT_TIMEOUT_S = 120
"""A manifest of 4,000 rows, its listing and 40 reads of the ledger take seconds; S3 may be slow."""
RECORD_OUTCOME_TIMEOUT_S = 300
"""5,000 ledger writes and as many tags, 32 at a time, take about a minute."""
SWEEP_TIMEOUT_S = 300
"""Its period, so that two hardly ever run at once (they may)."""
REDRIVE_TIMEOUT_S = 300
"""5,000 notes in the ledger and as many records, 32 at a time, take about a minute; it stops by itself."""
VIEW_TIMEOUT_S = 30
"""Two queries of the ledger's sparse index; the dashboard gives up waiting much sooner."""
HALF_A_PROCESSOR_MIB = 1024
"""For functions whose threads handle thousands of small answers: 1,769 MiB are a whole one, and recording a
batch of 4,000 takes 1.8 s of it (bench/record_outcome.py). Memory itself is no matter: runtime, boto3 and
Powertools take 60 MiB (tests/ci/test_lambda_archive.py), a batch of 4,000 about 40 more."""
A_QUARTER_MIB = 512
"""For those that make a few calls: a cold start is bound by the processor, and at 128 MiB takes seconds."""
SWEEP_SCHEDULE = "rate(5 minutes)"
OUTCOME_DETAIL_TYPES = ["Import Job Completed", "Import Job Failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPipeline:
    """The functions."""

    start_import: Made
    record_outcome: Made
    sweep: Made
    redrive: Made
    view: Made

    def all(self) -> tuple[Made, ...]:
        """Return every function."""
        return (self.start_import, self.record_outcome, self.sweep, self.redrive, self.view)


def add_import_pipeline(
    template: Template,
    p: Parameters,
    maker: FunctionMaker,
    *,
    storage: Storage,
    queues: Queues,
    table: Table,
    datastore: DataStore,
) -> ImportPipeline:
    """Add the pipeline."""
    landing, results = arn_of(storage.landing), arn_of(storage.results)
    to_both = permissions.send(arn_of(queues.import_queue), arn_of(queues.outcome_queue))
    ledger = permissions.write_ledger(arn_of(table))
    ledger_index = permissions.query_ledger_index(arn_of(table), schema.STATE_INDEX)

    start = maker.add(
        Plan(
            title="StartImport",
            handler=f"{start_import.__name__}.handler",
            description="Starts the import jobs of a sealed batch.",
            timeout_s=START_IMPORT_TIMEOUT_S,
            memory_mib=A_QUARTER_MIB,
            environment=bindings.start_import_environment(p, storage, queues, table, datastore),
            statements=[
                permissions.consume(arn_of(queues.import_queue)),
                to_both,
                permissions.list_bucket(landing),
                permissions.read_objects(landing, BATCHES_PREFIX),
                ledger,
                *permissions.start_import(datastore.arn, arn_of(datastore.access_role)),
            ],
        )
    )
    maker.feed(start.function, queues.import_queue)

    record = maker.add(
        Plan(
            title="RecordOutcome",
            handler=f"{record_outcome.__name__}.handler",
            description="Records where every instance of an ended import job is.",
            timeout_s=RECORD_OUTCOME_TIMEOUT_S,
            memory_mib=HALF_A_PROCESSOR_MIB,
            environment=bindings.record_outcome_environment(p, storage, queues, table, datastore),
            statements=[
                permissions.consume(arn_of(queues.outcome_queue)),
                to_both,
                permissions.list_bucket(landing),
                permissions.list_bucket(results),
                permissions.read_objects(landing, BATCHES_PREFIX, INCOMING_PREFIX),
                permissions.read_results(results),
                permissions.keep_quarantine_records(landing),
                permissions.mark_imported(landing),
                ledger,
                permissions.watch_imports(datastore.arn),
            ],
        )
    )
    maker.feed(record.function, queues.outcome_queue)
    _add_outcome_rule(template, queues, datastore)

    swept = maker.add(
        Plan(
            title="Sweep",
            handler=f"{sweep.__name__}.handler",
            description="Every 5 minutes: announces, asks after, adopts and proves the sum.",
            timeout_s=SWEEP_TIMEOUT_S,
            memory_mib=HALF_A_PROCESSOR_MIB,
            environment=bindings.sweep_environment(p, storage, queues, table),
            statements=[
                to_both,
                permissions.count_messages(arn_of(queues.import_queue)),
                permissions.list_bucket(landing),
                permissions.read_objects(landing, BATCHES_PREFIX, INCOMING_PREFIX),
                permissions.seal_batches(landing),
                ledger,
                ledger_index,
            ],
        )
    )
    maker.never_repeat(swept.function)
    _add_schedule(template, maker, swept)

    redriven = maker.add(
        Plan(
            title="Redrive",
            handler=f"{redrive.__name__}.handler",
            description="For an operator: imports quarantined images again, or lets originals expire.",
            timeout_s=REDRIVE_TIMEOUT_S,
            memory_mib=HALF_A_PROCESSOR_MIB,
            environment=bindings.redrive_environment(p, storage, queues, table),
            statements=[
                to_both,
                permissions.list_bucket(landing),
                permissions.read_objects(landing, BATCHES_PREFIX),
                permissions.keep_quarantine_records(landing),
                permissions.change_ledger(arn_of(table)),
                ledger_index,
            ],
        )
    )

    viewed = maker.add(
        Plan(
            title="View",
            handler=f"{view.__name__}.handler",
            description="The console: where every image is.",
            timeout_s=VIEW_TIMEOUT_S,
            memory_mib=A_QUARTER_MIB,
            environment=bindings.view_environment(p, storage, table),
            statements=[permissions.read_ledger(arn_of(table)), ledger_index],
        )
    )
    return ImportPipeline(
        start_import=start,
        record_outcome=record,
        sweep=swept,
        redrive=redriven,
        view=viewed,
    )


def _add_outcome_rule(template: Template, queues: Queues, datastore: DataStore) -> None:
    rule = template.add_resource(
        Rule(
            "OutcomeRule",
            Description="Ended import jobs of this stack's data store.",
            EventPattern={
                "source": [JOB_EVENT_SOURCE],
                "detail-type": OUTCOME_DETAIL_TYPES,
                "detail": {"datastoreId": [datastore.id]},
            },
            Targets=[
                Target(
                    Id="OutcomeQueue",
                    Arn=arn_of(queues.outcome_queue),
                    DeadLetterConfig=DeadLetterConfig(Arn=arn_of(queues.outcome_dead_letters)),
                    RetryPolicy=EventRetryPolicy(
                        MaximumRetryAttempts=185, MaximumEventAgeInSeconds=86_400
                    ),
                )
            ],
        )
    )
    let_rule_send(template, queues, arn_of(rule))


def _add_schedule(template: Template, maker: FunctionMaker, swept: Made) -> None:
    rule = template.add_resource(
        Rule(
            "SweepSchedule",
            Description="Runs Sweep.",
            ScheduleExpression=SWEEP_SCHEDULE,
            Targets=[Target(Id="Sweep", Arn=arn_of(swept.function))],
        )
    )
    maker.let_rule_invoke(swept.function, arn_of(rule))
