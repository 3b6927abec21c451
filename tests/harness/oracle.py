"""The conservation law: what was acknowledged is there, what is there was sent, and each is in one place.

Pure: takes what the senders noted and what the product and the services hold, returns what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from contract.states import InstanceState

Content = tuple[str, str]
"""SOP Instance UID and SHA-256 of the dataset."""
MOST_SHOWN = 5
"""Examples in a sentence."""


@dataclass(frozen=True, slots=True)
class Landed:
    """An object in the landing bucket.

    Attributes:
        key: Its key.
        uid: Of its file meta.
        sha256: Of its dataset; empty if the object was deleted.
        is_tagged: Whether its lifecycle ends it.
        versions: How many the bucket has of it.
    """

    key: str
    uid: str
    sha256: str
    is_tagged: bool
    versions: int

    @property
    def content(self) -> Content:
        """What it is an original of."""
        return self.uid, self.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything at rest.

    Attributes:
        landed: The landing bucket.
        named: Keys that manifests name.
        states: The ledger's, by key, once for each batch that has the key.
        imported: Contents that the data store holds, earlier versions too.
        listed: Keys on the operator's quarantine list.
        recorded: Keys with a record under quarantine/.
        figures: Of /api/status.
    """

    landed: list[Landed]
    named: list[str]
    states: list[tuple[str, InstanceState]]
    imported: set[Content]
    listed: set[str]
    recorded: set[str]
    figures: Mapping[str, int] = field(default_factory=dict)


_TOTALS = {
    "imported": InstanceState.IMPORTED,
    "importedWithWarning": InstanceState.IMPORTED_WITH_WARNING,
    "importedNonPrimary": InstanceState.IMPORTED_NON_PRIMARY,
    "quarantined": InstanceState.QUARANTINED,
}


def violations(acked: set[Content], offered: set[Content], world: World) -> list[str]:
    """Return a sentence for each way in which the law is broken; none if it holds.

    Args:
        acked: What was answered with Success.
        offered: What was sent, whole or in part.
        world: As it is at rest.
    """
    return [
        *_lost(acked, world),
        *_invented(acked, offered, world),
        *_misplaced(world),
        *_sums(world),
    ]


def _lost(acked: set[Content], world: World) -> Iterator[str]:
    """I1, I2, I3: acknowledged is landed, and imported or quarantined, with the same bytes."""
    yield from _say(
        "acknowledged, but not landed", acked - {found.content for found in world.landed}
    )
    quarantined = {key for key, state in world.states if state is InstanceState.QUARANTINED}
    kept = {found.content for found in world.landed if found.key in quarantined}
    yield from _say(
        "acknowledged, but neither imported nor quarantined", acked - world.imported - kept
    )
    present = {found.key for found in world.landed}
    yield from _say("named by a manifest, but not landed", set(world.named) - present)
    yield from _say("deleted", {found.key for found in world.landed if not found.sha256})
    yield from _say("overwritten", {found.key for found in world.landed if found.versions != 1})


def _invented(acked: set[Content], offered: set[Content], world: World) -> Iterator[str]:
    """Nothing is there that nobody sent."""
    yield from _say("acknowledged, but not offered", acked - offered)
    yield from _say("landed, but never sent", {found.content for found in world.landed} - offered)
    yield from _say("imported, but never sent", world.imported - offered)


def _misplaced(world: World) -> Iterator[str]:
    """I3: every landed object is in exactly one batch, terminal, and what its state says of it is true."""
    times = Counter(key for key, _ in world.states)
    states = dict(world.states)
    present = {found.key for found in world.landed}
    yield from _say("landed, but not in the ledger", present - times.keys())
    yield from _say("in the ledger, but not landed", times.keys() - present)
    yield from _say("in two batches", {key for key, number in times.items() if number > 1})
    yield from _say("in flight", {key for key, state in world.states if not state.is_terminal})
    yield from _say(
        "named by two manifests", {key for key, n in Counter(world.named).items() if n > 1}
    )
    quarantined = {key for key, state in states.items() if state is InstanceState.QUARANTINED}
    yield from _say("quarantined, but not on the list", quarantined - world.listed)
    yield from _say("on the quarantine list, but not quarantined", world.listed - quarantined)
    yield from _say("quarantined without a record", quarantined - world.recorded)
    contents = Counter(uid for uid, _ in {found.content for found in world.landed})
    for found in world.landed:
        state = states.get(found.key)
        if state in _IMPORTED and found.content not in world.imported:
            yield f"{state} in the ledger, but the data store has not its bytes: {found.key}"
        if found.is_tagged and state is not InstanceState.IMPORTED:
            yield f"may expire, but is {state}: {found.key}"
        if state is InstanceState.IMPORTED and not found.is_tagged and contents[found.uid] == 1:
            yield f"imported, but would be kept for ever: {found.key}"


_IMPORTED = (
    InstanceState.IMPORTED,
    InstanceState.IMPORTED_WITH_WARNING,
    InstanceState.IMPORTED_NON_PRIMARY,
)


def _sums(world: World) -> Iterator[str]:
    """What the product says of itself is the sum of what there is."""
    figures = world.figures
    if not figures:
        return
    counted = Counter(state for _, state in world.states)
    wanted = {name: counted[state] for name, state in _TOTALS.items()}
    wanted |= {"landed": len(world.landed), "inFlight": 0}
    said = {name: figures[name] for name in wanted}
    if said != wanted:
        yield f"/api/status says {said}, there is {wanted}"


def _say(what: str, found: Iterable[object]) -> Iterator[str]:
    examples = sorted(map(str, found))
    if examples:
        yield f"{len(examples)} {what}: {', '.join(examples[:MOST_SHOWN])}"
