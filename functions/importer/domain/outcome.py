"""What an answered part means for its objects: states, reasons, and what to try next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contract.reasons import QuarantineReason
from contract.states import InstanceState
from importer.domain.answers import Answer
from importer.domain.batch import Batch, Part, Wanted
from importer.domain.planning import NextStep, after_failure, after_omission, children


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The consequence of one part's answer.

    Attributes:
        batch: With objects added that only the job named.
        answers: By key; every one terminal.
        wanted: Parts to plan for what has no answer.
    """

    batch: Batch
    answers: Mapping[str, Answer] = field(default_factory=dict)
    wanted: tuple[Wanted, ...] = ()


def judge_completed(
    batch: Batch, part: Part, row_keys: Sequence[str], answers: Mapping[str, Answer]
) -> Outcome:
    """Judge a COMPLETED job by its own lines, counted against the objects under its prefix.

    Args:
        batch: As the ledger has it.
        part: Which the job answers for.
        row_keys: Keys of the manifest's rows, in order.
        answers: By landing key; those of other prefixes are ignored.
    """
    prefix = batch.id.prefix + part.prefix
    named = {key: answer for key, answer in answers.items() if key.startswith(prefix)}
    # An object that landed between the listing and the job's scan is imported too, and counted.
    batch = batch.add_extras(sorted(named.keys() - set(row_keys)))
    inside = _unfinished(batch, part, row_keys)
    omitted = [key for key in inside if prefix_join(batch, key) not in named]
    if not omitted:
        return Outcome(batch=batch, answers=named)
    step = after_omission(part, inside, omitted)
    return _with_step(batch, named, omitted, step, QuarantineReason.NO_ANSWER)


def judge_failed(batch: Batch, part: Part, row_keys: Sequence[str]) -> Outcome:
    """Judge a FAILED job: nothing is known of any of its objects."""
    inside = _unfinished(batch, part, row_keys)
    if not inside:
        return Outcome(batch=batch)
    skip = len(batch.id.prefix)
    shards = children("", [key[skip:] for key in batch.keys(row_keys)])
    imported = any(state.rank > InstanceState.QUARANTINED.rank for state in batch.states)
    step = after_failure(part, inside, is_proven=imported or len(shards) == 1)
    return _with_step(batch, {}, inside, step, QuarantineReason.JOB_FAILED)


def judge_quarantined(
    batch: Batch, part: Part, row_keys: Sequence[str], reason: QuarantineReason
) -> Outcome:
    """Quarantine what no job will be started for."""
    inside = _unfinished(batch, part, row_keys)
    return _with_step(batch, {}, inside, NextStep(gives_up=True), reason)


def prefix_join(batch: Batch, relative_key: str) -> str:
    """Return the landing key of an object from its key below the batch."""
    return batch.id.prefix + relative_key


def state_numbers(
    batch: Batch, row_keys: Sequence[str], answers: Mapping[str, Answer]
) -> dict[int, InstanceState]:
    """Return the answered states by object number."""
    return {
        number: answers[key].state
        for number, key in enumerate(batch.keys(row_keys))
        if key in answers
    }


def _unfinished(batch: Batch, part: Part, row_keys: Sequence[str]) -> list[str]:
    """Keys below the batch of the part's objects that are not imported yet."""
    skip = len(batch.id.prefix)
    prefix = batch.id.prefix + part.prefix
    return [
        key[skip:]
        for key, state in zip(batch.keys(row_keys), batch.states, strict=True)
        if key.startswith(prefix) and state.rank <= InstanceState.QUARANTINED.rank
    ]


def _with_step(
    batch: Batch,
    named: Mapping[str, Answer],
    open_keys: Sequence[str],
    step: NextStep,
    reason: QuarantineReason,
) -> Outcome:
    if not step.gives_up:
        return Outcome(batch=batch, answers=named, wanted=step.wanted)
    given_up = Answer(state=InstanceState.QUARANTINED, reason=reason)
    answers = {prefix_join(batch, key): given_up for key in open_keys}
    return Outcome(batch=batch, answers={**answers, **named})
