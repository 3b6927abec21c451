"""Which references of a request are committed to, which failed, and which nobody can tell yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from contract.states import InstanceState
from receiver.commitment.action import Reference
from receiver.commitment.documents import FailureReason
from receiver.commitment.ports import Known, Registry
from receiver.negotiation import is_served
from receiver.settings import Settings

CHUNK = 100
"""References asked about at once: what BatchGetItem takes."""
_IMPORTED = frozenset(
    {
        # HealthImaging's own result names each of them as imported.
        InstanceState.IMPORTED,
        InstanceState.IMPORTED_WITH_WARNING,
        InstanceState.IMPORTED_NON_PRIMARY,
    }
)


class Standing(Enum):
    """Where a reference stands that has not failed."""

    COMMITTED = auto()
    UNDECIDED = auto()
    """Nobody can tell yet."""


Verdict = FailureReason | Standing


@dataclass(slots=True)
class Progress:
    """How far the judgement of a request has come.

    What is committed to stays so, hence a reference that is decided is not asked about again.

    Attributes:
        place: References before it are decided.
        failures: Those of them that failed.
    """

    place: int
    failures: dict[int, FailureReason]


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides references in their order, up to the first that nobody can tell yet."""

    registry: Registry
    settings: Settings

    def go_on(
        self, references: Sequence[Reference], progress: Progress, requested_at: float, now: float
    ) -> bool:
        """Decide what can be decided; True if nothing is left.

        Raises:
            UnavailableError: What is known of the next references cannot be had.
        """
        while progress.place < len(references):
            chunk = references[progress.place : progress.place + CHUNK]
            verdicts = self._verdicts(chunk, now - requested_at)
            for verdict in verdicts:
                if verdict is Standing.UNDECIDED:
                    return False
                if isinstance(verdict, FailureReason):
                    progress.failures[progress.place] = verdict
                progress.place += 1
        return True

    def _verdicts(self, chunk: Sequence[Reference], age_s: float) -> list[Verdict]:
        uids = list({r.sop_instance_uid for r in chunk})
        known = dict(self.registry.known(uids))
        missing = [uid for uid in uids if uid not in known]
        settings = self.settings
        overdue = age_s >= min(settings.commitment_unknown_after_s, settings.commitment_timeout_s)
        lands = settings.commitment_when == "landed"
        landed: dict[str, str] = {}
        if missing and (lands or overdue):
            landed = dict(self.registry.landed(missing))
            # A batch may have been recorded between the two looks.
            still = [uid for uid in missing if uid not in landed]
            if still and overdue:
                known |= self.registry.known(still)
        return [self._verdict(r, known.get(r.sop_instance_uid), landed, age_s) for r in chunk]

    def _verdict(
        self,
        reference: Reference,
        known: Sequence[Known] | None,
        landed: dict[str, str],
        age_s: float,
    ) -> Verdict:
        if not is_served(reference.sop_class_uid, self.settings.supported_sop_class_uids):
            return FailureReason.SOP_CLASS_NOT_SUPPORTED
        sop_class = landed.get(reference.sop_instance_uid)
        classes = {k.sop_class_uid for k in known} if known else {sop_class} - {None}
        if classes and reference.sop_class_uid not in classes:
            return FailureReason.CLASS_INSTANCE_CONFLICT
        if classes and self.settings.commitment_when == "landed":
            return Standing.COMMITTED
        if known:
            # The requester names no bytes: where a UID has two contents, both have to be safe.
            imported = all(k.state in _IMPORTED for k in known)
            return Standing.COMMITTED if imported else FailureReason.PROCESSING_FAILURE
        return self._without_record(has_landed=bool(classes), age_s=age_s)

    def _without_record(self, *, has_landed: bool, age_s: float) -> Verdict:
        if has_landed:
            overdue = age_s >= self.settings.commitment_timeout_s
            return FailureReason.PROCESSING_FAILURE if overdue else Standing.UNDECIDED
        overdue = age_s >= self.settings.commitment_unknown_after_s
        return FailureReason.NO_SUCH_OBJECT_INSTANCE if overdue else Standing.UNDECIDED
