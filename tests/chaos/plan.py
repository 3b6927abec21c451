"""What goes wrong when: a plan made of a seed alone, so that a run can be played again.

Faults come as episodes of some seconds, several at once, and as blows, which are sudden. Each is drawn from
a deck that is shuffled anew when it is used up, so a run of some minutes has had every one of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from tests.harness.rules import Action, Rule

T = TypeVar("T")
EPISODE_EVERY_S = (0.5, 3.5)
EPISODE_S = (2.0, 8.0)
BLOW_EVERY_S = (3.0, 8.0)
CALM_EVERY_S = 60.0
CALM_S = 12.0
"""Of each minute the last seconds are calm: what was damaged goes on and shows itself further down."""
LEAD_IN_S = 2.0
"""Before anything goes wrong: senders are under way."""


class BlowKind(StrEnum):
    """What happens suddenly."""

    KILL_WORKER = "kill a worker"
    KILL_PARENT = "kill the receiver's parent"
    KILL_TASK = "kill the whole task"
    RESTART = "restart the receiver"
    KILL_FUNCTION = "kill a function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A fault that lasts.

    Attributes:
        name: For people.
        begin_s: From the start of the run.
        end_s: Likewise.
        rules: For requests to AWS.
        switches: HealthImaging's own.
    """

    name: str
    begin_s: float
    end_s: float
    rules: tuple[Rule, ...] = ()
    switches: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A sudden fault; `pick` (0 to 1) chooses whom it meets."""

    kind: BlowKind
    at_s: float
    pick: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a run, in order of time."""

    seconds: float
    episodes: tuple[Episode, ...]
    blows: tuple[Blow, ...]

    def active(self, at_s: float) -> list[Episode]:
        """Return the episodes at that time."""
        return [e for e in self.episodes if e.begin_s <= at_s < e.end_s]


@dataclass(frozen=True, slots=True)
class _Fault:
    """A card of the deck: how strong it is, is drawn with it."""

    name: str
    rules: Callable[[float], tuple[Rule, ...]] = lambda _: ()
    switches: tuple[tuple[str, float], ...] = field(default=())


def _s3(
    action: Action, operation: str, most: float, **more: Any
) -> Callable[[float], tuple[Rule, ...]]:
    return _of("s3", action, operation, most, **more)


def _of(
    service: str, action: Action, operation: str, most: float, **more: Any
) -> Callable[[float], tuple[Rule, ...]]:
    def rules(strength: float) -> tuple[Rule, ...]:
        probability = round(most * (0.25 + 0.75 * strength), 4)
        return (
            Rule(
                action=action, service=service, operation=operation, probability=probability, **more
            ),
        )

    return rules


def _once(
    service: str, action: Action, operation: str, **more: Any
) -> Callable[[float], tuple[Rule, ...]]:
    return lambda _: (Rule(action=action, service=service, operation=operation, next=1, **more),)


