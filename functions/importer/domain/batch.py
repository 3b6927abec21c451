"""A batch in the ledger: the state of each of its objects and the jobs that still owe an answer.

Objects are numbered: first the manifest's rows in their order, then the extras (objects that no row
names) in the order in which they were first seen. Both orders never change, so one state per number
says all, and the sums follow from it exactly however often a step is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from contract.keys import BatchId
from contract.states import BatchState, InstanceState
from importer.domain.counts import Counts


class OwnAnswer(StrEnum):
    """Stands in a part's `job_id` when no job is needed: RecordOutcome answers from what is known."""

    KNOWN = "known"
    """Every object is imported already with the same bytes: the ledger's states hold for it."""
    RELEASE = "release"
    """An operator lets the originals of what is imported expire, warned and non-primary ones too."""
    MARK = "mark"
    """The ledger was rebuilt: originals of plain imports get the tag again that they may not have yet."""
    UNREADABLE_MANIFEST = "unreadable_manifest"
    TOO_BIG_FOR_IMPORT = "too_big_for_import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A prefix of the batch for which one import job has to answer.

    Attributes:
        prefix: Below the batch's own: empty, a shard (`03/`) or one object's folder (`03/0012/`).
        attempt: Number of this attempt in the batch, never given twice; part of the client token.
        tries: Attempts on this prefix before this one.
        planned_at: Unix time (s).
        job_id: The import job's, an `OwnAnswer`, or empty until one is started.
        started_at: Unix time (s), 0 until then.
        operator: Who asked for it; empty if the pipeline itself did.
    """

    prefix: str
    attempt: int
    tries: int = 0
    planned_at: float
    job_id: str = ""
    started_at: float = 0.0
    operator: str = ""

    @property
    def is_import(self) -> bool:
        """Whether it ends in states for its objects; the others only tag them."""
        return self.job_id not in (OwnAnswer.RELEASE, OwnAnswer.MARK)

    @property
    def is_started(self) -> bool:
        """Whether an answer is on its way."""
        return self.job_id != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A part that should be planned; the batch gives it its attempt number."""

    prefix: str
    tries: int = 0
    own_answer: OwnAnswer | None = None
    operator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the ledger knows of a batch.

    Attributes:
        id: The batch.
        version: Counts the ledger's writes of it; 0 before the first.
        rows: Objects that the manifest names.
        extras: Keys of the others.
        states: One per object, rows first.
        parts: What is still to be answered.
        attempts: Attempt numbers given so far.
        jobs: Import jobs started.
        oldest_received_at: Unix time (s) of its oldest acknowledgement.
        proved: Whether Sweep has compared it with the listing after its lease.
        released: Numbers of objects that an operator has let expire.
    """

    id: BatchId
    version: int = 0
    rows: int
    extras: tuple[str, ...] = ()
    states: tuple[InstanceState, ...] = ()
    parts: tuple[Part, ...] = ()
    attempts: int = 0
    jobs: int = 0
    oldest_received_at: float
    proved: bool = False
    released: tuple[int, ...] = ()

    @classmethod
    def new(
        cls, batch_id: BatchId, *, rows: int, extras: Sequence[str], oldest_received_at: float
    ) -> Self:
        """Return a batch of which nothing but its objects is known."""
        return cls(
            id=batch_id,
            rows=rows,
            extras=tuple(extras),
            states=(InstanceState.SEALED,) * (rows + len(extras)),
            oldest_received_at=oldest_received_at,
        )

    @property
    def state(self) -> BatchState:
        """Derived: DONE when every object is terminal and nothing is owed."""
        if not self.parts and all(state.is_terminal for state in self.states):
            return BatchState.DONE
        return BatchState.STARTED if self.jobs else BatchState.SEALED

    @property
    def counts(self) -> Counts:
        """Its objects by state, and its jobs."""
        return Counts.of(self.states, jobs=self.jobs)

    @property
    def startable(self) -> tuple[Part, ...]:
        """Parts that wait for a job."""
        return tuple(part for part in self.parts if not part.is_started)

    def part(self, attempt: int) -> Part | None:
        """Return the open part of that attempt; None once it is answered."""
        return next((part for part in self.parts if part.attempt == attempt), None)

    def is_under_way(self, key: str) -> bool:
        """Whether an open part will answer for the object at `key`."""
        return any(
            part.is_import and key.startswith(self.id.prefix + part.prefix) for part in self.parts
        )

    def keys(self, row_keys: Sequence[str]) -> tuple[str, ...]:
        """Return the keys of all objects in the order of `states`, given those of the manifest."""
        return (*row_keys[: self.rows], *self.extras)

    def add_extras(self, keys: Iterable[str]) -> Self:
        """Add objects that were found besides; those already known are ignored."""
        known = set(self.extras)
        new = tuple(key for key in dict.fromkeys(keys) if key not in known)
        if not new:
            return self
        return replace(
            self,
            extras=self.extras + new,
            states=self.states + (InstanceState.SEALED,) * len(new),
            proved=False,
        )

    def plan(self, wanted: Iterable[Wanted], now: float) -> Self:
        """Add parts, each with a new attempt number."""
        parts = list(self.parts)
        attempts = self.attempts
        for want in wanted:
            answer = want.own_answer
            parts.append(
                Part(
                    prefix=want.prefix,
                    attempt=attempts,
                    tries=want.tries,
                    planned_at=now,
                    job_id=answer.value if answer else "",
                    started_at=now if answer else 0.0,
                    operator=want.operator,
                )
            )
            attempts += 1
        return replace(self, parts=tuple(parts), attempts=attempts)

    def start(self, attempt: int, job_id: str, now: float) -> Self:
        """Record that `job_id` was started for the part of that attempt."""
        parts = tuple(
            replace(part, job_id=job_id, started_at=now) if part.attempt == attempt else part
            for part in self.parts
        )
        return replace(self, parts=parts, jobs=self.jobs + 1)

    def answer(self, attempt: int, states: Mapping[int, InstanceState]) -> Self:
        """Close the part of that attempt and raise objects (by number) to `states`; none goes back."""
        raised = list(self.states)
        for number, state in states.items():
            if state.rank > raised[number].rank:
                raised[number] = state
        parts = tuple(part for part in self.parts if part.attempt != attempt)
        return replace(self, parts=parts, states=tuple(raised))

    def release(self, attempt: int, numbers: Iterable[int]) -> Self:
        """Close the part of that attempt and note that the objects of those numbers may expire."""
        parts = tuple(part for part in self.parts if part.attempt != attempt)
        return replace(self, parts=parts, released=tuple(sorted({*self.released, *numbers})))


def client_token(batch_id: BatchId, attempt: int) -> str:
    """Return the client token of an attempt: the same again starts no second job (at most 64 characters)."""
    return f"{batch_id}.{attempt}"
