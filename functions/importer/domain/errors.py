"""What the import pipeline raises; a handler reports the message as failed, the queue brings it back."""

from __future__ import annotations


class ImportPipelineError(Exception):
    """Base of what can go wrong in the pipeline without being a bug."""


class RetryLaterError(ImportPipelineError):
    """Nothing is wrong with the message: what it needs is not there yet."""


class ThrottledError(RetryLaterError):
    """HealthImaging starts no more jobs just now (rate or concurrent jobs)."""


class OutputNotReadyError(RetryLaterError):
    """A job has ended but its output is not complete yet."""


class LedgerConflictError(RetryLaterError):
    """Another writer changed the batch since it was read."""


class ManifestMissingError(RetryLaterError):
    """A batch was announced whose manifest is not in the landing bucket."""


class AnswerCutError(RetryLaterError):
    """An answer ended early: what came says nothing of what is stored."""


class UnknownMessageError(ImportPipelineError):
    """A message that is neither an announcement nor an outcome; it ends in the dead-letter queue."""
