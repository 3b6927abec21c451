"""Which prefixes to give to import jobs, and what to do when a job fails or leaves objects out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from importer.domain.batch import OwnAnswer, Part, Wanted

WHOLE_RETRIES = 2
"""More attempts on a prefix that FAILED as a whole before it is bisected: most failures are passing."""
SHARD_RETRIES = 2
"""More attempts on a shard while nothing of its batch was imported: the others may still prove it."""
SINGLE_RETRIES = 2
"""More attempts on one object's folder before it is quarantined."""
SINGLES_AT_MOST = 64
"""Objects left out by a job are imported again alone up to this number, else by shard: 1 start/s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuota:
    """What one import job takes.

    Attributes:
        max_files: Adjustable (Service Quotas L-685AAB3A).
        max_bytes: 10 GB, not adjustable; one file may be as large, no larger.
    """

    max_files: int = 5_000
    max_bytes: int = 10_000_000_000


def folder_of(relative_key: str) -> str:
    """Return the folder of an object below its batch: the smallest prefix that a job can be given."""
    return relative_key.rpartition("/")[0] + "/" if "/" in relative_key else ""


def children(prefix: str, relative_keys: Iterable[str]) -> list[str]:
    """Return the folders directly below `prefix` that hold any of the objects, in order."""
    found = {
        prefix + key[len(prefix) :].partition("/")[0] + "/"
        for key in relative_keys
        if key.startswith(prefix) and "/" in key[len(prefix) :]
    }
    return sorted(found)


def plan_prefix(sizes: Mapping[str, int], quota: JobQuota, prefix: str = "") -> list[Wanted]:
    """Split `prefix` into parts that each fit a job.

    Args:
        sizes: Bytes of every object of the batch, by key below it.
        quota: Of one job.
        prefix: Where to start.

    Returns:
        Parts that cover every object; one that no job can take answers for itself. Empty if there is
        no object: an empty prefix must never be given to a job, which would scan the whole bucket.
    """
    inside = {key: size for key, size in sizes.items() if key.startswith(prefix)}
    if not inside:
        return []
    if len(inside) <= quota.max_files and sum(inside.values()) <= quota.max_bytes:
        return [Wanted(prefix=prefix)]
    below = children(prefix, inside)
    if not below:
        return [Wanted(prefix=prefix, own_answer=OwnAnswer.TOO_BIG_FOR_IMPORT)]
    return [want for child in below for want in plan_prefix(inside, quota, child)]


def plan_redrive(
    sizes: Mapping[str, int], chosen: Collection[str], quota: JobQuota, prefix: str = ""
) -> list[Wanted]:
    """Cover chosen objects by as few jobs as can be, touching no other object: imports again cost versions.

    Args:
        sizes: Bytes of every object of the batch, by key below it.
        chosen: Keys of them that are to be tried again.
        quota: Of one job.
        prefix: Where to start.
    """
    inside = {key: size for key, size in sizes.items() if key.startswith(prefix)}
    hits = inside.keys() & set(chosen)
    if not hits:
        return []
    below = children(prefix, hits)
    if len(hits) == len(inside) or not below:
        return plan_prefix(inside, quota, prefix)
    return [want for child in below for want in plan_redrive(inside, hits, quota, child)]


def plan_late(late: Iterable[str]) -> list[Wanted]:
    """Plan objects (keys below the batch) that appeared after the batch's jobs were planned."""
    return [Wanted(prefix=folder) for folder in sorted({folder_of(key) for key in late})]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What follows for the objects of a part that has no answer: new parts, or none and quarantine."""

    wanted: tuple[Wanted, ...] = ()
    gives_up: bool = False


def after_failure(
    part: Part, relative_keys: Collection[str], *, is_proven: bool = True
) -> NextStep:
    """Decide after a FAILED job: again, then down the tree to the poison, then give up.

    Args:
        part: Whose job failed.
        relative_keys: Its objects, by key below the batch.
        is_proven: Whether something of the batch was imported. Where several shards all fail it is the
            service, a role or a key that is at fault, not one object: singling out thousands at 1
            start/s would hold up every other batch, so the shards are quarantined whole, to be redriven.
    """
    below = children(part.prefix, relative_keys)
    tries = SINGLE_RETRIES
    if below:
        tries = WHOLE_RETRIES if is_proven or not part.prefix else WHOLE_RETRIES + SHARD_RETRIES
    if part.tries < tries:
        return NextStep(wanted=(Wanted(prefix=part.prefix, tries=part.tries + 1),))
    if not below or (part.prefix and not is_proven):
        return NextStep(gives_up=True)
    # A shard below a prefix that failed three times is bisected at its first failure.
    return NextStep(
        wanted=tuple(
            Wanted(prefix=child, tries=WHOLE_RETRIES if children(child, relative_keys) else 0)
            for child in below
        )
    )


def after_omission(
    part: Part, relative_keys: Collection[str], omitted: Collection[str]
) -> NextStep:
    """Decide for objects that a COMPLETED job's output does not name: again alone, then give up.

    Args:
        part: Whose job completed.
        relative_keys: Its objects, by key below the batch.
        omitted: Those of them that are not named; not empty.
    """
    folders = {folder_of(key) for key in omitted}
    if folders == {part.prefix}:
        if part.tries < SINGLE_RETRIES:
            return NextStep(wanted=(Wanted(prefix=part.prefix, tries=part.tries + 1),))
        return NextStep(gives_up=True)
    if len(omitted) == len(relative_keys) and part.tries < WHOLE_RETRIES:
        return NextStep(wanted=(Wanted(prefix=part.prefix, tries=part.tries + 1),))
    if len(folders) > SINGLES_AT_MOST:
        folders = set(children(part.prefix, omitted))
    return NextStep(wanted=tuple(Wanted(prefix=folder) for folder in sorted(folders)))
