"""The two queues: announcements for StartImport, questions for RecordOutcome, and waiting."""

from __future__ import annotations

from typing import Any

from contract.keys import BatchId
from importer.domain.messages import batch_announcement, outcome_request

_LONGEST_DELAY_S = 900
_WAITING = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


class Queues:
    """Sends to the import and the outcome queue."""

    def __init__(self, client: Any, *, import_queue_url: str, outcome_queue_url: str) -> None:
        self._client = client
        self._import_queue = import_queue_url
        self._outcome_queue = outcome_queue_url

    def announce(self, batch_id: BatchId, *, delay_s: int = 0) -> None:
        """Tell StartImport of a batch; see `ports.Announcements`."""
        self._client.send_message(
            QueueUrl=self._import_queue,
            MessageBody=batch_announcement(batch_id),
            DelaySeconds=min(delay_s, _LONGEST_DELAY_S),
        )

    def ask(self, batch_id: BatchId, *, attempt: int, job_id: str) -> None:
        """Ask RecordOutcome to look after a job; see `ports.Announcements`."""
        self._client.send_message(
            QueueUrl=self._outcome_queue, MessageBody=outcome_request(batch_id, attempt, job_id)
        )

    def waiting(self) -> int:
        """Return about how many messages the import queue holds; see `ports.Announcements`."""
        attributes = self._client.get_queue_attributes(
            QueueUrl=self._import_queue, AttributeNames=list(_WAITING)
        )["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in _WAITING)


def postpone(client: Any, queue_url: str, receipt_handle: str, wait_s: int) -> None:
    """Keep a message that failed invisible for `wait_s` seconds from now.

    The event source mapping leaves a message that is reported as failed to its visibility timeout,
    which is minutes; a throttled start should be back in seconds.
    """
    client.change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=wait_s
    )