INSTANCE, MANIFEST = "incoming/", "batches/"
_KILLED_AT: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("the instance's PUT", "s3", "PutObject", {"key": INSTANCE}),
    ("a part's PUT", "s3", "UploadPart", {}),
    ("CompleteMultipartUpload", "s3", "CompleteMultipartUpload", {}),
    ("the manifest's PUT", "s3", "PutObject", {"key": MANIFEST}),
    ("StartDICOMImportJob", "medical-imaging", "StartDICOMImportJob", {}),
    ("the ledger's transaction", "dynamodb", "TransactWriteItems", {}),
    ("the ledger's PutItem", "dynamodb", "PutItem", {}),
    ("an instance's UpdateItem", "dynamodb", "UpdateItem", {}),
    ("the tag", "s3", "PutObjectTagging", {}),
    ("the quarantine record", "s3", "PutObject", {"key": "quarantine/"}),
    ("SendMessage", "sqs", "SendMessage", {}),
    ("DeleteMessage", "sqs", "DeleteMessage", {}),
)
FAILPOINTS: tuple[_Fault, ...] = tuple(
    _Fault(f"killed {when} {what}", _once(service, action, operation, **more))
    for what, service, operation, more in _KILLED_AT
    for when, action in (("before", Action.KILL_BEFORE), ("after", Action.KILL_AFTER))
) + tuple(
    _Fault(f"task killed {when} {what}", _once("s3", action, "PutObject", key=key, whole_task=True))
    for what, key in (("the instance's PUT", INSTANCE), ("the manifest's PUT", MANIFEST))
    for when, action in (("before", Action.KILL_BEFORE), ("after", Action.KILL_AFTER))
)
FAULTS: tuple[_Fault, ...] = (
    _Fault("S3 slows down", _s3(Action.REFUSE, "*", 0.3)),
    _Fault("S3 fails", _s3(Action.REFUSE, "PutObject", 0.6, code="InternalError", status=500)),
    _Fault("S3 denies", _s3(Action.REFUSE, "PutObject", 0.2, code="AccessDenied", status=403)),
    _Fault(
        "the key is gone",
        _s3(Action.REFUSE, "PutObject", 0.2, code="KMS.DisabledException", status=400),
    ),
    _Fault("keys expired", _s3(Action.REFUSE, "PutObject", 0.2, code="ExpiredToken", status=400)),
    _Fault("S3 delays", _s3(Action.DELAY, "*", 0.2, seconds=0.2)),
    _Fault("S3 stalls", _s3(Action.STALL, "PutObject", 0.02, seconds=6.0)),
    _Fault("S3 hangs up", _s3(Action.RESET, "*", 0.3)),
    _Fault("S3's answers are lost", _s3(Action.SWALLOW, "*", 0.3)),
    _Fault("S3's answers are cut", _s3(Action.CUT, "*", 0.3)),
    _Fault("bits flip on the way to S3", _s3(Action.FLIP, "PutObject", 0.3)),
    _Fault("bits flip in parts", _s3(Action.FLIP, "UploadPart", 0.3)),
    _Fault("S3 confirms another checksum", _s3(Action.FALSE_ECHO, "PutObject", 0.2, key=INSTANCE)),
    _Fault(
        "Complete fails in a 200",
        _s3(Action.ERROR_IN_200, "CompleteMultipartUpload", 0.5, code="InternalError"),
    ),
    _Fault("Complete's answer is lost", _s3(Action.SWALLOW, "CompleteMultipartUpload", 0.7)),
    _Fault("manifests are refused", _s3(Action.REFUSE, "PutObject", 0.9, key=MANIFEST)),
    _Fault("manifests' answers are lost", _s3(Action.SWALLOW, "PutObject", 0.7, key=MANIFEST)),
    _Fault("job outputs are not readable", _s3(Action.REFUSE, "GetObject", 0.7)),
    _Fault("tags are refused", _s3(Action.REFUSE, "PutObjectTagging", 0.2)),
    _Fault("tags' answers are lost", _s3(Action.SWALLOW, "PutObjectTagging", 0.2)),
    _Fault("DynamoDB throttles", _of("dynamodb", Action.REFUSE, "*", 0.2, status=400)),
    _Fault(
        "DynamoDB fails",
        _of("dynamodb", Action.REFUSE, "*", 0.3, code="InternalServerError", status=500),
    ),
    _Fault("DynamoDB is down", _of("dynamodb", Action.RESET, "*", 0.9)),
    _Fault("DynamoDB's answers are lost", _of("dynamodb", Action.SWALLOW, "*", 0.2)),
    _Fault(
        "transactions conflict",
        _of(
            "dynamodb",
            Action.REFUSE,
            "TransactWriteItems",
            0.6,
            code="TransactionConflictException",
            status=400,
        ),
    ),
    _Fault("messages are lost", _of("sqs", Action.LOSE, "ReceiveMessage", 1.0)),
    _Fault("messages are shuffled", _of("sqs", Action.SHUFFLE, "ReceiveMessage", 1.0)),
    _Fault("messages are repeated", _of("sqs", Action.REPEAT, "DeleteMessage", 0.8, seconds=8.0)),
    _Fault(
        "SQS is down", _of("sqs", Action.REFUSE, "*", 0.9, code="ServiceUnavailable", status=503)
    ),
    _Fault("SQS's answers are lost", _of("sqs", Action.SWALLOW, "*", 0.4)),
    _Fault("HealthImaging refuses", _of("medical-imaging", Action.REFUSE, "*", 0.7, status=429)),
    _Fault(
        "HealthImaging fails",
        _of("medical-imaging", Action.REFUSE, "*", 0.5, code="InternalServerException", status=500),
    ),
    _Fault("HealthImaging's answers are lost", _of("medical-imaging", Action.SWALLOW, "*", 0.5)),
    _Fault("jobs fail", switches=(("failedJobs", 0.6),)),
    _Fault("files fail", switches=(("failedFiles", 0.02),)),
    _Fault("starts are throttled", switches=(("throttledStarts", 0.9),)),
    _Fault("events are lost", switches=(("lostEvents", 1.0),)),
    _Fault("events come twice", switches=(("duplicatedEvents", 1.0),)),
    _Fault("job outputs come late", switches=(("lateManifestSeconds", 4.0),)),
)


def make_plan(seed: int, seconds: float) -> Plan:
    """Return the plan of `seed` for a run of `seconds`."""
    chance = random.Random(seed)  # noqa: S311 - replayable, no secret
    return Plan(
        seconds,
        tuple(sorted(_episodes(chance, seconds), key=lambda e: e.begin_s)),
        tuple(_blows(chance, seconds)),
    )


def _episodes(chance: random.Random, seconds: float) -> Iterator[Episode]:
    faults, failpoints = _deck(chance, FAULTS), _deck(chance, FAILPOINTS)
    for cards, slower in ((faults, 1.0), (failpoints, 1.5)):
        at_s = LEAD_IN_S + chance.uniform(*EPISODE_EVERY_S)
        while at_s < seconds:
            card, strength = next(cards), chance.random()
            end_s = min(at_s + chance.uniform(*EPISODE_S), seconds, _next_calm(at_s))
            yield Episode(
                name=card.name,
                begin_s=at_s,
                end_s=end_s,
                rules=card.rules(strength),
                switches=card.switches,
            )
            at_s = _after_calm(at_s + slower * chance.uniform(*EPISODE_EVERY_S))


def _blows(chance: random.Random, seconds: float) -> Iterator[Blow]:
    kinds = _deck(chance, [*BlowKind, BlowKind.KILL_FUNCTION, BlowKind.KILL_FUNCTION])
    at_s = LEAD_IN_S + chance.uniform(*BLOW_EVERY_S)
    while at_s < seconds:
        yield Blow(kind=next(kinds), at_s=at_s, pick=chance.random())
        at_s = _after_calm(at_s + chance.uniform(*BLOW_EVERY_S))


def _next_calm(at_s: float) -> float:
    """Return when the calm of that minute begins."""
    return at_s // CALM_EVERY_S * CALM_EVERY_S + CALM_EVERY_S - CALM_S


def _after_calm(at_s: float) -> float:
    """Return the time itself, or the end of the calm that it falls into."""
    return at_s if at_s < _next_calm(at_s) else _next_calm(at_s) + CALM_S


def _deck(chance: random.Random, cards: Sequence[T]) -> Iterator[T]:
    while True:
        shuffled = list(cards)
        chance.shuffle(shuffled)
        yield from shuffled
