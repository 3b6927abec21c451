"""What a request is answered: decided once, and for every task."""

from __future__ import annotations

from dataclasses import dataclass

from contract.keys import CommitmentObject, transaction_key
from receiver.commitment.documents import (
    Ending,
    FailureReason,
    Request,
    Result,
    Transaction,
    encode_ending,
    failures_of,
)
from receiver.commitment.judge import Judge, Progress
from receiver.commitment.ports import Archive
from receiver.ports import Log


@dataclass(frozen=True, slots=True)
class Decider:
    """Judges requests and keeps the results."""

    archive: Archive
    judge: Judge
    log: Log

    def decide(self, request: Request, progress: Progress, now: float) -> Result | None:
        """Return what is answered, once that can be told; whoever decides first decides for all.

        Raises:
            UnavailableError: The storage or the ledger did not answer.
            DocumentError: What stands there cannot be read.
        """
        key = request.id.key(CommitmentObject.RESULT)
        body = self.archive.read(key)
        if body is None:
            failures = self._judge(request, progress, now)
            if failures is None:
                return None
            self.archive.write(key, Result(now, failures).encode())
            body = self.archive.read(key) or b""
        result = Result.decode(body)
        self.log.info(
            "commitment_decided",
            commitment=str(request.id),
            calling_ae_title=request.calling_ae_title,
            references=len(request.references),
            failed=len(result.failures),
            reasons=sorted({f"{reason.value:04X}" for reason in result.failures.values()}),
        )
        return result

    def _judge(
        self, request: Request, progress: Progress, now: float
    ) -> dict[int, FailureReason] | None:
        if progress.place == 0 and self._is_duplicate(request, now):
            return failures_of(request.references, FailureReason.DUPLICATE_TRANSACTION_UID)
        done = self.judge.go_on(request.references, progress, request.requested_at, now)
        return progress.failures if done else None

    def _is_duplicate(self, request: Request, now: float) -> bool:
        """Return whether the Transaction UID was used for something else; the same again takes over."""
        key = transaction_key(request.calling_ae_title, request.transaction_uid)
        self.archive.write(key, Transaction(str(request.id), request.digest).encode())
        first = Transaction.decode(self.archive.read(key) or b"")
        if first.request == str(request.id):
            return False
        if first.digest != request.digest:
            return True
        ending = encode_ending(Ending.SUPERSEDED, now, by=str(request.id))
        self.archive.write(first.id.key(CommitmentObject.DELIVERED), ending)
        return False
