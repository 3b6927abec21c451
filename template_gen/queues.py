"""The two queues of the import pipeline and their dead-letter queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from awacs import sqs as sqs_actions
from awacs.aws import (
    Action,
    Allow,
    ArnEquals,
    ArnLike,
    Bool,
    Condition,
    Deny,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
)
from troposphere import AccountId, Ref, Sub, Template
from troposphere.sqs import Queue, QueuePolicy, RedrivePolicy

from template_gen.permissions import arn_of

RETENTION_S = 14 * 24 * 3600
"""The longest that SQS keeps a message; Sweep announces again what it knows of anyway."""
MAX_RECEIVES = 1000
"""The greatest that SQS takes. HealthImaging starts one job a second, so in a backlog a message comes
back many times with nothing wrong about it; only what cannot be read may end in the dead-letter queue."""
VISIBILITY_FACTOR = 6
"""AWS Lambda developer guide, "Configuring SQS event source": at least six times the function's timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The queues and the policy that lets S3 send.

    Attributes:
        import_queue: Announces batches to StartImport.
        import_queue_policy: Must be there before the bucket's notification.
        outcome_queue: Brings the outcomes of jobs to RecordOutcome.
        import_dead_letters: What StartImport could not read.
        outcome_dead_letters: What RecordOutcome could not read, and events that were not delivered.
    """

    import_queue: Queue
    import_queue_policy: QueuePolicy
    outcome_queue: Queue
    import_dead_letters: Queue
    outcome_dead_letters: Queue


def add_queues(
    template: Template, *, start_import_timeout_s: int, record_outcome_timeout_s: int
) -> Queues:
    """Add the queues."""
    import_dead_letters = _dead_letters(template, "ImportDeadLetterQueue")
    outcome_dead_letters = _dead_letters(template, "OutcomeDeadLetterQueue")
    import_queue = _queue(template, "ImportQueue", import_dead_letters, start_import_timeout_s)
    outcome_queue = _queue(template, "OutcomeQueue", outcome_dead_letters, record_outcome_timeout_s)
    import_queue_policy = template.add_resource(
        QueuePolicy(
            "ImportQueuePolicy",
            Queues=[Ref(import_queue)],
            PolicyDocument=_policy(import_queue, _let_buckets_send(import_queue)),
        )
    )
    _policy_of_own_senders(template, import_dead_letters)
    return Queues(
        import_queue=import_queue,
        import_queue_policy=import_queue_policy,
        outcome_queue=outcome_queue,
        import_dead_letters=import_dead_letters,
        outcome_dead_letters=outcome_dead_letters,
    )


def let_rule_send(template: Template, queues: Queues, rule_arn: Any) -> None:
    """Let an EventBridge rule send to the outcome queue and, failing that, to its dead letters."""
    for queue in (queues.outcome_queue, queues.outcome_dead_letters):
        template.add_resource(
            QueuePolicy(
                f"{queue.title}Policy",
                Queues=[Ref(queue)],
                PolicyDocument=_policy(
                    queue,
                    Statement(
                        Effect=Allow,
                        Principal=Principal("Service", "events.amazonaws.com"),
                        Action=[sqs_actions.SendMessage],
                        Resource=[arn_of(queue)],
                        Condition=Condition(ArnEquals("aws:SourceArn", rule_arn)),
                    ),
                ),
            )
        )


def _let_buckets_send(queue: Queue) -> Statement:
    # The landing bucket has no name of ours, and a reference to it would close a circle: its
    # notification needs this policy. Any bucket of this account, then, and no other account's.
    return Statement(
        Effect=Allow,
        Principal=Principal("Service", "s3.amazonaws.com"),
        Action=[sqs_actions.SendMessage],
        Resource=[arn_of(queue)],
        Condition=Condition(
            [
                StringEquals("aws:SourceAccount", AccountId),
                ArnLike("aws:SourceArn", Sub("arn:${AWS::Partition}:s3:::*")),
            ]
        ),
    )


def _policy_of_own_senders(template: Template, queue: Queue) -> None:
    """Give a queue that nobody outside sends to the same refusal of plain connections."""
    template.add_resource(
        QueuePolicy(f"{queue.title}Policy", Queues=[Ref(queue)], PolicyDocument=_policy(queue))
    )


def _policy(queue: Queue, *statements: Statement) -> PolicyDocument:
    refuse_plain = Statement(
        Effect=Deny,
        Principal=Principal("*"),
        Action=[Action("sqs", "*")],
        Resource=[arn_of(queue)],
        Condition=Condition(Bool("aws:SecureTransport", "false")),
    )
    return PolicyDocument(Version="2012-10-17", Statement=[refuse_plain, *statements])


def _dead_letters(template: Template, title: str) -> Queue:
    return template.add_resource(
        Queue(title, MessageRetentionPeriod=RETENTION_S, SqsManagedSseEnabled=True)
    )


def _queue(template: Template, title: str, dead_letters: Queue, timeout_s: int) -> Queue:
    return template.add_resource(
        Queue(
            title,
            MessageRetentionPeriod=RETENTION_S,
            VisibilityTimeout=VISIBILITY_FACTOR * timeout_s,
            ReceiveMessageWaitTimeSeconds=20,
            SqsManagedSseEnabled=True,
            RedrivePolicy=RedrivePolicy(
                deadLetterTargetArn=arn_of(dead_letters), maxReceiveCount=MAX_RECEIVES
            ),
        )
    )
